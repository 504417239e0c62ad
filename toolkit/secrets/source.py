"""What a source of secrets is to the tool. Each is a module of this package and a line in `registry`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from toolkit.errors import Code, ToolkitError
from toolkit.secrets.secret import Secret

_LARGEST_KEY_FILE = 64 << 10


@dataclass(frozen=True)
class Lookup:
    """What a source may look into: the operator's environment, and the keys of the embedded store by name."""

    environment: Mapping[str, str]
    embedded: Mapping[str, Secret]


@dataclass(frozen=True)
class Surroundings:
    """Where a run's secrets may lie on this machine: the folders that a relative name of a file starts from, the
    operator's environment, and the tool's own folder, `~/.toolkit`."""

    folders: tuple[Path, ...]
    environment: Mapping[str, str]
    home: Path


class SecretSource(Protocol):
    """A kind of reference.

    Attributes:
        kind: `env` of `${env:NAME}`: small letters, digits and dashes.
        takes_name: whether a name stands behind it; `${chain}` has none.
        spelling: the reference as error messages show it, `${env:NAME}`.
    """

    @property
    def kind(self) -> str: ...

    @property
    def takes_name(self) -> bool: ...

    @property
    def spelling(self) -> str: ...

    def key_files(self, name: str) -> Iterable[str]:
        """The files that the reference `name` names. They are never submitted with the code."""
        ...

    def within_reach(self, name: str, around: Surroundings) -> Iterable[Secret]:
        """What submitted code must not contain: the secret, as far as it can be had without asking anyone. Raises
        nothing; a secret that is not there is none."""
        ...


class KeySource(SecretSource, Protocol):
    """A source of one value."""

    def secret(self, name: str, lookup: Lookup) -> Secret:
        """The value behind `name`; raises `ToolkitError` (C103) that names the reference and not the value."""
        ...


class PairSource(SecretSource, Protocol):
    """A source of both keys of a store.

    Attributes:
        means: what it is, as error messages have it behind the spelling.
        name_pattern: a regular expression for its name, one that JSON Schema understands; empty where it takes none.
    """

    @property
    def means(self) -> str: ...

    @property
    def name_pattern(self) -> str: ...

    def pair(self, name: str) -> tuple[Secret, Secret, Secret | None]:
        """Access key, secret key and, where they are a session's, its token; raises `ToolkitError` (C103)."""
        ...


def leads_nowhere(kind: str, name: str, why: str, hint: str = "") -> ToolkitError:
    """The error (C103) of a reference, which it names."""
    reference = f"${{{kind}:{name}}}" if name else f"${{{kind}}}"
    return ToolkitError(Code.CREDENTIALS, f"{reference}: {why}", hint=hint)


def short_text(file: Path) -> str:
    """What a small file holds, without blanks around it; nothing where it cannot be read."""
    try:
        with file.open("rb") as stream:
            return stream.read(_LARGEST_KEY_FILE).decode("utf-8", "replace").strip()
    except OSError:
        return ""
