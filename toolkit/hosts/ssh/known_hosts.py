"""known_hosts files: read with their lines, compared byte by byte, appended to, never rewritten.

The form is sshd(8)'s, SSH_KNOWN_HOSTS FILE FORMAT: plain, `[host]:port`, wildcards, negation, hashed names and
`@revoked`. `@cert-authority` lines are not used: a host that has only a certificate is unknown.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from fnmatch import fnmatchcase
from pathlib import Path

from toolkit.errors import Place

SSH_PORT = 22
_RSA_SIGNATURES = ("rsa-sha2-512", "rsa-sha2-256")


@dataclass(frozen=True)
class HostKey:
    """A public key as a host shows it: its type, such as `ssh-ed25519`, and its bytes."""

    kind: str
    blob: bytes

    @property
    def fingerprint(self) -> str:
        """As `ssh-keygen -l` prints it: `SHA256:…`."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")

    def __str__(self) -> str:
        return f"{self.kind} {self.fingerprint}"


@dataclass(frozen=True)
class Entry:
    """One line: the names that it is for, the key, and its place."""

    names: str
    key: HostKey
    file: Path
    line: int
    marker: str = ""

    @property
    def place(self) -> Place:
        """Where the line is, for an error."""
        return Place(str(self.file), self.line, 1)

    def is_for(self, name: str) -> bool:
        """Whether the line speaks of `name`, which is `host` or `[host]:port`."""
        if self.names.startswith("|1|"):
            # ssh writes names in small letters before it hashes them; other programs may not.
            return any(_is_hash_of(self.names, one) for one in {name.lower(), name})
        matched = False
        for pattern in self.names.lower().split(","):
            if pattern.startswith("!") and _matches(name.lower(), pattern[1:]):
                return False
            matched = matched or _matches(name.lower(), pattern)
        return matched


class Standing(Enum):
    """What is on record about a key that a host shows."""

    KNOWN = auto()
    UNKNOWN = auto()
    CHANGED = auto()
    REVOKED = auto()


def known_as(name: str, port: int) -> str:
    """The name under which a key is recorded."""
    return name if port == SSH_PORT else f"[{name}]:{port}"


def read_entries(files: Iterable[Path]) -> tuple[Entry, ...]:
    """The lines of all `files`; invalid lines are skipped.

    As with ssh, a file has none that is not there, cannot be read or is no regular one, such as /dev/null.
    """
    entries: list[Entry] = []
    for file in files:
        try:
            lines = file.read_text(errors="replace").splitlines() if file.is_file() else []
        except OSError:
            continue
        found = (_entry(text, file, number) for number, text in enumerate(lines, 1))
        entries += [entry for entry in found if entry]
    return tuple(entries)


def standing(entries: Sequence[Entry], name: str, key: HostKey) -> tuple[Standing, Entry | None]:
    """Where `key`, shown by `name`, stands, and the entry that says so.

    A host of which only keys of other types are on record counts as changed: whoever stands in between could
    choose a type that is not.
    """
    for entry in entries:
        if entry.marker == "@revoked" and entry.key.blob == key.blob:
            return Standing.REVOKED, entry
    own = [entry for entry in entries if not entry.marker and entry.is_for(name)]
    for entry in own:
        if entry.key.blob == key.blob:
            return Standing.KNOWN, entry
    same_kind = [entry for entry in own if entry.key.kind == key.kind]
    if own:
        return Standing.CHANGED, (same_kind or own)[0]
    return Standing.UNKNOWN, None


def kinds_on_record(entries: Sequence[Entry], name: str) -> tuple[str, ...]:
    """The types of key that `name` has on record, in the order of the lines."""
    return tuple(dict.fromkeys(entry.key.kind for entry in entries if not entry.marker and entry.is_for(name)))


def algorithms(kinds: Iterable[str]) -> list[str]:
    """The host key algorithms of these types of key."""
    return [name for kind in kinds for name in (_RSA_SIGNATURES if kind == "ssh-rsa" else (kind,))]


def append(file: Path, keys: Sequence[tuple[str, HostKey]]) -> None:
    """Add a line for each (name, key); new files and folders are private to their owner (0600, 0700)."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "rb+") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(size - 1, 0))
        lines = [] if stream.read(1) in (b"", b"\n") else [""]
        lines += [f"{name} {key.kind} {base64.b64encode(key.blob).decode()}" for name, key in keys]
        stream.write("".join(f"{line}\n" for line in lines).encode())


def _entry(text: str, file: Path, number: int) -> Entry | None:
    words = text.split()
    marker = words.pop(0) if words and words[0].startswith("@") else ""
    if len(words) < 3 or words[0].startswith("#"):
        return None
    try:
        blob = base64.b64decode(words[2], validate=True)
    except binascii.Error:
        return None
    return Entry(words[0], HostKey(words[1], blob), file, number, marker)


def _matches(name: str, pattern: str) -> bool:
    # Brackets are part of a name here (`[host]:port`), and only `*` and `?` are wild.
    return fnmatchcase(name, pattern.replace("[", "[[]"))


def _is_hash_of(hashed: str, name: str) -> bool:
    try:
        salt, digest = (base64.b64decode(part, validate=True) for part in hashed[len("|1|") :].split("|"))
    except (ValueError, binascii.Error):
        return False
    return hmac.compare_digest(hmac.digest(salt, name.encode(), "sha1"), digest)
