"""The sources of secrets that references may name. A new one is a module and a line here."""

from __future__ import annotations

from toolkit.secrets.amazon import Chain, Profile
from toolkit.secrets.embedded import Embedded
from toolkit.secrets.environment import Environment
from toolkit.secrets.private_file import PrivateFile
from toolkit.secrets.source import KeySource, PairSource, SecretSource

KEY_SOURCES: tuple[KeySource, ...] = (Environment(), PrivateFile(), Embedded())
"""Sources of one value, in the order in which error messages list them."""
PAIR_SOURCES: tuple[PairSource, ...] = (Profile(), Chain())
"""Sources of both keys of a store, and possibly a session token."""


def source(kind: str) -> SecretSource | None:
    """The source of that kind, of one value or of both keys."""
    return key_source(kind) or pair_source(kind)


def key_source(kind: str) -> KeySource | None:
    """The source of one value of that kind."""
    return next((one for one in KEY_SOURCES if one.kind == kind), None)


def pair_source(kind: str) -> PairSource | None:
    """The source of both keys of that kind."""
    return next((one for one in PAIR_SOURCES if one.kind == kind), None)
