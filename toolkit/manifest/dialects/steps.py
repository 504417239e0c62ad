"""Convert a command line of one of the older dialects to steps.

What the old services did with one depended on the framework. If it had MPI (`-ddl`, `-horovod`), they put mpirun in
front of the whole text: its first command ran on every rank, each later one once. The text of any other framework was
passed whole to one bash on each node (FfDL: `eval "$TRAINING_COMMAND"` in docs/helm-charts/ffdl-core/templates/
services/learner-configmap.yml of IBM/FfDL), so that a `cd` applied to everything after it.
"""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace

from toolkit.catalogue.model import Framework
from toolkit.manifest.commands import has_lines, read_commands
from toolkit.manifest.diagnostics import Diagnostics
from toolkit.manifest.launchers.ddlrun import ddl_options
from toolkit.manifest.launchers.model import Front
from toolkit.manifest.launchers.translate import Command
from toolkit.manifest.model import Compute, Ranks, Step
from toolkit.manifest.names import sounds_secret
from toolkit.manifest.shell import AndOr, read_script
from toolkit.manifest.words import shown
from toolkit.manifest.write import steps_lines
from toolkit.yaml.source import Path_

_MPI_NAMES = ("horovod", "pytorchmpi")
"""FfDL's frameworks that mpirun was put in front of: lcm/service/lcm/container_helper_extensions.go."""
_MPI_PART = re.compile(r"(?:^|-)(?:ddl|horovod)(?=-|$)", re.IGNORECASE)
_STATE = ("cd", "pushd", "popd", "export", "unset", "source", ".", "set", "shopt", "umask", "ulimit", "alias")
_KEEPS_STATE = (*_STATE, "declare", "typeset", "readonly")
"""Commands that change the shell for the commands after them."""
_INSTALLERS = re.compile(r"(?:sudo )?(?:pip[0-9.]*|conda|apt|apt-get|python[0-9.]* -m pip) ")


def steps_of(
    text: str, framework: Framework, compute: Compute, diagnostics: Diagnostics, path: Path_, alone: Ranks = "node"
) -> tuple[Step, ...]:
    """The steps of `text`, which has been checked. If it is not obvious what runs where, a warning says so, with them.

    `alone` is how the single process of a one-rank run is started if the framework has no MPI.
    """
    commands = read_commands(text)
    launched = any(command.front for command in commands)
    if has_mpi(framework) or launched:
        first: Ranks = "all" if has_mpi(framework) or commands[0].front else "node"
        steps, notes = _one_by_one(text, commands, first, compute)
    else:
        step = Step("; ".join(command.text for command in commands), alone if compute.ranks == 1 else "node")
        steps, notes = (step,), list(_where(commands, framework, compute))
    if has_lines(text):
        notes.append("each line is a command of its own here; Watson ML made one line of them")
    if notes:
        diagnostics.warn(path, "; ".join(notes), *steps_lines(steps))
    return steps


def has_mpi(framework: Framework) -> bool:
    """Whether the old services started `framework` with mpirun, according to its name or version."""
    names = (framework.name, framework.version)
    return framework.name in _MPI_NAMES or any(_MPI_PART.search(name) for name in names)


def one_line(text: str) -> str:
    """`text` as FfDL read it: each line end becomes a space (trainer/trainer/trainer_impl.go of IBM/FfDL).

    A backslash before the line end is dropped. Raises `ValueError` if a comment would swallow lines.
    """
    lines = text.replace("\r\n", "\n").strip()
    line = lines.replace("\\\n", "  ").replace("\n", " ")
    read = read_script(line)
    comment = read[-1].end if read else 0
    if "\n" in lines[comment:] and line[comment:].lstrip(" \t;").startswith("#"):
        raise ValueError("FfDL made one line of all lines, and what follows `#` would be a comment: leave it out")
    return line


def is_several_lines(text: str) -> bool:
    """Whether `one_line` joins lines that may have been meant as separate commands."""
    lines = [line for line in text.split("\n") if line.strip()]
    pairs = itertools.pairwise(lines)
    return any(
        one.rstrip()[-1] not in ";&|\\" and not (other[:1].isspace() or other[:1] == "-") for one, other in pairs
    )


def with_continued_lines(text: str) -> str:
    """Watson ML's `command: >`: join lines indented further, whose line ends YAML keeps, or starting with an option.

    Such a line continues the command before it. Raises `ValueError` as `read_script` does.
    """
    line, ends = text.strip(), set[int]()
    for before, one in itertools.pairwise(read_script(line)):
        between = line[before.end : one.start]
        if "\n" in between and not between.strip() and (between[-1] != "\n" or line[one.start] == "-"):
            ends.update(range(before.end, one.start))
    return "".join(" " if index in ends else character for index, character in enumerate(line))


def _where(commands: Sequence[Command], framework: Framework, compute: Compute) -> Iterator[str]:
    """What runs where, if that is ambiguous because of several nodes or GPUs."""
    if compute.ranks == 1:
        return
    each = f"on each of {compute.nodes} nodes" if compute.nodes > 1 else "on the node"
    gpus = f", with its {compute.gpus_per_node} GPUs" if compute.gpus_per_node > 1 else ""
    what = "; ".join(command.text for command in commands)
    yield (
        f"`{what[:60]}` runs once {each}{gpus}, without MPI, as {framework.name} without -ddl or -horovod did; "
        f"for {'a rank on each GPU' if compute.gpus_per_node else 'several ranks'} give steps with `ranks: all`"
    )


def _one_by_one(
    text: str, commands: Sequence[Command], first: Ranks, compute: Compute
) -> tuple[tuple[Step, ...], list[str]]:
    """A step for each command; state-changing commands such as `cd` are repeated before every later command."""
    steps, notes, before, last = list[Step](), list[str](), list[str](), len(commands) - 1
    for index, (command, one) in enumerate(zip(commands, read_script(text), strict=True)):
        states = _states(text, one)
        if len(states) == len(one.pipelines) and index != last:
            before += states
            continue
        launched = any(earlier.front for earlier in commands[:index])
        where: Ranks = first if not steps or (first == "node" and not launched) else "one"
        step = _step(command, where, compute)
        notes += _notes(command, step, compute)
        steps.append(_behind(before, step))
        before += states if index != last else []
    if before:
        notes.append(f"each command has its own bash, and `{'; '.join(before)[:60]}` is run in front of each")
    if len(steps) > 1 and steps[0].ranks == "all" and _INSTALLERS.match(steps[0].command):
        once = steps[1].command[:60]
        notes.append(f"`{steps[0].command[:60]}` runs on {compute.ranks} ranks, and `{once}` once, on the first node")
    return tuple(steps), notes


def _behind(before: Sequence[str], step: Step) -> Step:
    """The step with `before` run in front of it. Its folder is then relative to where these have led."""
    if not before:
        return step
    folder = [f"cd {shlex.quote(step.folder)}"] if step.folder else []
    return replace(step, command="; ".join([*before, *folder, step.command]), folder="")


def _states(text: str, one: AndOr) -> list[str]:
    """The leading parts that only change the shell for what follows."""
    found = list[str]()
    for pipeline, operator in zip(one.pipelines, (*one.operators, "&&"), strict=True):
        part = pipeline.parts[0]
        changes = part.words[0].value in _KEEPS_STATE if part.words else bool(part.assignments)
        if len(pipeline.parts) > 1 or operator != "&&" or not changes:
            break
        found.append(text[pipeline.start : pipeline.end])
    return found


def _step(command: Command, where: Ranks, compute: Compute) -> Step:
    front = command.front
    if front is None:
        return Step(command.text, where)
    ranks: Ranks = "all" if front.launcher else where
    ddl = {"DDL_OPTIONS": ddl_options(front.ddl_mode, compute)} if front.ddl_mode else {}
    return Step(
        command.text,
        ranks,
        folder=front.folder,
        environment=tuple((front.environment | ddl).items()),
        mca=tuple(front.mca.items()) if ranks == "all" else (),
    )


def other_counts(front: Front, compute: Compute) -> Iterator[str]:
    """A sentence for each count of a launcher's flags that differs here."""
    each = ", nodes × GPUs on each" if compute.gpus_per_node else ""
    here = {
        "ranks": (compute.ranks, f"there are {compute.ranks} ranks{each}"),
        "per node": (compute.ranks_per_node, f"ranks on each node here: {compute.ranks_per_node}"),
        "nodes": (compute.nodes, f"nodes here: {compute.nodes}"),
    }
    for count in front.counts:
        number, what = here[count.what]
        if not count.least <= number <= count.most:
            yield f"{count.shown} is left out: {what}"


def _notes(command: Command, step: Step, compute: Compute) -> Iterator[str]:
    front = command.front
    if front:
        if front.left_out:
            yield f"left out, as the tool sets it by itself: {', '.join(front.left_out)}"
        yield from other_counts(front, compute)
        if front.launcher:
            yield f"`{front.launcher}` is left out: the tool starts the ranks by itself"
        for name in filter(sounds_secret, front.environment):
            yield f"{name} sounds like a secret, and whoever may ask the engine sees every variable"
        if front.mca and step.ranks != "all":
            yield f"left out, as it runs once and without Open MPI: {', '.join(front.mca)}"
    if command.joint and step.ranks == "all":
        yield (
            f"all of `{shown(command.text)[:60]}` runs on every rank; "
            f"in Watson ML only what stood before `{command.joint}` did"
        )
