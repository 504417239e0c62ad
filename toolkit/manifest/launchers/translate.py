"""A command with a launcher, as each rank runs it: the launcher's program, and what the run does instead. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from toolkit.manifest.launchers import mpirun
from toolkit.manifest.launchers.find import Found, launcher_at
from toolkit.manifest.launchers.model import Front
from toolkit.manifest.launchers.read import OptionReader
from toolkit.manifest.names import RANK_VARIABLES
from toolkit.manifest.programs import program_name, started_by
from toolkit.manifest.shell import AndOr, Simple
from toolkit.manifest.words import Word

LOCAL_RANK = "--local_rank=$LOCAL_RANK"
_ON_EVERY_RANK = (
    *("cd", "pwd", "export", "unset", "set", "shopt", "ulimit", "umask", ".", "source", "true", ":", "test"),
    *("[", "echo", "printf", "hostname", "date", "env", "printenv", "nvidia-smi", "ls", "mkdir", "which"),
    *("module", "ml", "conda"),
)
"""What may run on every rank besides the program: it prepares its shell, or prints something."""
_OF_LAUNCHERS = re.compile(r"\$\{?((?:SLURM_|MV2_COMM_WORLD_)\w+|PMI_(?:RANK|SIZE|LOCAL_RANK)|MPI_LOCALRANKID)")
_INSTEAD = {
    ("SLURM_PROCID", "PMI_RANK", "MV2_COMM_WORLD_RANK"): "$RANK",
    ("SLURM_LOCALID", "PMI_LOCAL_RANK", "MV2_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID"): "$LOCAL_RANK",
    ("SLURM_NTASKS", "SLURM_NPROCS", "PMI_SIZE", "MV2_COMM_WORLD_SIZE"): "$WORLD_SIZE",
    ("SLURM_NTASKS_PER_NODE", "SLURM_TASKS_PER_NODE", "MV2_COMM_WORLD_LOCAL_SIZE"): "$LOCAL_WORLD_SIZE",
    ("SLURM_NNODES", "SLURM_JOB_NUM_NODES"): "$NUM_LEARNERS",
    ("SLURM_NODEID",): "$LEARNER_ID, the first of which is 1",
    ("SLURM_GPUS_ON_NODE",): "$GPU_COUNT",
}

_BOTH = "give both as execution.steps, each with its `ranks`"

_Edit = tuple[int, int, str]


@dataclass(frozen=True)
class Command:
    """A command as a rank runs it: its text without a launcher and its flags, these as `front`.

    `joint` is the first operator between its parts, such as `&&` or `|`; empty if it has one part.
    """

    text: str
    front: Front | None
    joint: str


def translated(text: str, one: AndOr) -> Command:
    """The command `one` of `text`, without its launchers.

    Raises `ValueError` if a launcher's options are unknown or mean what a run does not have, if something beside it
    would run on every rank and does more than prepare, or if it reads variables that the launcher would set per rank.
    """
    first = one.pipelines[0].parts[0]
    flags: Front | None = None
    edits: list[_Edit] = []
    after = 0
    if first.words and first.words[0].value.startswith("-"):  # mpirun's flags without `mpirun`
        flags = Front()
        reader = OptionReader(text, first.words, 0, mpirun.LAUNCHER, flags)
        reader.read()
        after, edits = reader.at, [_cut(text, first.words, 0, reader.at, "")]
    found = flags
    parts = [part for pipeline in one.pipelines for part in pipeline.parts]
    for part in parts:
        front, more = _launched(text, part, *((after, flags) if part is first else (0, None)))
        if front and found is not flags:
            raise ValueError(f"`{front.launcher}`: a command has one launcher; make each a step: execution.steps")
        found, edits = front or found, [*edits, *more]
        if front:
            _refuse_company(text, one, [other for other in parts if other is not part], front.launcher)
    command = text[: one.end]
    for start, end, new in sorted(edits, reverse=True):
        command = command[:start] + new + command[end:]
    command = command[one.start :].lstrip() if edits else command[one.start :]
    if found and found.launcher and (match := _OF_LAUNCHERS.search(command)):  # they would be empty
        instead = next((new for names, new in _INSTEAD.items() if match[1] in names), "")
        hint = f"the run sets {instead}" if instead else "leave it out, or set it in `environment`"
        raise ValueError(f"`{match[0]}`: nothing sets it, as the tool starts the ranks: {hint}")
    return Command(command, found, next(iter((*one.pipelines[0].joints, *one.operators)), ""))


def _launched(text: str, part: Simple, at: int, flags: Front | None) -> tuple[Front | None, list[_Edit]]:
    """The front of a simple command, and the edits to its text; launchers may start launchers (`srun torchrun`), and
    `flags` of mpirun may precede them, up to the word `at`."""
    front: Front | None = None
    edits: list[_Edit] = []
    while at < len(part.words) and (started := started_by(part.words[at:])) is not None:
        begin = at + started
        found = launcher_at(part.words, begin)
        if found is None:
            break
        _refuse_own_variables(text[part.start : part.end][:40], part.words[at:begin])
        front, at, more = _read(text, part.words, begin, found, front or flags)
        edits += more
    if front is not None:
        edits += _own_variables(text, part, front)
    return front, edits


def _read(
    text: str, words: Sequence[Word], begin: int, found: Found, outer: Front | None
) -> tuple[Front, int, list[_Edit]]:
    """One launcher's options; the counts of an `outer` one were launchers, not ranks."""
    launcher = found.launcher
    front = Front(found.name, python=launcher.python, local_rank=launcher.local_rank)
    if outer:
        front.launcher = f"{outer.launcher} {found.name}".lstrip()
        front.environment, front.mca, front.folder = outer.environment, outer.mca, outer.folder
        front.ddl_mode = outer.ddl_mode
        front.left_out = [*outer.left_out, *(count.shown for count in outer.counts)]
    reader = OptionReader(text, words, found.after, launcher, front)
    reader.read()
    if any(word.literal and word.value == ":" for word in words[reader.at :]):
        what = "several programs at once are not run here: each command is one program"
        raise ValueError(f"`{found.name} … : …`: {what}")
    interpreter = text[found.python.start : found.python.end] if found.python else "python"
    program = f"{interpreter} {'-m ' if front.module else ''}" if front.python else ""
    edits = [_cut(text, words, begin, reader.at, program)]
    if front.local_rank:
        end = words[reader.at].end
        edits.append((end, end, f" {LOCAL_RANK}"))
    return front, reader.at, edits


def _cut(text: str, words: Sequence[Word], begin: int, end: int, new: str) -> _Edit:
    """Replace the words from `begin` up to, but not including, `end` with `new`."""
    for word, following in zip(words[begin:end], words[begin + 1 : end + 1], strict=True):
        between = text[word.end : following.start].replace("\\\n", "")
        if between.strip():
            raise ValueError(f"`{between.strip()[:40]}` stands among the options: put it after the program's arguments")
    return words[begin].start, words[end].start, new


def _own_variables(text: str, part: Simple, front: Front) -> Iterator[_Edit]:
    """Leave out leading assignments to variables that the run sets for each rank."""
    for assignment in part.assignments:
        shown = text[assignment.start : assignment.end]
        if re.split(r"\+?=", shown, maxsplit=1)[0] in RANK_VARIABLES:
            front.left_out.append(shown)
            end = assignment.end
            yield assignment.start, end + len(text[end:]) - len(text[end:].lstrip(" \t")), ""


def _refuse_company(text: str, one: AndOr, others: Sequence[Simple], launcher: str) -> None:
    """A command joined to a launcher by `&&` or `|` ran once; on every rank, only preparation is allowed."""
    if any(pipeline.joints for pipeline in one.pipelines):
        raise ValueError(
            f"`{text[one.start : one.end][:40]}`: after {launcher}, what `|` binds would run once; leave it out, as "
            f"the ranks' output is kept (learner-<n>/training-log.txt), or {_BOTH}"
        )
    for other in others:
        shown, words = text[other.start : other.end][:40], other.words
        if words and (program_name(words[0]) not in _ON_EVERY_RANK or words[0].value[:2] == "./"):
            raise ValueError(f"`{shown}`: beside {launcher}, what `{one.operators[0]}` binds would run once; {_BOTH}")
        _refuse_own_variables(shown, (*words, *other.assignments))


def _refuse_own_variables(shown: str, words: Iterable[Word]) -> None:
    if any(word.value.partition("=")[0] in RANK_VARIABLES for word in words):
        raise ValueError(f"`{shown}`: the run sets {', '.join(RANK_VARIABLES)} for each rank: leave it out")
