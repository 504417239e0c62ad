"""From a command line of one of the older dialects to steps: the first on every rank, each later one once."""

from __future__ import annotations

from collections.abc import Iterator

from toolkit.manifest.commands import Command, has_lines, read_commands
from toolkit.manifest.model import Step
from toolkit.manifest.names import sounds_secret
from toolkit.manifest.told import Told
from toolkit.manifest.write import steps_lines
from toolkit.yaml_source import Path_


def steps_of(text: str, ranks: int, told: Told, path: Path_) -> tuple[Step, ...]:
    """The steps of `text`, which was checked; what means something else than in Watson ML is told, with the steps."""
    commands = read_commands(text)
    steps = tuple(_step(command, first=not index) for index, command in enumerate(commands))
    notes = [note for command, step in zip(commands, steps, strict=True) for note in _notes(command, step, ranks)]
    if has_lines(text):
        notes.append("each line is a command of its own here; Watson ML made one line of them")
    if notes:
        told.warn(path, "; ".join(notes), *steps_lines(steps))
    return steps


def _step(command: Command, *, first: bool) -> Step:
    front = command.front
    if front is None:
        return Step(command.text, "all" if first else "one")
    return Step(
        command.text,
        "all" if first or front.launcher else "one",
        environment=tuple(front.environment.items()),
        mca=tuple(front.mca.items()) if first or front.launcher else (),
    )


def _notes(command: Command, step: Step, ranks: int) -> Iterator[str]:
    front = command.front
    if front:
        if front.left_out:
            yield f"left out, as the tool sets it by itself: {', '.join(front.left_out)}"
        if front.ranks and front.ranks != ranks:
            yield f"-np {front.ranks} is left out: there are {ranks} ranks, nodes × GPUs on each"
        if front.launcher:
            yield f"`{front.launcher}` is left out: the tool starts it by itself, on every rank"
        for name in filter(sounds_secret, front.environment):
            yield f"{name} sounds like a secret, and whoever may ask the engine sees every variable"
        if front.mca and step.ranks != "all":
            yield f"left out, as it runs once and without Open MPI: {', '.join(front.mca)}"
    if command.operators and step.ranks == "all":
        yield (
            f"all of `{command.text[:60]}` runs on every rank; "
            f"in Watson ML only what stood before `{command.operators[0]}` did"
        )
