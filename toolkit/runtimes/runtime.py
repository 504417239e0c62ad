"""What the tool asks of a container runtime: a protocol, of which `docker` is the first implementation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

from toolkit.runtimes.specs import AgentContainerSpec, Argv, Bind, LearnerContainerSpec, NamedVolume, Noun

Failure = Literal["away", "silent", "container gone", "refused"]
"""Why a command failed: the runtime does not answer; it said nothing, as one that is being stopped; the container is
not there or does not run; anything else."""


class StartsContainers(Protocol):
    """The containers of a run. Each method but the last three starts one that goes on by itself.

    What every implementation guarantees:

    - a container has its name, and `run` as its label, from its first moment: what a killed client leaves is found;
    - no program in it gains a privilege that it was not started with, and it has at most `OWN_PROCESSES` processes and
      threads, a learner as many as its limits say;
    - it has no capability but those that its method names, and sees no folder of the host but those that it is given;
    - an option that the runtime cannot carry out is an error, and never left out.
    """

    def start_agent(self, spec: AgentContainerSpec) -> Argv:
        """A run's agent: root with DAC_OVERRIDE, CHOWN and FOWNER, no network, no device, `/run/private` in memory.

        It is removed when its command ends: no one else may be there to do it.
        """
        ...

    def start_side_container(
        self, name: str, run: str, image: str, binds: Sequence[Bind], command: Sequence[str]
    ) -> Argv:
        """The container with keys and mounts: as an agent's, with SYS_ADMIN and /dev/fuse, on the host's network.

        A FUSE mount that it makes below a `rshared` bind shows in containers that have the folder as `rslave`.
        """
        ...

    def start_store(
        self,
        name: str,
        run: str,
        image: str,
        mounts: Sequence[Bind | NamedVolume],
        owner: str,
        command: Sequence[str],
    ) -> Argv:
        """An S3 server over folders: the user `owner` (uid:gid), no capability, the host's network, a read-only root
        with /tmp and /run/private in memory. It is removed when its command ends."""
        ...

    def start_learner(self, spec: LearnerContainerSpec) -> Argv:
        """A learner: the image's unprivileged user, no capability, 1 GiB of shared memory. It stays when its command
        has ended, with its exit status, until it is removed."""
        ...

    def start_relay(self, name: str, shipment: str, image: str, private: str, command: Sequence[str]) -> Argv:
        """What takes an image and passes it on: no capability, the host's network, a read-only root, `private` in
        memory, and at /archive disk space that goes with it. It is removed when its command ends."""
        ...

    def check_in_image(
        self,
        image: str,
        run: str,
        owner: str,
        binds: Sequence[Bind],
        environment: Mapping[str, str],
        command: Sequence[str],
    ) -> Argv:
        """Runs `command` once, to its end, as the user `owner` (uid:gid), with no network and no capability.

        The files belong to the operator, who may keep them from others. Nothing stays behind.
        """
        ...

    def owner_of_folder(self, mount: Bind | NamedVolume, run: str, image: str) -> Argv:
        """Prints `uid:gid` of a folder; fails where it is not there. Fetches no image."""
        ...

    def read_from_volume(self, volume: str, image: str, name: str) -> Argv:
        """Prints a file of a volume, by a container of `image` that has no network and is gone at once."""
        ...


class UsesContainers(Protocol):
    """What is done with containers that are there, and with all that carries a run's label.

    What every implementation guarantees: names come one a line; a list holds what is there at that moment, whoever
    made it, also containers that have ended.
    """

    def execute(self, container: str, command: Sequence[str], *, stdin: bool = False) -> Argv:
        """Runs `command` in a running container, with its output, errors and status; with `stdin`, what it reads is
        passed on. Files are copied in by a program that reads them there."""
        ...

    def logs(self, container: str) -> Argv:
        """Prints the container's output so far."""
        ...

    def status_of(self, container: str) -> Argv:
        """Prints `created`, `running`, `paused`, `restarting`, `exited` or `dead`; fails where there is no such
        container, with what `is_absent` knows."""
        ...

    def cpus_in_use(self) -> Argv:
        """Prints the CPUs that ranks of each run here are bound to, a list such as `0-3,8` a line."""
        ...

    def list_of_run(self, noun: Noun, run: str) -> Argv:
        """Prints the names of the run's containers, volumes or networks."""
        ...

    def runs_of(self, noun: Noun) -> Argv:
        """Prints the run of each container, volume or network here that has one."""
        ...

    def remove(self, noun: Noun, name: str) -> Argv:
        """Removes a container, killing it, or a volume or network that nothing uses. Succeeds only once it is gone."""
        ...


class KeepsVolumes(Protocol):
    """Volumes and networks of a run, and where the runtime keeps and offers them."""

    def create_volume(self, name: str, run: str) -> Argv:
        """Makes a volume with the run's label, in a folder from which mounts can reach containers."""
        ...

    def create_export_volume(self, name: str, run: str, server: str, path: str, *, read_only: bool = True) -> Argv:
        """Makes a volume that is `path` of an NFS server, mounted when a container first uses it."""
        ...

    def volume_folder(self, name: str) -> Argv:
        """Prints the host's folder of a volume."""
        ...

    def volumes_folder(self) -> Argv:
        """Prints the host's folder below which all volumes lie: the volume v in `v/_data`."""
        ...

    def socket(self) -> Argv:
        """Prints where the runtime offers Docker's HTTP API 1.40, as a URL or a path: the run's agent uses it."""
        ...

    def describe(self) -> Argv:
        """Prints what the runtime says of itself and its host, as JSON that `toolkit.doctor.parse_engine` reads."""
        ...

    def create_network(self, name: str, run: str) -> Argv:
        """Makes a private network with the run's label, on which learners find each other by their names."""
        ...

    def network_subnet(self, name: str) -> Argv:
        """Prints the network's CIDR."""
        ...


class HoldsImages(Protocol):
    """The images of a host. What every implementation guarantees: an image keeps its id on its way to another host."""

    def inspect_images(self, images: Sequence[str]) -> Argv:
        """Prints for each of `images` that is there a line of JSON: `id`, `names`, and `layers`, their diff ids from
        the lowest up. The status is not 0 where one is not there, and that is what `is_absent` knows."""
        ...

    def list_images(self) -> Argv:
        """Prints the ids of all images, the newest first."""
        ...

    def load_image(self) -> Argv:
        """Takes in the archive that it reads, as `docker save` writes it; what is broken off leaves no image."""
        ...

    def load_image_from(self, container: str, command: Sequence[str]) -> Argv:
        """Takes in the archive that `command` prints in a running container."""
        ...

    def tag_image(self, image: str, name: str) -> Argv:
        """Gives an image one name more."""
        ...

    def untag_image(self, name: str) -> Argv:
        """Takes a name away, and the image where it was its last."""
        ...

    def pull_image(self, name: str) -> Argv:
        """Fetches an image from its registry."""
        ...


class ContainerRuntime(StartsContainers, UsesContainers, KeepsVolumes, HoldsImages, Protocol):
    """The command lines of a container runtime. Pure: `toolkit.containers.engine.Engine` runs them on a host.

    Each method returns one command line, and says what that does or prints. Its status is 0 only where all of it was
    done; what went wrong is on its standard error. A runtime without a client of its own may return `sh -c`, with every
    value as a word of its own.

    It is registered under its name in `toolkit.runtimes.registry.RUNTIMES`, which is what a cluster file says as
    `container_engine`.
    """

    @property
    def program(self) -> str:
        """The client's command, which takes Docker's words: leases and the doctor's probes are written with those."""
        ...

    @property
    def oldest(self) -> str:
        """The oldest version that works."""
        ...

    @property
    def makes_bound_folders(self) -> bool:
        """Whether `start_agent` makes the folder of the volume; if not, the volume is created first."""
        ...

    @property
    def takes_partial_images(self) -> bool:
        """Whether `load_image` takes an archive without layers that the host has."""
        ...

    def failure(self, said: str) -> Failure:
        """Why a command failed, from what it said."""
        ...

    def is_absent(self, said: str) -> bool:
        """Whether a command failed because the container or image that it names is not there."""
        ...
