"""Records host keys: compares presented with recorded keys and adds new ones. Recorded keys are never replaced."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from toolkit.errors import Code, Problem, ToolkitError
from toolkit.hosts.parallel import Answer, Job, do_all
from toolkit.hosts.ssh import errors as ssh_errors
from toolkit.hosts.ssh.destination import Destination
from toolkit.hosts.ssh.known_hosts import Entry, HostKey, Standing, append, read_entries, standing

_AT_ONCE = 64


@dataclass(frozen=True)
class Finding:
    """The key presented by a host, and its standing; `entry` is the known_hosts line behind it."""

    to: Destination
    key: HostKey
    standing: Standing
    entry: Entry | None


def stages(ways: Iterable[Destination]) -> tuple[tuple[Destination, ...], ...]:
    """All hosts on the ways, jump hosts before those behind them: their keys must be recorded first."""
    by_depth: dict[int, dict[Destination, None]] = {}
    for way in ways:
        chain = [way]
        while (before := chain[-1].through) is not None:
            chain.append(before)
        for depth, to in enumerate(reversed(chain)):
            by_depth.setdefault(depth, {})[to] = None
    return tuple(tuple(by_depth[depth]) for depth in sorted(by_depth))


def look(ways: Sequence[Destination], host_key: Callable[[Destination], HostKey]) -> tuple[Answer[Finding], ...]:
    """Fetch the key of each host without logging in there; jump hosts on the way need the usual login.

    `host_key` gives the key that a host shows, or raises `ToolkitError` (S100).
    """
    return do_all([Job(to.host, partial(_find, to, host_key)) for to in ways], at_once=_AT_ONCE)


def refuse_changed(findings: Iterable[Finding]) -> None:
    """Raise `ToolkitError` (S100) where a host shows a key that is not the recorded one, with file and line of each."""
    bad = (Standing.CHANGED, Standing.REVOKED)
    problems = tuple(_changed(found, found.entry) for found in findings if found.entry and found.standing in bad)
    if not problems:
        return
    many = f"the keys of {len(problems)} hosts differ from the recorded ones"
    what = "a host key differs from the recorded one" if len(problems) == 1 else many
    hint = "another machine, or someone in between? If a host was reinstalled, remove its line first"
    raise ToolkitError(Code.RESOURCES, f"{what}; nothing was recorded", problems, hint=hint)


def file_of(to: Destination) -> Path:
    """The file for new keys: the cluster's, else the user's. Raises `ToolkitError` if there is none."""
    if to.new_keys is None:
        why = "its known_hosts file is `none`, /dev/null or a folder"
        what = f"host {to.host}: no file to record its key in ({why})"
        raise ToolkitError(Code.RESOURCES_ASKED, what, hint=ssh_errors.NAME_A_FILE)
    return to.new_keys


def record(findings: Sequence[Finding]) -> tuple[Path, ...]:
    """Append each new key once to the file that its host's keys are looked up in; the files."""
    lines: dict[Path, dict[tuple[str, HostKey], None]] = {}
    for found in findings:
        lines.setdefault(file_of(found.to), {})[found.to.known_as, found.key] = None
    for file, keys in lines.items():
        try:
            append(file, list(keys))
        except OSError as error:
            what = f"{file}: {error.strerror}; no key was recorded there"
            raise ToolkitError(Code.RESOURCES_ASKED, what, hint=ssh_errors.NAME_A_FILE) from None
    return tuple(lines)


def _find(to: Destination, host_key: Callable[[Destination], HostKey]) -> Finding:
    key = host_key(to)
    return Finding(to, key, *standing(read_entries(to.known_hosts), to.known_as, key))


def _changed(found: Finding, entry: Entry) -> Problem:
    said = "it is marked @revoked here" if found.standing is Standing.REVOKED else f"recorded here: {entry.key}"
    return Problem(f"host {found.to.host} ({found.to.socket_name}) presented {found.key}; {said}", entry.place)
