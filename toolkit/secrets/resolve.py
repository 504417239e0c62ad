"""Resolve references to secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping

from toolkit.errors import Code, ToolkitError
from toolkit.secrets import registry
from toolkit.secrets.reference import LITERAL, SecretReference
from toolkit.secrets.secret import Secret
from toolkit.secrets.source import Lookup


def resolve_secret(
    reference: SecretReference, environment: Mapping[str, str], embedded: Mapping[str, Secret]
) -> Secret:
    """The secret that `reference` refers to; raises `ToolkitError` (C103) naming the reference if there is none."""
    if reference.kind == LITERAL:
        secret = reference.value
    elif source := registry.key_source(reference.kind):
        secret = source.secret(reference.value.reveal(), Lookup(environment, embedded))
    else:
        raise ToolkitError(Code.CREDENTIALS, f"{reference}: gives both keys of a store, and one is asked for")
    if not re.fullmatch(r"[\x21-\x7e]+", secret.reveal()):
        raise ToolkitError(Code.CREDENTIALS, f"{reference}: empty, or holds a space or a character that no key has")
    return secret


def resolve_pair(reference: SecretReference) -> tuple[Secret, Secret, Secret | None]:
    """Access key, secret key and, for a session, its token.

    Raises `ToolkitError` (C103) if the profile does not exist or the chain finds nothing, and `ValueError` for a
    reference for which `gives_pair` is false.
    """
    source = registry.pair_source(reference.kind)
    if source is None:
        raise ValueError(f"{reference} gives one key")
    return source.pair(reference.value.reveal())


def gives_pair(reference: SecretReference) -> bool:
    """Whether both keys of a store come from `reference`."""
    return registry.pair_source(reference.kind) is not None
