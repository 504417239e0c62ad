"""`docker run` for each of the tool's containers, as values. Nothing here runs anything, so tests compare lists."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence

from toolkit.runtimes.specs import (
    CPUS_LABEL,
    HOST_NETWORK,
    LEASE_LABEL,
    OWN_PROCESSES,
    RUN_LABEL,
    AgentContainerSpec,
    Argv,
    Bind,
    LearnerContainerSpec,
    Limits,
    NamedVolume,
    Network,
)


class DockerRun:
    """The containers of a run, as command lines of `program`; `ContainerRuntime` says what each method guarantees."""

    program = "docker"

    def start_side_container(
        self, name: str, run: str, image: str, binds: Sequence[Bind], command: Sequence[str]
    ) -> Argv:
        return [
            *self._own_container(name, run, ("SYS_ADMIN", "DAC_OVERRIDE", "CHOWN", "FOWNER")),
            *("--network", "host", "--device", "/dev/fuse", "--security-opt", "apparmor=unconfined"),
            *_mounts(binds),
            image,
            *command,
        ]

    def start_agent(self, spec: AgentContainerSpec) -> Argv:
        """`--volume` creates the folder, unlike `--mount`."""
        return [
            *self._own_container(spec.name, spec.run, ("DAC_OVERRIDE", "CHOWN", "FOWNER")),
            *(("--label", f"{CPUS_LABEL}={spec.cpus}") if spec.cpus else ()),
            *_lease(spec.lease),
            *("--network", "none", "--volume", f"{spec.folder.source}:{spec.folder.target}"),
            *_mounts(spec.binds),
            spec.image,
            *spec.command,
        ]

    def start_store(
        self,
        name: str,
        run: str,
        image: str,
        mounts: Sequence[Bind | NamedVolume],
        owner: str,
        command: Sequence[str],
    ) -> Argv:
        return [
            *(self.program, "run", "--detach", "--rm", "--init", "--name", name, "--label", f"{RUN_LABEL}={run}"),
            *("--network", "host", "--user", owner, *confined()),
            *("--read-only", "--tmpfs", "/tmp:mode=1777", "--tmpfs", "/run/private:mode=1777"),
            *_mounts(mounts),
            image,
            *command,
        ]

    def start_learner(self, spec: LearnerContainerSpec) -> Argv:
        return [
            *(self.program, "run", "--detach", "--init", "--name", spec.name, "--label", f"{RUN_LABEL}={spec.run}"),
            *_lease(spec.lease),
            *("--hostname", spec.hostname, *network_options(spec.network, spec.hostname)),
            *("--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
            # Docker's default of 64 MB of shared memory is too small for Open MPI's and NCCL's transports.
            *("--shm-size", "1g"),
            *limit_options(spec.limits),
            *(("--gpus", f'"device={",".join(spec.gpus)}"') if spec.gpus else ()),
            *(word for device in spec.devices for word in ("--device", device)),
            *(("--ulimit", "memlock=-1", "--cap-add", "IPC_LOCK") if spec.devices else ()),
            *_environment(spec.environment),
            *_mounts(spec.binds),
            *("--workdir", spec.folder),
            spec.image,
            *spec.command,
        ]

    def start_relay(self, name: str, shipment: str, image: str, private: str, command: Sequence[str]) -> Argv:
        return [
            *(self.program, "run", "--detach", "--rm", "--init", "--name", name, "--label", f"{RUN_LABEL}={shipment}"),
            *("--network", "host", *confined(), "--read-only"),
            *("--tmpfs", f"{private}:mode=0700", "--mount", "type=volume,target=/archive"),
            image,
            *command,
        ]

    def check_in_image(
        self,
        image: str,
        run: str,
        owner: str,
        binds: Sequence[Bind],
        environment: Mapping[str, str],
        command: Sequence[str],
    ) -> Argv:
        return [
            *(self.program, "run", "--rm", "--init", "--label", f"{RUN_LABEL}={run}", "--user", owner),
            *("--network", "none", *confined(), "--tmpfs", "/tmp"),
            *_environment(environment),
            *_mounts(binds),
            image,
            *command,
        ]

    def serve_in_image(
        self,
        image: str,
        run: str,
        owner: str,
        binds: Sequence[Bind],
        environment: Mapping[str, str],
        limits: Limits,
        command: Sequence[str],
    ) -> Argv:
        return [
            *(self.program, "run", "--rm", "--init", "--interactive", "--label", f"{RUN_LABEL}={run}"),
            *("--log-driver", "none", "--user", owner),
            *("--network", "none", *confined(), "--read-only", "--tmpfs", "/tmp"),
            *limit_options(limits),
            *_environment(environment),
            *_mounts(binds),
            image,
            *command,
        ]

    def owner_of_folder(self, mount: Bind | NamedVolume, run: str, image: str) -> Argv:
        return [
            *(self.program, "run", "--rm", "--pull", "never", "--label", f"{RUN_LABEL}={run}", "--network", "none"),
            *(*confined(), "--mount", mount_argument(mount)),
            *("--entrypoint", "stat", image, "-c", "%u:%g", mount.target),
        ]

    def read_from_volume(self, volume: str, image: str, name: str) -> Argv:
        return [
            *(self.program, "run", "--rm", "--network", "none", *confined()),
            *("--mount", mount_argument(NamedVolume(volume, "/volume"))),
            *("--entrypoint", "cat", image, f"/volume/{name}"),
        ]

    def _own_container(self, name: str, run: str, capabilities: Sequence[str]) -> Argv:
        """The options that all of the tool's own containers of a run share: `/run/private` is in memory."""
        return [
            *(self.program, "run", "--detach", "--rm", "--init", "--name", name, "--label", f"{RUN_LABEL}={run}"),
            *confined(),
            *(word for capability in capabilities for word in ("--cap-add", capability)),
            *("--tmpfs", "/run/private:mode=0700"),
        ]


def confined() -> Argv:
    """Options for the tool's own containers: no capability, no program in them gains privileges that it was not
    started with, and there are at most `OWN_PROCESSES` processes and threads."""
    return ["--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--pids-limit", str(OWN_PROCESSES)]


def limit_options(limits: Limits) -> Argv:
    """Without `--memory-swap`, Docker gives a container as much swap as memory."""
    memory = ["--memory", str(limits.memory), "--memory-swap", str(limits.memory)] if limits.memory else []
    cpus = ["--cpus", f"{limits.cpus:g}"] if limits.cpus else []
    processes = ["--pids-limit", str(limits.processes)] if limits.processes else []
    return [*memory, *cpus, *(["--cpuset-cpus", limits.cpuset] if limits.cpuset else []), *processes]


def network_options(network: Network, hostname: str) -> Argv:
    """A private bridge resolves names itself; on the host's network, each learner gets the names of the others."""
    if network.name != HOST_NETWORK:
        return ["--network", network.name, "--network-alias", hostname]
    return ["--network", HOST_NETWORK, *(w for name, at in network.known for w in ("--add-host", f"{name}:{at}"))]


def mount_argument(mount: Bind | NamedVolume) -> str:
    """In `--mount` syntax: a line of CSV, so that colons and commas in a folder's name are safe."""
    if isinstance(mount, NamedVolume):
        fields = ["type=volume", f"source={mount.name}", f"target={mount.target}"]
    else:
        fields = ["type=bind", f"source={mount.source}", f"target={mount.target}"]
    fields += ["readonly"] if mount.read_only else []
    if isinstance(mount, Bind) and mount.propagation:
        fields.append(f"bind-propagation={mount.propagation}")
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(fields)
    return line.getvalue()


def _mounts(mounts: Sequence[Bind | NamedVolume]) -> Argv:
    return [word for mount in mounts for word in ("--mount", mount_argument(mount))]


def _environment(environment: Mapping[str, str]) -> Argv:
    return [word for key, value in sorted(environment.items()) for word in ("--env", f"{key}={value}")]


def _lease(record: str) -> Argv:
    return ["--label", f"{LEASE_LABEL}={record}"] if record else []
