"""Docker's command lines, as values: nothing here runs anything, so a test compares lists.

Every container, volume and network of a run carries the label `toolkit.run=<training id>`; it is what is listed
and cleaned.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from toolkit.containers.limits import NO_LIMITS, Limits, confined

RUN_LABEL = "toolkit.run"
CPUS_LABEL = "toolkit.cpus"
"""On a run's first and last container of a host: the CPUs that its ranks there are bound to, such as `0-3,8`."""

LEASE_LABEL = "toolkit.lease"
"""On a run's containers on a host, and on its volume there before it has any: what the run has leased of the host. Its
value is a record, see `toolkit.leases.model`; a running container with it holds the lease."""

Argv = list[str]


@dataclass(frozen=True)
class Bind:
    """A folder of the host in a container. `propagation` as Docker names it: `rshared`, `rslave` or empty."""

    source: str
    target: str
    read_only: bool = False
    propagation: str = ""

    @property
    def argument(self) -> str:
        """As `--mount` takes it: a line of CSV, so that colons and commas in a folder's name do no harm."""
        fields = ["type=bind", f"source={self.source}", f"target={self.target}"]
        fields += ["readonly"] if self.read_only else []
        fields += [f"bind-propagation={self.propagation}"] if self.propagation else []
        return _csv(fields)


def _csv(fields: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(fields)
    return line.getvalue()


@dataclass(frozen=True)
class NamedVolume:
    """A volume of the engine's in a container."""

    name: str
    target: str
    read_only: bool = True

    @property
    def argument(self) -> str:
        """As `--mount` takes it."""
        fields = ["type=volume", f"source={self.name}", f"target={self.target}"]
        return _csv([*fields, "readonly"] if self.read_only else fields)


@dataclass(frozen=True)
class Network:
    """What a learner's ranks talk on: a private bridge by its `name`; or `host`, the host's own network, with the
    learners' names and addresses in `known`, as no one else resolves them there."""

    name: str
    known: tuple[tuple[str, str], ...] = ()

    def words(self, hostname: str) -> Argv:
        """The words of `docker run`."""
        if self.name != HOST_NETWORK:
            return ["--network", self.name, "--network-alias", hostname]
        return ["--network", HOST_NETWORK, *(w for name, at in self.known for w in ("--add-host", f"{name}:{at}"))]


HOST_NETWORK = "host"


def create_volume(name: str, run: str) -> Argv:
    """A volume lies where the engine has made its mounts shared, so FUSE mounts below it reach other containers."""
    return ["docker", "volume", "create", "--label", f"{RUN_LABEL}={run}", name]


def create_export_volume(name: str, run: str, server: str, path: str, *, read_only: bool = True) -> Argv:
    """A volume that is `path` of an NFS server; the engine's host mounts it when a container first uses it."""
    options = ("type=nfs", f"o=addr={server},{'ro' if read_only else 'rw'}", f"device=:{path}")
    labelled = ["docker", "volume", "create", "--label", f"{RUN_LABEL}={run}", "--driver", "local"]
    return [*labelled, *(word for option in options for word in ("--opt", option)), name]


def volume_folder(name: str) -> Argv:
    """Prints the host's folder of a volume."""
    return ["docker", "volume", "inspect", "--format", "{{.Mountpoint}}", name]


def volumes_folder(program: str) -> Argv:
    """Prints the host's folder below which the engine keeps all volumes."""
    shown = "{{.Store.VolumePath}}" if program == "podman" else "{{.DockerRootDir}}/volumes"
    return ["docker", "info", "--format", shown]


def engine_socket(program: str) -> Argv:
    """Prints where the engine listens, as a URL or a path."""
    if program == "podman":
        return ["docker", "info", "--format", "{{.Host.RemoteSocket.Path}}"]
    return ["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]


def create_network(name: str, run: str) -> Argv:
    """A private bridge; the engine picks a free subnet."""
    return ["docker", "network", "create", "--driver", "bridge", "--label", f"{RUN_LABEL}={run}", name]


def network_subnet(name: str) -> Argv:
    """Prints the network's CIDR."""
    return ["docker", "network", "inspect", "--format", "{{(index .IPAM.Config 0).Subnet}}", name]


def start_side_container(name: str, run: str, image: str, binds: Sequence[Bind], command: Sequence[str]) -> Argv:
    """A container of the tool's own on the host's network: it may mount FUSE, and holds keys in memory only.

    It goes when its command ends: no one else may be there to remove it.
    """
    return [
        *_own_container(name, run, ("SYS_ADMIN", "DAC_OVERRIDE", "CHOWN", "FOWNER")),
        *("--network", "host", "--device", "/dev/fuse", "--security-opt", "apparmor=unconfined"),
        *(word for bind in binds for word in ("--mount", bind.argument)),
        image,
        *command,
    ]


def start_agent(
    name: str,
    run: str,
    image: str,
    folder: Bind,
    binds: Sequence[Bind],
    command: Sequence[str],
    cpus: str = "",
    lease: str = "",
) -> Argv:
    """A run's agent on a host: it holds the engine's socket, which `binds` has; no key, no network, no device.

    It goes when its command ends. `folder` is that of the run's volume, which the agent makes: the engine makes the
    folder where it is not there (as `--mount` does not). `cpus` are those that the run's ranks here are bound to, for
    other runs to see: it runs on any itself. `lease` is the record of what the run has leased here, which it holds as
    long as the container runs.
    """
    return [
        *_own_container(name, run, ("DAC_OVERRIDE", "CHOWN", "FOWNER")),
        *(("--label", f"{CPUS_LABEL}={cpus}") if cpus else ()),
        *_lease(lease),
        *("--network", "none", "--volume", f"{folder.source}:{folder.target}"),
        *(word for bind in binds for word in ("--mount", bind.argument)),
        image,
        *command,
    ]


def _own_container(name: str, run: str, capabilities: Sequence[str]) -> Argv:
    """What the tool's own containers of a run have in common: `/run/private` is in memory."""
    return [
        *("docker", "run", "--detach", "--rm", "--init", "--name", name, "--label", f"{RUN_LABEL}={run}"),
        *("--cap-drop", "ALL", *confined()),
        *(word for capability in capabilities for word in ("--cap-add", capability)),
        *("--tmpfs", "/run/private:mode=0700"),
    ]


def _lease(record: str) -> Argv:
    return ["--label", f"{LEASE_LABEL}={record}"] if record else []


def start_store(
    name: str, run: str, image: str, mounts: Sequence[Bind | NamedVolume], owner: str, command: Sequence[str]
) -> Argv:
    """An S3 server over folders: the user `owner` (uid:gid), no capability, the host's network.

    It goes when its command ends: no one else may be there to remove it.
    """
    return [
        *("docker", "run", "--detach", "--rm", "--init", "--name", name, "--label", f"{RUN_LABEL}={run}"),
        *("--network", "host", "--user", owner, "--cap-drop", "ALL", *confined()),
        *("--read-only", "--tmpfs", "/tmp:mode=1777", "--tmpfs", "/run/private:mode=1777"),
        *(word for mount in mounts for word in ("--mount", mount.argument)),
        image,
        *command,
    ]


def start_learner(
    name: str,
    run: str,
    image: str,
    *,
    hostname: str,
    network: Network,
    binds: Sequence[Bind | NamedVolume],
    environment: Mapping[str, str],
    folder: str,
    command: Sequence[str],
    gpus: Sequence[str] = (),
    devices: Sequence[str] = (),
    limits: Limits = NO_LIMITS,
    lease: str = "",
) -> Argv:
    """A learner: the image's unprivileged user, no capability.

    `gpus` are UUIDs: a number may mean another GPU to the driver than to the engine. With `devices` (an adapter for
    RDMA) it may lock memory, without which such an adapter is of no use. `lease` as in `start_side_container`.
    """
    return [
        *("docker", "run", "--detach", "--init", "--name", name, "--label", f"{RUN_LABEL}={run}"),
        *_lease(lease),
        *("--hostname", hostname, *network.words(hostname)),
        *("--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
        # Docker's 64 MB of shared memory are too few for Open MPI's and NCCL's transports.
        *("--shm-size", "1g"),
        *limits.words,
        *(("--gpus", f'"device={",".join(gpus)}"') if gpus else ()),
        *(word for device in devices for word in ("--device", device)),
        *(("--ulimit", "memlock=-1", "--cap-add", "IPC_LOCK") if devices else ()),
        *(word for key, value in sorted(environment.items()) for word in ("--env", f"{key}={value}")),
        *(word for bind in binds for word in ("--mount", bind.argument)),
        *("--workdir", folder),
        image,
        *command,
    ]


def check_in_image(
    image: str,
    run: str,
    owner: str,
    binds: Sequence[Bind],
    environment: Mapping[str, str],
    command: Sequence[str],
) -> Argv:
    """Run `command` once in `image`, with no network, as the user `owner` (uid:gid); nothing stays behind.

    The files belong to the operator, who may keep them from others: so it runs as him, without any capability.
    """
    return [
        *("docker", "run", "--rm", "--init", "--label", f"{RUN_LABEL}={run}", "--user", owner),
        *("--network", "none", "--cap-drop", "ALL", *confined(), "--tmpfs", "/tmp"),
        *(word for key, value in sorted(environment.items()) for word in ("--env", f"{key}={value}")),
        *(word for bind in binds for word in ("--mount", bind.argument)),
        image,
        *command,
    ]


def owner_of_folder(mount: Bind | NamedVolume, run: str, image: str) -> Argv:
    """Prints `uid:gid` of a folder of the host; fails where it is not there."""
    return [
        *("docker", "run", "--rm", "--pull", "never", "--label", f"{RUN_LABEL}={run}", "--network", "none"),
        *("--cap-drop", "ALL", *confined(), "--mount", mount.argument),
        *("--entrypoint", "stat", image, "-c", "%u:%g", mount.target),
    ]


def read_from_volume(volume: str, image: str, name: str) -> Argv:
    """Prints a file of a volume, by a container of `image` that is nobody, has no network and is gone at once."""
    return [
        *("docker", "run", "--rm", "--network", "none", "--cap-drop", "ALL", *confined()),
        *("--mount", f"type=volume,source={volume},target=/volume,readonly"),
        *("--entrypoint", "cat", image, f"/volume/{name}"),
    ]


def execute(container: str, command: Sequence[str], *, stdin: bool = False) -> Argv:
    """Run `command` in a running container; with `stdin`, what it reads is passed on."""
    return ["docker", "exec", *(["--interactive"] if stdin else []), container, *command]


def logs(container: str) -> Argv:
    """The container's output so far."""
    return ["docker", "logs", container]


def is_running(container: str) -> Argv:
    """Prints `true` or `false`; fails where there is no such container."""
    return ["docker", "container", "inspect", "--format", "{{.State.Running}}", container]


def status_of(container: str) -> Argv:
    """Prints `created`, `running`, `exited` and the like; fails where there is no such container."""
    return ["docker", "container", "inspect", "--format", "{{.State.Status}}", container]


def remove_container(container: str) -> Argv:
    """Kill and remove."""
    return ["docker", "rm", "--force", "--volumes", container]


def remove_volume(name: str) -> Argv:
    """Remove a volume that no container uses."""
    return ["docker", "volume", "rm", name]


def remove_network(name: str) -> Argv:
    """Remove a network that no container is on."""
    return ["docker", "network", "rm", name]


def runs_of(noun: str) -> Argv:
    """The runs that have a container, volume or network (`noun`) here, one a line, each as often as it has."""
    everything = ["--all"] if noun == "container" else []
    shown = f'{{{{.Label "{RUN_LABEL}"}}}}'
    return ["docker", noun, "ls", *everything, "--filter", f"label={RUN_LABEL}", "--format", shown]


def describe_engine() -> Argv:
    """Prints what the engine says of itself and its host, as JSON."""
    return ["docker", "info", "--format", "{{json .}}"]


def cpus_in_use() -> Argv:
    """Prints the CPUs that ranks of each run here are bound to, a list such as `0-3,8` a line."""
    shown = f'{{{{.Label "{CPUS_LABEL}"}}}}'
    return ["docker", "container", "ls", "--filter", f"label={CPUS_LABEL}", "--format", shown]


def list_of_run(noun: str, run: str) -> Argv:
    """Names of the run's own: `noun` is `container`, `volume` or `network`."""
    names = {"container": "{{.Names}}", "volume": "{{.Name}}", "network": "{{.Name}}"}
    everything = ["--all"] if noun == "container" else []
    return ["docker", noun, "ls", *everything, "--filter", f"label={RUN_LABEL}={run}", "--format", names[noun]]
