"""Decides which files of a file system belong in a layer, and normalizes them: pure.

Two builds of the same files differ in build residue: times, logs, caches, lock files, backups, the name and the
resolver of the build machine, the time stamped into compiled Python. Residue is dropped, or set to a fixed value.
"""

from __future__ import annotations

import re
import struct
import tarfile

EPOCH = 1577836800
"""2020-01-01 in seconds: the timestamp of every file, independent of the date and of how programs set times."""
EPOCH_DAY = EPOCH // 86400
MAX_PYC = 64 << 20
"""Bytes; a larger compiled module would be read into memory completely."""

_TRACES = re.compile(
    r"""
      dev/.+ | proc/.+ | sys/.+ | run/.+ | tmp/.+ | var/tmp/.+
    | etc/(hostname|resolv\.conf|machine-id|mtab|\.pwd\.lock)
    | etc/(passwd|shadow|group|gshadow|subuid|subgid)-
    | etc/apt/sources\.list(\.d/.+)?
    | etc/ssh/ssh_host_.*
    | var/log/.+ | var/cache/(apt|ldconfig|man)/.+ | var/cache/debconf/.*-old
    | var/lib/apt/(lists|mirrors|periodic)/.+ | var/lib/apt/extended_states
    | var/lib/dpkg/(.*-old|lock.*|triggers/Lock) | var/lib/(systemd|dbus)/.*(random-seed|machine-id)
    | (root|home/[^/]+)/\.(cache|python_history|bash_history|wget-hsts)(/.*)?
    | (opt|home|root|usr/local)/(.*/)?\.(pytest_cache|mypy_cache)(/.*)?
    """,
    re.VERBOSE,
)
_DIVERSIONS = "var/lib/dpkg/diversions"
_KEPT_XATTR = "SCHILY.xattr.security.capability"
_MAGIC_WITH_FLAGS = range(3390, 20000)
"""CPython's magic numbers from 3.7 on: PEP 552 put four bytes of flags before the time."""
_MAGIC_BEFORE_FLAGS = (*range(3170, 3390), *range(62000, 63000))
"""From 3.2, which first wrote `__pycache__`, to 3.6; and Python 2.5 to 2.7."""


def is_trace(name: str) -> bool:
    """Whether the member `name` (relative, without a leading `./`) is build residue."""
    return _TRACES.fullmatch(name) is not None


def settled_member(member: tarfile.TarInfo, name: str) -> tarfile.TarInfo:
    """The header under `name`, with build-dependent fields set to fixed values."""
    info = tarfile.TarInfo(name)
    info.type, info.size, info.mode, info.linkname = member.type, member.size, member.mode & 0o7777, member.linkname
    info.uid, info.gid = member.uid, member.gid
    info.mtime = EPOCH
    info.devmajor, info.devminor = member.devmajor, member.devminor
    info.pax_headers = {key: value for key, value in member.pax_headers.items() if key == _KEPT_XATTR}
    return info


def is_rewritten(name: str) -> bool:
    """Whether the content of `name` may contain residue, so that it must pass `settled_content`."""
    return name.endswith((".pyc", ".pyo")) or name in ("etc/shadow", _DIVERSIONS)


def settled_content(name: str, content: bytes) -> bytes:
    """The same file without the build's time in it; the size of compiled Python never changes."""
    if name == "etc/shadow":
        return _settled_shadow(content)
    if name == _DIVERSIONS:
        return _settled_diversions(content)
    return _settled_pyc(content)


def _settled_pyc(content: bytes) -> bytes:
    """Compiled Python contains its source's time, which `settled_member` sets: the two must stay equal."""
    if len(content) < 16:
        return content
    magic = struct.unpack_from("<H", content)[0]
    if magic in _MAGIC_WITH_FLAGS:
        if struct.unpack_from("<I", content, 4)[0] != 0:
            return content  # refers to the source by hash, not by time
        offset = 8
    elif magic in _MAGIC_BEFORE_FLAGS:
        offset = 4
    else:
        return content
    return content[:offset] + struct.pack("<I", EPOCH) + content[offset + 4 :]


def _settled_shadow(content: bytes) -> bytes:
    """The day of each account's last password change is the day of the build."""
    return re.sub(rb"(?m)^([^:\n]*:[^:\n]*:)\d+:", rb"\g<1>%d:" % EPOCH_DAY, content)


def _settled_diversions(content: bytes) -> bytes:
    """dpkg-divert writes its records of three lines in the order of a hash table."""
    lines = content.splitlines(keepends=True)
    return b"".join(sorted(b"".join(lines[start : start + 3]) for start in range(0, len(lines), 3)))
