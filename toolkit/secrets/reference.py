"""A secret in a manifest: the secret itself, or a reference to where it is, `${env:NAME}`; and its resolution."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from toolkit.errors import Code, ToolkitError
from toolkit.secrets import registry
from toolkit.secrets.secret import Secret
from toolkit.secrets.source import Lookup, spelled

LITERAL = "literal"
"""The kind of what is not a reference: the secret itself is in the manifest."""
_REFERENCE = re.compile(r"\$\{([a-z0-9-]+)(?::([^}]+))?\}")


@dataclass(frozen=True)
class SecretReference:
    """Where a secret comes from: `literal` (it is in the manifest), or the kind of its source and a name there."""

    kind: str
    value: Secret

    def __str__(self) -> str:
        return "[redacted]" if self.kind == LITERAL else spelled(self.kind, self.value.reveal())


def parse_secret(text: str) -> SecretReference:
    """Parse `${env:NAME}`, `${chain}` and the like, or use the text itself as the secret."""
    match = _REFERENCE.fullmatch(text)
    source = registry.source(match[1]) if match else None
    if match and source and source.takes_name == bool(match[2]):
        return SecretReference(source.kind, Secret(match[2] or ""))
    return SecretReference(LITERAL, Secret(text))


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
