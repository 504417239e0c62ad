"""The interface of a source of secrets. Each is a module of this package and a line in `registry`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from toolkit.errors import Code, ToolkitError
from toolkit.secrets.secret import Secret

LARGEST_KEY_FILE = 64 << 10


@dataclass(frozen=True)
class Lookup:
    """What a source may read: the operator's environment, and the keys of the embedded store by name."""

    environment: Mapping[str, str]
    embedded: Mapping[str, Secret]


@dataclass(frozen=True)
class Surroundings:
    """Where a run's secrets may be on this machine: the folders that relative file names may start from, the
    operator's environment, and the tool's own folder, `~/.toolkit`."""

    folders: tuple[Path, ...]
    environment: Mapping[str, str]
    home: Path


class SecretSource(Protocol):
    """A kind of reference.

    Attributes:
        kind: `env` of `${env:NAME}`: lower-case letters, digits and dashes.
        takes_name: whether it is followed by a name; `${chain}` is not.
        spelling: the reference as in error messages, `${env:NAME}`.
    """

    kind: str
    takes_name: bool
    spelling: str

    def key_files(self, _name: str) -> Iterable[str]:
        """The files that the reference `name` names (default: none). They are never submitted with the code."""
        return ()

    def within_reach(self, _name: str, _around: Surroundings) -> Iterable[Secret]:
        """What submitted code must not contain: the secret, if it can be had without querying anyone (default: none).
        Raises nothing; a missing secret is skipped."""
        return ()


class KeySource(SecretSource, Protocol):
    """A source of one value."""

    def secret(self, name: str, lookup: Lookup) -> Secret:
        """The value of `name`; raises `ToolkitError` (C103) that names the reference but not the value."""
        ...


class PairSource(SecretSource, Protocol):
    """A source of both keys of a store.

    Attributes:
        means: a description, which follows the spelling in error messages.
        name_pattern: a regular expression for its name, valid in JSON Schema; empty if it has none.
    """

    means: str
    name_pattern: str

    def pair(self, name: str) -> tuple[Secret, Secret, Secret | None]:
        """Access key, secret key and, for a session, its token; raises `ToolkitError` (C103)."""
        ...


def spelled(kind: str, name: str) -> str:
    """The reference as it is written in a manifest."""
    return f"${{{kind}:{name}}}" if name else f"${{{kind}}}"


def leads_nowhere(kind: str, name: str, why: str, hint: str = "") -> ToolkitError:
    """The error (C103) for a reference, with its spelling."""
    return ToolkitError(Code.CREDENTIALS, f"{spelled(kind, name)}: {why}", hint=hint)


def open_unblocked(path: Path) -> IO[bytes]:
    """The file, to be read; a FIFO that no one writes to would block. Raises `OSError`."""
    return open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))


def short_text(file: Path) -> str:
    """A small file's content without surrounding blanks; empty if it cannot be read."""
    try:
        with open_unblocked(file) as stream:
            text = stream.read(LARGEST_KEY_FILE) or b""  # None: a FIFO whose writer has written nothing
            return text.decode("utf-8", "replace").strip()
    except OSError:
        return ""
