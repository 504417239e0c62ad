"""Docker's command lines, as values: the first `ContainerRuntime`. Nothing here runs anything."""

from __future__ import annotations

import re
from collections.abc import Sequence

from toolkit.process import Result
from toolkit.runtimes.docker_run import DockerRun
from toolkit.runtimes.runtime import Failure
from toolkit.runtimes.specs import CPUS_LABEL, RUN_LABEL, Argv, Noun
from toolkit.shell_files import shell_program

_AWAY = (
    *("Cannot connect to the Docker daemon", "permission denied while trying to connect", "no such command"),
    # a client's messages while its engine is being stopped
    *("error during connect", "unknown server OS: .", "indirection through nil pointer to embedded struct field Info"),
)
_NO_SOCKET = re.compile(r"bind source path does not exist: \S+\.sock\b")  # its own, which an agent binds
_CONTAINER_GONE = ("No such container", "is not running", "cannot exec in a stopped", "container that has stopped")
_KILLED = 137
"""The status of a client whose command got SIGKILL; one in a running container gets it with its container."""
# Nothing is filled into shell text: engine, container and command are passed as separate words.
_PIPE = shell_program("toolkit.runtimes", "load_image_from.sh")


class Docker(DockerRun):
    """Docker Engine 20.10 and later; `ContainerRuntime` says what each method guarantees. A runtime with Docker's
    command line is a subclass with another `program`."""

    oldest = "20.10"
    makes_bound_folders = True
    takes_partial_images = True

    def failure(self, result: Result) -> Failure:
        said = result.said
        if any(words in said for words in _AWAY) or _NO_SOCKET.search(said):
            return "away"
        is_killed = result.status == _KILLED and result.argv[1:2] == ("exec",)
        if is_killed or any(words in said for words in _CONTAINER_GONE):
            return "container gone"
        # The client of an engine that is being stopped prints nothing.
        return "refused" if said else "silent"

    def is_absent(self, said: str) -> bool:
        return "no such" in said.lower() and "no such command" not in said

    def execute(self, container: str, command: Sequence[str], *, stdin: bool = False) -> Argv:
        return [self.program, "exec", *(["--interactive"] if stdin else []), container, *command]

    def logs(self, container: str) -> Argv:
        return [self.program, "logs", container]

    def status_of(self, container: str) -> Argv:
        return [self.program, "container", "inspect", "--format", "{{.State.Status}}", container]

    def cpus_in_use(self) -> Argv:
        shown = f'{{{{.Label "{CPUS_LABEL}"}}}}'
        return [self.program, "container", "ls", "--filter", f"label={CPUS_LABEL}", "--format", shown]

    def list_of_run(self, noun: Noun, run: str) -> Argv:
        return list_names(self.program, noun, f"{RUN_LABEL}={run}")

    def runs_of(self, noun: Noun) -> Argv:
        return list_values(self.program, noun, RUN_LABEL)

    def volumes_named(self, part: str) -> Argv:
        return [self.program, "volume", "ls", "--filter", f"name={part}", "--format", "{{.Name}}"]

    def remove(self, noun: Noun, name: str) -> Argv:
        if noun == "container":
            return [self.program, "rm", "--force", "--volumes", name]
        return [self.program, noun, "rm", name]

    def create_volume(self, name: str, run: str) -> Argv:
        """It is in the engine's root, which the engine makes a shared mount: FUSE mounts below it reach other
        containers."""
        return [self.program, "volume", "create", "--label", f"{RUN_LABEL}={run}", name]

    def create_export_volume(self, name: str, run: str, server: str, path: str, *, read_only: bool = True) -> Argv:
        options = ("type=nfs", f"o=addr={server},{'ro' if read_only else 'rw'}", f"device=:{path}")
        labelled = [self.program, "volume", "create", "--label", f"{RUN_LABEL}={run}", "--driver", "local"]
        return [*labelled, *(word for option in options for word in ("--opt", option)), name]

    def volume_folder(self, name: str) -> Argv:
        return [self.program, "volume", "inspect", "--format", "{{.Mountpoint}}", name]

    def volumes_folder(self) -> Argv:
        return [self.program, "info", "--format", "{{.DockerRootDir}}/volumes"]

    def socket(self) -> Argv:
        return [self.program, "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]

    def describe(self) -> Argv:
        return [self.program, "info", "--format", "{{json .}}"]

    def create_network(self, name: str, run: str) -> Argv:
        """The engine picks a free subnet."""
        return [self.program, "network", "create", "--driver", "bridge", "--label", f"{RUN_LABEL}={run}", name]

    def network_subnet(self, name: str) -> Argv:
        return [self.program, "network", "inspect", "--format", "{{(index .IPAM.Config 0).Subnet}}", name]

    def inspect_images(self, images: Sequence[str]) -> Argv:
        text = '{"id":{{json .Id}},"names":{{json .RepoTags}},"layers":{{json .RootFS.Layers}}}'
        return [self.program, "image", "inspect", "--format", text, *images]

    def list_images(self) -> Argv:
        return [self.program, "image", "ls", "--quiet", "--no-trunc"]

    def load_image(self) -> Argv:
        return [self.program, "load", "--quiet"]

    def load_image_from(self, container: str, command: Sequence[str]) -> Argv:
        return ["sh", "-c", _PIPE, "load", self.program, container, *command]

    def tag_image(self, image: str, name: str) -> Argv:
        return [self.program, "tag", image, name]

    def untag_image(self, name: str) -> Argv:
        return [self.program, "image", "rm", name]

    def pull_image(self, name: str) -> Argv:
        return [self.program, "pull", "--quiet", name]


def list_names(program: str, noun: Noun, label: str) -> Argv:
    """Prints the names of all containers, networks or volumes with `label` (`NAME=VALUE`)."""
    return _list(program, noun, label, "{{.Names}}" if noun == "container" else "{{.Name}}")


def list_values(program: str, noun: Noun, label: str) -> Argv:
    """Prints the value of `label` of all containers, networks or volumes that have it."""
    return _list(program, noun, label, f'{{{{.Label "{label}"}}}}')


def _list(program: str, noun: Noun, label: str, shown: str) -> Argv:
    every = ["--all"] if noun == "container" else []  # without it, only running containers are listed
    return [program, noun, "ls", *every, "--filter", f"label={label}", "--format", shown]
