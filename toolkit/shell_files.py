"""Programs in sh and bash: each a file beside the module that has a host or a container run it, under shellcheck.

They are package data, so a wheel has them, too. What they need comes as words of their own or in the environment:
nothing is filled into their text.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

_COMMENT = re.compile(r"^[ \t]*#.*\n", re.MULTILINE)


@cache
def shell_program(package: str, name: str) -> str:
    """The program in the file `name` of the package, such as `toolkit.doctor.topics`.

    Lines that are comments as a whole are left out: hosts need not be sent them. So no text in quotes and no here
    document may have a line that begins with `#`.
    """
    return _COMMENT.sub("", files(package).joinpath(name).read_text(encoding="utf-8"))


@cache
def shell_line(package: str, name: str) -> str:
    """The same as one line, for where no line end may stand: each line of the file but the last ends a command with `;`
    or begins a compound one."""
    return " ".join(shell_program(package, name).splitlines())
