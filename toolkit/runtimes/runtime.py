"""What the tool needs from a container runtime: a protocol; `docker` is the first implementation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

from toolkit.process import Result
from toolkit.runtimes.specs import AgentContainerSpec, Argv, Bind, LearnerContainerSpec, Limits, NamedVolume, Noun

Failure = Literal["away", "silent", "container gone", "refused"]
"""Why a command failed: the runtime does not respond; it printed nothing, like one that is being stopped; the
container does not exist or does not run; anything else."""


class ContainerRuntime(Protocol):
    """The command lines of a container runtime. Pure: `toolkit.containers.engine.Engine` runs them on a host.

    Each method returns one command line; its docstring says what that does or prints. Its status is 0 only if
    everything was done; errors are on its standard error. A runtime without its own client may return `sh -c`, with
    every value as a separate word.

    It is registered in `toolkit.runtimes.registry.RUNTIMES` under the name that a cluster file has as
    `container_engine`.
    """

    @property
    def program(self) -> str:
        """The client's command, with Docker's command line, which leases and the doctor's probes use."""

    @property
    def oldest(self) -> str:
        """The oldest supported version."""

    @property
    def makes_bound_folders(self) -> bool:
        """Whether `start_agent` creates the volume's folder; if not, the volume is created first."""

    @property
    def takes_partial_images(self) -> bool:
        """Whether `load_image` accepts an archive without the layers that the host has."""

    def failure(self, result: Result) -> Failure:
        """Why a command failed, from its output and its status."""

    def is_absent(self, said: str) -> bool:
        """Whether a command failed because its container or image does not exist."""

    # The containers of a run. Each `start_…` starts one that keeps running.
    #
    # What every implementation guarantees:
    #
    # - a container has its name, and `run` as its label, from the start: what a killed client leaves can be found;
    # - no program in it gains privileges that it was not started with, and it has at most `OWN_PROCESSES` processes and
    #   threads; for a learner, its limits apply;
    # - it has only the capabilities that its method lists, and sees only the host folders that it is given;
    # - an option that the runtime does not support is an error, and never left out.

    def start_agent(self, spec: AgentContainerSpec) -> Argv:
        """A run's agent: root with DAC_OVERRIDE, CHOWN and FOWNER, no network, no device, `/run/private` in memory.

        It is removed when its command exits: possibly no one else is there to do it.
        """

    def start_side_container(
        self, name: str, run: str, image: str, binds: Sequence[Bind], command: Sequence[str]
    ) -> Argv:
        """The container with keys and mounts: like an agent's, with SYS_ADMIN and /dev/fuse, on the host's network.

        A FUSE mount that it makes below a `rshared` bind is visible in containers with the folder as `rslave`.
        """

    def start_store(
        self,
        name: str,
        run: str,
        image: str,
        mounts: Sequence[Bind | NamedVolume],
        owner: str,
        command: Sequence[str],
    ) -> Argv:
        """An S3 server for folders: the user `owner` (uid:gid), no capability, the host's network, a read-only root
        with /tmp and /run/private in memory. It is removed when its command exits."""

    def start_learner(self, spec: LearnerContainerSpec) -> Argv:
        """A learner: the image's unprivileged user, no capability, 1 GiB of shared memory. It remains after its command
        has exited, with the exit status, until it is removed."""

    def start_relay(self, name: str, shipment: str, image: str, private: str, command: Sequence[str]) -> Argv:
        """Receives an image and forwards it: no capability, the host's network, a read-only root, `private` in
        memory, and at /archive disk space that is removed with it. It is removed when its command exits."""

    def check_in_image(
        self,
        image: str,
        run: str,
        owner: str,
        binds: Sequence[Bind],
        environment: Mapping[str, str],
        command: Sequence[str],
    ) -> Argv:
        """Runs `command` once, until it exits, as the user `owner` (uid:gid), with no network and no capability.

        The files belong to the operator, and may be private. Nothing remains.
        """

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
        """Runs `command` as `check_in_image` does, with a read-only root and `limits`, and passes on its input, output
        and errors meanwhile, which are logged nowhere. It ends with its input, and nothing remains."""

    def owner_of_folder(self, mount: Bind | NamedVolume, run: str, image: str) -> Argv:
        """Prints `uid:gid` of a folder; fails if it does not exist. Pulls no image."""

    def read_from_volume(self, volume: str, image: str, name: str) -> Argv:
        """Prints a file of a volume, from a container of `image` without network that is removed immediately."""

    # What is done with existing containers, and with everything that has a run's label.
    #
    # What every implementation guarantees: names are printed one per line; a list has what exists at that moment,
    # whoever created it, including containers that have exited.

    def execute(self, container: str, command: Sequence[str], *, stdin: bool = False) -> Argv:
        """Runs `command` in a running container and passes on its output, errors and status; with `stdin`, also its
        input. Files are copied in by a program that reads them from there."""

    def logs(self, container: str) -> Argv:
        """Prints the container's output so far."""

    def status_of(self, container: str) -> Argv:
        """Prints `created`, `running`, `paused`, `restarting`, `exited` or `dead`; fails if the container does not
        exist, with a message that `is_absent` recognizes."""

    def cpus_in_use(self) -> Argv:
        """Prints the CPUs that ranks of each run here are bound to, one list such as `0-3,8` per line."""

    def list_of_run(self, noun: Noun, run: str) -> Argv:
        """Prints the names of the run's containers, volumes or networks."""

    def runs_of(self, noun: Noun) -> Argv:
        """Prints the run of each container, volume or network here that belongs to one."""

    def volumes_named(self, part: str) -> Argv:
        """Prints the names of all volumes, whoever's they are, with `part` in their name."""

    def remove(self, noun: Noun, name: str) -> Argv:
        """Removes a container (killing it), or an unused volume or network. Succeeds only once it is gone."""

    # Volumes and networks of a run, and the runtime's folders and socket.

    def create_volume(self, name: str, run: str) -> Argv:
        """Creates a volume with the run's label, in a folder from which mounts can reach containers."""

    def create_export_volume(self, name: str, run: str, server: str, path: str, *, read_only: bool = True) -> Argv:
        """Creates a volume that is `path` of an NFS server, mounted when a container first uses it."""

    def volume_folder(self, name: str) -> Argv:
        """Prints the host's folder of a volume."""

    def volumes_folder(self) -> Argv:
        """Prints the host's folder with all volumes: the volume v is in `v/_data`."""

    def socket(self) -> Argv:
        """Prints where the runtime serves Docker's HTTP API, as a URL or a path: the run's agent uses it."""

    def describe(self) -> Argv:
        """Prints the runtime's description of itself and its host, as JSON for `toolkit.doctor.topics.engine`."""

    def create_network(self, name: str, run: str) -> Argv:
        """Creates a private network with the run's label, on which learners find each other by name."""

    def network_subnet(self, name: str) -> Argv:
        """Prints the network's CIDR."""

    # The images of a host. What every implementation guarantees: an image keeps its id when copied to another host.

    def inspect_images(self, images: Sequence[str]) -> Argv:
        """Prints a line of JSON for each of `images` that exists: `id`, `names`, and `layers`, their diff ids from
        the lowest up. The status is not 0 if one does not exist, with a message that `is_absent` recognizes."""

    def list_images(self) -> Argv:
        """Prints the ids of all images, newest first."""

    def load_image(self) -> Argv:
        """Loads the archive from its input, as written by `docker save`; a truncated one leaves no image."""

    def load_image_from(self, container: str, command: Sequence[str]) -> Argv:
        """Loads the archive that `command` prints in a running container."""

    def tag_image(self, image: str, name: str) -> Argv:
        """Gives an image another name."""

    def untag_image(self, name: str) -> Argv:
        """Removes a name, and the image if it was its last."""

    def pull_image(self, name: str) -> Argv:
        """Pulls an image from its registry."""
