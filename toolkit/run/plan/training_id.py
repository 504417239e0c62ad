"""Training IDs: the one format, and the one place that reads them.

An ID becomes a file name, an object key, a label and the name of a container. So text from outside (a command line, a
file, a bucket, an engine's labels) is parsed here once, and a `TrainingId` needs no further check.
"""

from __future__ import annotations

import re
import secrets as randomness
from typing import Annotated, NewType

from pydantic import AfterValidator

TrainingId = NewType("TrainingId", str)
"""`training-` and eight of a to z and 2 to 9."""

PREFIX = "training-"
LENGTH = len(PREFIX) + 8
_FORMAT = re.compile(r"training-[a-z2-9]{8}", re.ASCII)
_BEGINNING = re.compile(r"[a-z2-9]{0,8}", re.ASCII)
_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
"""For new IDs: no 0, 1, l or o, which are easily confused."""


def parse_training_id(text: str) -> TrainingId:
    """`text` as a training ID. Raises `ValueError` if it is not one."""
    if not _FORMAT.fullmatch(text):
        raise ValueError(f"{text[: 4 * LENGTH]!r} is not a training ID, such as training-abcd2345")
    return TrainingId(text)


def parse_beginning(text: str) -> str:
    """The beginning of a training ID, with `training-` added if it is missing. Raises `ValueError`."""
    if not _BEGINNING.fullmatch(text.removeprefix(PREFIX)):
        raise ValueError(f"{text[: 4 * LENGTH]!r} is not a training ID or a prefix of one")
    return PREFIX + text.removeprefix(PREFIX)


def run_of_label(label: str) -> TrainingId | None:
    """The run that an engine's label names: the ID, with a suffix for a command beside the run. None if none."""
    run, rest = label[:LENGTH], label[LENGTH:]
    return TrainingId(run) if _FORMAT.fullmatch(run) and (not rest or rest.startswith("-")) else None


def new_training_id() -> TrainingId:
    """A new ID."""
    return TrainingId(PREFIX + "".join(randomness.choice(_ALPHABET) for _ in range(8)))


def new_label(run: TrainingId) -> str:
    """A label for what a command needs beside `run`, such as a store: the run's ID and a suffix of its own."""
    return f"{run}-{new_training_id().removeprefix(PREFIX)}"


CheckedId = Annotated[TrainingId, AfterValidator(parse_training_id)]
"""A field of a pydantic model that holds a training ID."""
