"""A stand-in for a host's engine: containers, volumes and networks by run, in memory, asked by command lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from toolkit.containers.engine import Engine
from toolkit.errors import Code, ToolkitError
from toolkit.process import Result

NOUNS = ("container", "volume", "network")


@dataclass
class StandInHost:
    """Things are (noun, run, name). `running` are the containers that run; `says` answers other command lines.

    Attributes:
        away: the host cannot be reached; `stopped`: its engine does not answer.
        stuck: names that cannot be removed.
    """

    name: str = "this machine"
    things: list[tuple[str, str, str]] = field(default_factory=list)
    running: set[str] = field(default_factory=set)
    says: Callable[[Sequence[str]], str | None] = lambda _: None
    away: bool = False
    stopped: bool = False
    stuck: Iterable[str] = ()

    @property
    def engine(self) -> Engine:
        return Engine(self)  # type: ignore[arg-type]

    def run(self, argv: Sequence[str], *, data: bytes | None = None, timeout: float | None = None) -> Result:
        if self.away:
            raise ToolkitError(Code.RESOURCES, f"{self.name} does not answer")
        if self.stopped:
            return Result(tuple(argv), 1, "", "Cannot connect to the Docker daemon")
        status, said = self._answer(list(argv))
        return Result(tuple(argv), status, said if status == 0 else "", "" if status == 0 else said)

    def _answer(self, argv: list[str]) -> tuple[int, str]:
        if (said := self.says(argv)) is not None:
            return 0, said
        match argv[1:]:
            case ["container", "inspect", *_, name]:
                found = [one for one in self.things if one[0] == "container" and one[2] == name]
                words = ("exited", "running") if "{{.State.Status}}" in argv else ("false", "true")
                return (0, words[name in self.running]) if found else (1, f"Error: No such container: {name}")
            case [noun, "ls", *_, "label=toolkit.run", "--format", _]:
                return 0, "".join(f"{run}\n" for one, run, _ in self.things if one == noun)
            case ["image", "ls", *_]:
                return 0, ""
            case ["volume", "ls", "--filter", word, *_] if word.startswith("name="):
                part = word.removeprefix("name=")
                return 0, "".join(f"{name}\n" for one, _, name in self.things if one == "volume" and part in name)
            case [noun, "ls", *words]:
                wanted = words[words.index("--filter") + 1].removeprefix("label=toolkit.run=")
                return 0, "".join(f"{name}\n" for one, run, name in self.things if (one, run) == (noun, wanted))
            case ["rm", *_, name]:
                return self._remove("container", name)
            case [noun, "rm", name]:
                return self._remove(noun, name)
        raise AssertionError(argv)

    def _remove(self, noun: str, name: str) -> tuple[int, str]:
        if name in self.stuck:
            return 1, "device or resource busy"
        self.things = [one for one in self.things if (one[0], one[2]) != (noun, name)]
        return 0, ""


def things_of(run: str, *names: str) -> list[tuple[str, str, str]]:
    """The containers `toolkit-RUN-NAME`, the volume and the network of a run."""
    containers = [("container", run, f"toolkit-{run}-{name}") for name in names]
    return [*containers, ("volume", run, f"toolkit-{run}"), ("network", run, f"toolkit-{run}")]
