"""Programs in sh and bash: each a file next to the module that runs it on a host or in a container, under shellcheck.

They are package data, so they are in the wheel, too. Their inputs are separate arguments or in the environment:
nothing is filled into their text.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

_TOOL = Path(__file__).parent
_COMMENT = re.compile(r"^[ \t]*#.*\n", re.MULTILINE)


@cache
def shell_program(package: str, name: str) -> str:
    """The program in the file `name` of the package, such as `toolkit.doctor.topics`.

    Comment-only lines are left out: hosts do not need them. So no quoted text and no here document may
    have a line that begins with `#`.
    """
    return _COMMENT.sub("", _TOOL.joinpath(*package.split(".")[1:], name).read_text(encoding="utf-8"))


@cache
def shell_line(package: str, name: str) -> str:
    """The same as one line, for places that allow no line end: each line of the file except the last must end a command
    with `;` or begin a compound one."""
    return " ".join(shell_program(package, name).splitlines())
