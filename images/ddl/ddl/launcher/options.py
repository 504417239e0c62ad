"""The command line of ``ddlrun``: ``ddlrun [options] PROGRAM [ARGUMENTS]``. Pure.

IBM's tool accepted every long option with one dash or two, and values that begin with a dash (``--mpiarg -pami_noib``),
which argparse takes for options; hence this parser: a table, and one loop over the arguments.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ddl.mode import ALGORITHMS


class UsageError(ValueError):
    """An invalid command line; the text says why and what to do."""


@dataclass(frozen=True)
class Options:
    """The parsed command line; None where the hosts' resources decide."""

    command: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    host_file: str | None = None
    rank_file: str | None = None
    accelerators: int | None = None
    nodes: int | None = None
    racks: int = 1
    aisles: int = 1
    mode: str = "p"
    ddl_arguments: tuple[str, ...] = ()
    no_ddl_options: bool = False
    exported: tuple[str, ...] = ()
    mpi_arguments: tuple[str, ...] = ()
    tcp: bool = False
    skip_checks: bool = False
    verbose: bool = False
    dry_run: bool = False
    help: bool = False


@dataclass(frozen=True)
class _Option:
    """One option: its names without dashes, the field it sets, its parser, and its help."""

    names: tuple[str, ...]
    field: str
    help_text: str
    value: str = ""
    read: Callable[[str], object] | None = None
    repeatable: bool = False


def _number(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise ValueError(f"a positive integer, not {text!r}")
    return int(text)


def _mode(text: str) -> str:
    if text not in ALGORITHMS:
        raise ValueError(f"one of {', '.join(f'{key} ({name})' for key, name in ALGORITHMS.items())}, not {text!r}")
    return text


def _hosts(text: str) -> tuple[str, ...]:
    hosts = tuple(host.strip() for host in text.split(","))
    for host in hosts:
        check_host(host)
    if len(set(hosts)) < len(hosts):
        raise ValueError(f"each host once, not {text!r} (ranks per host: --accelerators)")
    return hosts


def check_host(host: str) -> None:
    """Raise ValueError for an invalid host name, or one that ssh would take for an option."""
    if not host or host.startswith("-") or any(sign.isspace() or sign in "=,/\\'\"`$;&|<>" for sign in host):
        raise ValueError(f"host names separated by commas, not {host!r}")


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_TABLE = (
    _Option(("H", "host", "hosts"), "hosts", "hosts, the first with rank 0 (default: this one)", "HOST,…", _hosts),
    _Option(("hostfile",), "host_file", "the hosts from a file, one on each line", "FILE", str),
    _Option(
        ("accelerators", "gpus"), "accelerators", "ranks on each host (default: its GPUs; 1 without)", "N", _number
    ),
    _Option(("nodes",), "nodes", "hosts in each rack (default: all of them)", "N", _number),
    _Option(("racks",), "racks", "racks in each aisle (default 1)", "N", _number),
    _Option(("aisles",), "aisles", "aisles (default 1)", "N", _number),
    _Option(("m", "mode"), "mode", "how to reduce: b, n, r, m or p (default p)", "C", _mode),
    _Option(
        ("ddlarg", "ddloption", "ddl_options"),
        "ddl_arguments",
        "additional DDL_OPTIONS",
        "ARGS",
        _words,
        repeatable=True,
    ),
    _Option(("no_ddloptions",), "no_ddl_options", "leave DDL_OPTIONS unset: the program calls ddl.init(options)"),
    _Option(("r", "rf", "rankfile"), "rank_file", "your own rank file: hosts are not probed or checked", "FILE", str),
    _Option(
        ("x",),
        "exported",
        "export an environment variable to every rank",
        "NAME[=VALUE]",
        lambda text: (text,),
        repeatable=True,
    ),
    _Option(("mpiarg",), "mpi_arguments", "additional arguments for mpirun", "ARGS", _words, repeatable=True),
    _Option(("t", "tcp"), "tcp", "TCP between hosts, and no InfiniBand"),
    _Option(("skipchecks",), "skip_checks", "do not probe the hosts; requires --accelerators"),
    _Option(("v", "verbose"), "verbose", "show what the hosts have, and the rank file"),
    _Option(("dry_run", "dry-run"), "dry_run", "print the command and keep its rank file, but run nothing"),
    _Option(("h", "help"), "help", "show this help"),
)
_BY_NAME = {name: option for option in _TABLE for name in option.names}


def read_options(words: Sequence[str]) -> Options:
    """Parse a command line, without the program's own name.

    Returns:
        The options; `command` is the first argument that is not an option, and everything after it.
    Raises:
        UsageError: an unknown option, a missing or invalid value, or no program.
    """
    options, rest = Options(), list(words)
    while rest and rest[0].startswith("-") and not options.help:
        word = rest.pop(0)
        if word == "--":
            break
        name, equals, text = word.lstrip("-").partition("=")
        option = _BY_NAME.get(name)
        if option is None:
            raise UsageError(f"unknown option {word}{_nearest(name)}; see ddlrun --help")
        options = _apply(options, option, word, text if equals else None, rest)
    if not rest and not options.help:
        raise UsageError("no program to run: ddlrun [options] PROGRAM [ARGUMENTS]; see ddlrun --help")
    return replace(options, command=tuple(rest))


def _apply(options: Options, option: _Option, word: str, text: str | None, rest: list[str]) -> Options:
    """The options with one more applied; takes its value from `rest` if it was not in the argument itself."""
    if option.read is None:
        if text is not None:
            raise UsageError(f"{word}: this option takes no value")
        return replace(options, **{option.field: True})  # type: ignore[arg-type]
    if text is None:
        if not rest:
            raise UsageError(f"{word} needs a value: {option.value}")
        text = rest.pop(0)
    try:
        value = option.read(text)
    except ValueError as error:
        raise UsageError(f"{word} needs {error}") from None
    if option.repeatable:
        value = (*getattr(options, option.field), *value)  # type: ignore[misc]
    return replace(options, **{option.field: value})  # type: ignore[arg-type]


def _nearest(name: str) -> str:
    close = difflib.get_close_matches(name, _BY_NAME, n=1)
    return f" (nearest: {_dashed(close[0])})" if close else ""


def _dashed(name: str) -> str:
    return f"-{name}" if len(name) == 1 else f"--{name}"


def help_text() -> str:
    """The text of ``--help``."""
    rows = [
        (", ".join(map(_dashed, option.names)) + f" {option.value}".rstrip(), option.help_text) for option in _TABLE
    ]
    width = max(len(left) for left, _ in rows)
    lines = [f"  {left:{width}}  {help_text}" for left, help_text in rows]
    return "\n".join(
        [
            "ddlrun [options] PROGRAM [ARGUMENTS]",
            "",
            "Start PROGRAM on every rank: probe the hosts, write the rank file, print the mpirun command and run it.",
            "",
            *lines,
            "",
            "Long options may be written with one dash, and with = before their value. Exit status: mpirun's; 2 for an",
            "invalid command line; 3 if a host is unsuitable.",
        ]
    )
