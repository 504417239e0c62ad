"""A second container runtime, tiny: its containers are entries of a dictionary in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from toolkit.process import Result
from toolkit.runtimes.runtime import Failure
from toolkit.runtimes.specs import AgentContainerSpec, Argv, Bind, LearnerContainerSpec, Noun


class Box:
    """What a launch on hosts needs of a runtime. Its client is `box`."""

    program = "box"
    oldest = "1"
    makes_bound_folders = False
    takes_partial_images = False

    def failure(self, result: Result) -> Failure:
        return "away" if result.said == "the lid is closed" else "refused"

    def is_absent(self, said: str) -> bool:
        return said.startswith("no box ")

    def start_agent(self, spec: AgentContainerSpec) -> Argv:
        return ["box", "add", "container", spec.name, spec.run, "agent", *spec.command]

    def start_side_container(
        self, name: str, run: str, image: str, binds: Sequence[Bind], command: Sequence[str]
    ) -> Argv:
        return ["box", "add", "container", name, run, "side", *command]

    def start_learner(self, spec: LearnerContainerSpec) -> Argv:
        return ["box", "add", "container", spec.name, spec.run, f"learner in {spec.image}", *spec.command]

    def execute(self, container: str, command: Sequence[str], *, stdin: bool = False) -> Argv:
        return ["box", "exec", container, *command]

    def create_volume(self, name: str, run: str) -> Argv:
        return ["box", "add", "volume", name, run, ""]

    def volumes_folder(self) -> Argv:
        return ["box", "say", "/boxes"]

    def socket(self) -> Argv:
        return ["box", "say", "/run/box.sock"]

    def status_of(self, container: str) -> Argv:
        return ["box", "status", container]

    def list_of_run(self, noun: Noun, run: str) -> Argv:
        return ["box", "list", noun, run]

    def runs_of(self, noun: Noun) -> Argv:
        return ["box", "runs", noun]

    def volumes_named(self, part: str) -> Argv:
        return ["box", "named", "volume", part]

    def remove(self, noun: Noun, name: str) -> Argv:
        return ["box", "remove", noun, name]


@dataclass
class BoxHost:
    """A host with the runtime `Box`, as its shell. `things` are by noun and name the run and what it is."""

    name: str
    things: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    added: list[Argv] = field(default_factory=list)
    executed: list[tuple[str, ...]] = field(default_factory=list)
    closed: bool = False
    says: str = ""
    """What every command executed in a container prints."""

    def run(self, argv: Sequence[str], *, data: bytes | None = None, timeout: float | None = None) -> Result:
        status, said = self._answer(list(argv))
        return Result(tuple(argv), status, "" if status else said, said if status else "")

    def feed(self, argv: Sequence[str], pieces: Iterable[bytes]) -> Result:
        return self.run(argv, data=b"".join(pieces))

    def stream(self, argv: Sequence[str], on_line: Callable[[str], None]) -> int:
        return self.run(argv).status

    @contextmanager
    def read(self, argv: Sequence[str]) -> Iterator[Iterator[bytes]]:
        yield iter([self.run(argv).output.encode()])

    @contextmanager
    def forward(self, port: int) -> Iterator[int]:
        yield port

    def close(self) -> None:
        """Nothing to close."""

    def _answer(self, argv: list[str]) -> tuple[int, str]:
        if self.closed:
            return 1, "the lid is closed"
        match argv[1:]:
            case ["add", noun, name, run, kind, *_]:
                self.added.append(argv)
                self.things[noun, name] = (run, kind)
            case ["exec", name, *command]:
                self.executed.append((name, *command))
                return (0, self.says) if ("container", name) in self.things else (1, f"no box {name}")
            case ["say", text]:
                return 0, text
            case ["status", name]:
                return (0, "running") if ("container", name) in self.things else (1, f"no box {name}")
            case ["list", noun, run]:
                return 0, "".join(
                    f"{name}\n" for (one, name), (of, _) in self.things.items() if (one, of) == (noun, run)
                )
            case ["runs", noun]:
                return 0, "\n".join(of for (one, _), (of, _) in self.things.items() if one == noun)
            case ["named", noun, part]:
                return 0, "\n".join(name for (one, name) in self.things if one == noun and part in name)
            case ["remove", noun, name]:
                return (0, "") if self.things.pop((noun, name), None) else (1, f"no box {name}")
            case _:
                raise AssertionError(argv)
        return 0, ""
