"""A run of a manifest's later commands on a checkpoint of an earlier run: its manifest and additions to the code. Pure.

The earlier run's directory is RESUME_DIR. The first command copies from it to RESULT_DIR what the later commands may
read: all that the training left, but of its checkpoints only the chosen one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from toolkit.agent.paths import CHECKPOINTS, RUN_FOLDER
from toolkit.errors import Code, ToolkitError
from toolkit.manifest.model import Manifest, Step
from toolkit.manifest.results import bucket_name
from toolkit.run.plan.training_id import TrainingId
from toolkit.run.records.checkpoints import STATE, Checkpoint
from toolkit.run.records.record import Record

PROGRAM, PLAN = "_toolkit_checkpoint.py", "_toolkit_checkpoint.json"
"""Names of the first command's files, among the submitted code."""
_FIRST = f"python {PROGRAM} {PLAN}"
_RESULTS = "/mnt/results/"
_CONSTANT = re.compile(
    rb"^(?P<name>[ \t]*chkptnumber[ \t]*=[ \t]*)(?P<quote>[\"']?)(?P<sign>-?)\d+(?P=quote)"
    rb"(?P<rest>[ \t]*(?:#.*)?\r?)$",
    re.MULTILINE,
)
"""How IBM's example of 2018 chooses a checkpoint: a constant in the later command's program."""


@dataclass(frozen=True)
class Substituted:
    """A program's new text, and for each changed line its number and what it was."""

    text: bytes
    lines: tuple[tuple[int, str], ...]


def manifest_on(manifest: Manifest, record: Record, checkpoint: Checkpoint, training_id: TrainingId) -> Manifest:
    """The manifest of the run `training_id`, on `checkpoint` of the run of `record`.

    It takes one host, unless a later command runs on more than one. CHECKPOINT is the checkpoint's path in the new run,
    CHECKPOINT_NUMBER its number. Raises `ToolkitError` (C101) if there is no later command.
    """
    later = manifest.steps[1:]
    if not later:
        raise ToolkitError(
            Code.MANIFEST,
            f"{record.manifest_file} has no command after the training: nothing would run on a checkpoint",
            hint=f"its files: toolkit collect {record.training_id} --what '/{_below(record, checkpoint.path)}*'",
        )
    nodes = 1 if all(step.ranks == "one" for step in later) else manifest.compute.nodes
    number = () if checkpoint.number is None else (("CHECKPOINT_NUMBER", str(checkpoint.number)),)
    path = f"{_RESULTS}{bucket_name(manifest.training_results)}/{_moved(record, checkpoint.path, training_id)}"
    return replace(
        manifest,
        steps=(Step(_FIRST, "one"), *later),
        compute=replace(manifest.compute, nodes=nodes),
        environment=(*manifest.environment, ("CHECKPOINT", path), *number),
        resume=record.training_id,
    )


def manifest_again(manifest: Manifest, run: TrainingId, training_id: TrainingId) -> tuple[Manifest, str]:
    """The manifest of `run` for `training_id`, which repeats it, and the checkpoint's path in the bucket.

    CHECKPOINT names the run's own folder; for a run that trains, nothing is changed, and the path is empty.
    """
    environment = dict(manifest.environment)
    if manifest.steps[0].command != _FIRST or "CHECKPOINT" not in environment:
        return manifest, ""
    _, _, path = environment["CHECKPOINT"].removeprefix(_RESULTS).partition("/")
    environment["CHECKPOINT"] = environment["CHECKPOINT"].replace(f"/{run}/", f"/{training_id}/", 1)
    below = path.removeprefix(f"{run}/")
    chosen = path if below == path else f"{manifest.resume}/{below}"
    return replace(manifest, environment=tuple(environment.items())), chosen


def plan_text(record: Record, checkpoint: Checkpoint, others: Iterable[Checkpoint]) -> str:
    """What the first command copies and writes: `toolkit.run.in_container.take_checkpoint`'s PLAN."""
    files = {path for one in others for path in one.files} - set(checkpoint.files)
    lists = {str(PurePosixPath(path).with_name(STATE)) for path in files}
    learners = (f"learner-{number}" for number in range(1, record.learners + 1))
    leave = {"model", "logs", "_submitted_code", RUN_FOLDER, *learners}
    leave |= {_below(record, path) for path in files | lists if path.startswith(f"{record.training_id}/")}
    states = {}
    if checkpoint.format == "tensorflow" and checkpoint.path.startswith(f"{record.training_id}/"):
        path = PurePosixPath(_below(record, checkpoint.path))
        name = json.dumps(path.name, ensure_ascii=False)
        states[str(path.with_name(STATE))] = f"model_checkpoint_path: {name}\nall_model_checkpoint_paths: {name}\n"
    return json.dumps({"leave": sorted(leave), "states": states})


def with_number(text: bytes, number: int) -> Substituted:
    """A program with its constant `chkptnumber` set to `number`; its sign and quotes stay."""
    lines = [
        (text.count(b"\n", 0, match.start()) + 1, match[0].decode("utf-8", "replace").strip())
        for match in _CONSTANT.finditer(text)
    ]
    changed = _CONSTANT.sub(rb"\g<name>\g<quote>\g<sign>" + b"%d" % number + rb"\g<quote>\g<rest>", text)
    return Substituted(changed, tuple(lines))


def _below(record: Record, path: str) -> str:
    """A path in the bucket, below the run's folder if it is there."""
    return path.removeprefix(f"{record.training_id}/")


def _moved(record: Record, path: str, training_id: TrainingId) -> str:
    """Where the checkpoint is in the new run: at the same place; what all runs share stays."""
    shared = path.startswith(f"{CHECKPOINTS}/")
    return path if shared else f"{training_id}/{_below(record, path)}"
