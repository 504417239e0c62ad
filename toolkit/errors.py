"""Errors as people need them: what, where, why, what to do next.

Codes are those of Watson ML and FfDL; the letter says whose fault it is: S1xx-S3xx the system's,
C1xx-C2xx the user's. Scripts use the exit status: one number for each kind of next step.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from toolkit.printable import cut
from toolkit.urls import redact_urls


class Code(Enum):
    """A closed list of error codes; `exit_status` is what the command returns to the shell."""

    RESOURCES = ("S100", 3)
    IMAGE = ("S103", 3)
    LOADING_DATA = ("S302", 3)
    STORING_RESULTS = ("S303", 3)
    MANIFEST = ("C101", 2)
    CODE = ("C102", 2)
    CREDENTIALS = ("C103", 4)
    RESOURCES_ASKED = ("C104", 2)
    PROGRAM_FAILED = ("C201", 1)
    MODEL_CHECK = ("C202", 5)

    @property
    def label(self) -> str:
        """The code as it is printed, such as `C101`."""
        return str(self.value[0])

    @property
    def exit_status(self) -> int:
        """1 the program failed, 2 invalid input, 3 the system, 4 credentials, 5 verification of the model."""
        return int(self.value[1])


INTERRUPTED = 130
"""Exit status after Ctrl-C: 128 + SIGINT, as in shells."""


@dataclass(frozen=True)
class Place:
    """A point in a file; lines and columns count from 1."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: `what`, and, if known, its place in a file and the field's path.

    `here` are lines to write instead.
    """

    what: str
    place: Place | None = None
    path: str = ""
    source_line: str = ""
    here: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [": ".join(part for part in (str(self.place or ""), self.path, self.what) if part)]
        if self.source_line and self.place is not None:
            lines += [f"    {line}" for line in _pointed(self.source_line, self.place.column - 1)]
        if self.here:
            lines += ["  here:", *(f"      {line}" for line in self.here)]
        return "\n".join(lines)


_WIDEST = 110
_LONGEST = 2000
"""Characters of the evidence per line; JSON has all of it."""


def _pointed(line: str, index: int) -> tuple[str, str]:
    """The line and a caret below its character at `index`; of a very long line, the part around it."""
    start = max(0, index - _WIDEST // 2) if len(line) > _WIDEST else 0
    shown = line[start : start + _WIDEST]
    before = ("… " if start else "") + shown[: index - start]
    after = " …" if len(line) > start + _WIDEST else ""
    # A tab is kept, so that the caret is where the terminal puts the character.
    return before + shown[index - start :] + after, "".join(one if one == "\t" else " " for one in before) + "^"


@dataclass
class ToolkitError(Exception):
    """Every failure that a person can do something about; the command prints it without a traceback.

    Its texts may contain URLs and other programs' output: passwords in URLs are removed here.
    """

    code: Code
    what: str
    problems: tuple[Problem, ...] = ()
    evidence: str = ""
    hint: str = ""
    context: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.what, self.evidence, self.hint = map(redact_urls, (self.what, self.evidence, self.hint))

    def __str__(self) -> str:
        first, *rest = self.what.split("\n")  # others' output must not look like our own next line
        lines = [f"{self.code.label} {first}", *(f"  | {line}" for line in rest)]
        lines += [f"  {line}" for problem in self.problems for line in redact_urls(str(problem)).splitlines()]
        lines += [f"  | {line}" for line in cut(self.evidence.strip(), _LONGEST).splitlines()]
        if self.hint:
            lines.append(f"  next: {self.hint}")
        return "\n".join(lines)

    def as_json(self) -> dict[str, object]:
        """The same facts for machines."""
        return {
            "error": self.code.label,
            "what": self.what,
            "problems": [redact_urls(str(problem)) for problem in self.problems],
            "evidence": self.evidence,
            "hint": self.hint,
            **self.context,
        }
