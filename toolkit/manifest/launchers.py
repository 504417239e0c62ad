"""A command that begins with `mpirun`, `ddlrun` or their flags: what is a person's wish, and what the tool's business.

Watson ML put `mpirun` and its own flags in front of the command, so people wrote further flags at its beginning.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from difflib import get_close_matches

from toolkit.manifest.names import MCA, MCA_VALUE, MCA_WRONG, VALUE, VARIABLE, VARIABLE_WRONG

LAUNCHERS = ("mpirun", "mpiexec", "orterun", "prterun", "ddlrun")
_WORD = re.compile(r"\S+")
_DDL_MODE = re.compile(r"[bnrmp]:\d+(?:x\d+){0,3}")
_COUNTS = ("np", "n", "c")
# The run's own business, by how many words follow.
_OWN = {
    **dict.fromkeys(("H", "host", "hostfile", "machinefile", "rf", "rankfile", "hosts", "npernode", "N", "ppr"), 1),
    **dict.fromkeys(("map-by", "bind-to", "rank-by", "prefix", "launch-agent"), 1),
    **dict.fromkeys(("allow-run-as-root", "tag-output", "timestamp-output", "oversubscribe", "bind-to-none"), 0),
    **dict.fromkeys(("report-bindings", "display-map", "noprefix", "q", "v", "verbose", "display-allocation"), 0),
}
_KNOWN = ("-x", "-np", "--mca", *(f"--{name}" for name in _OWN if len(name) > 2))


@dataclass
class Front:
    """What stood in front of a command.

    Attributes:
        launcher: `mpirun` and the like; empty where flags alone stood there.
        length: characters of the text that were the front.
        environment: variables given with `-x NAME=VALUE`, and DDL's mode.
        mca: parameters given with `--mca NAME VALUE`.
        ranks: what `-np` asked for; 0: nothing.
        left_out: flags that the tool sets by itself.
    """

    launcher: str = ""
    length: int = 0
    environment: dict[str, str] = field(default_factory=dict)
    mca: dict[str, str] = field(default_factory=dict)
    ranks: int = 0
    left_out: list[str] = field(default_factory=list)


def read_front(text: str, bare: str) -> Front | None:
    """The launcher and the flags at the beginning of `text`; None where there are none.

    `bare` is `text` with each character of a word made a `q`. Raises `ValueError` for a flag that is not known, or
    whose value is none.
    """
    words = _Words(text, bare)
    front = Front()
    first = words.peek()
    if first.rpartition("/")[2] in LAUNCHERS:
        front.launcher = words.take().rpartition("/")[2]
    elif not first.startswith("-"):
        return None
    while words.peek().startswith("-"):
        _read_flag(words, front)
    front.length = words.position
    if not words.peek():
        raise ValueError(f"`{text[:40]}`: no command behind the launcher and its flags")
    return front


def _read_flag(words: _Words, front: Front) -> None:
    flag = words.take()
    name = flag.lstrip("-")
    if name == "x":
        variable, equals, value = words.value(flag).partition("=")
        if not re.fullmatch(VARIABLE, variable) or not re.fullmatch(VALUE, value):
            raise ValueError(f"`-x {variable}` cannot be set: {VARIABLE_WRONG}; its value is one line")
        if equals:
            front.environment[variable] = value
        else:
            front.left_out.append(f"-x {variable}")
    elif name in ("mca", "gmca"):
        key, value = words.value(flag), words.value(flag)
        if not re.fullmatch(MCA, key) or not re.fullmatch(MCA_VALUE, value):
            raise ValueError(f"`{flag} {key}`: {MCA_WRONG}")
        front.mca[key] = value
    elif name in _COUNTS:
        value = words.value(flag)
        if not re.fullmatch(r"[1-9]\d{0,6}", value):
            raise ValueError(f"`{flag} {value}`: expected a number of ranks")
        front.ranks = int(value)
    elif name in ("mode", "m") and front.launcher == "ddlrun":
        value = words.value(flag)
        if not _DDL_MODE.fullmatch(value):
            raise ValueError(f"`{flag} {value}`: expected a mode such as b:2x4")
        front.environment["DDL_OPTIONS"] = f"-mode {value}"
    elif name in _OWN:
        front.left_out.append(" ".join([flag, *(words.value(flag) for _ in range(_OWN[name]))]))
    else:
        near = get_close_matches(flag, _KNOWN, n=1)
        hint = f"did you mean `{near[0]}`? " if near else ""
        raise ValueError(
            f"`{flag}`: unknown here; {hint}-x NAME=VALUE and --mca NAME VALUE may stand in front of a command"
        )


class _Words:
    """The words of a command, one after the other."""

    def __init__(self, text: str, bare: str) -> None:
        self._text, self._bare, self.position = text, bare, 0

    def peek(self) -> str:
        match = _WORD.search(self._bare, self.position)
        return self._text[match.start() : match.end()] if match else ""

    def take(self) -> str:
        match = _WORD.search(self._bare, self.position)
        assert match is not None
        self.position = match.end()
        return self._text[match.start() : match.end()]

    def value(self, flag: str) -> str:
        """The next word, unquoted, for `flag`."""
        word = self.peek()
        if not word:
            raise ValueError(f"`{flag}`: its value is missing")
        if "$" in word or re.search(r"[&|<>]", self._bare[self.position :].split()[0]):
            raise ValueError(f"`{flag} {word[:40]}`: variables and operators are not read in a flag's value")
        self.take()
        (plain,) = shlex.split(word, posix=True) or [""]
        return plain
