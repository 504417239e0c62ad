"""A secret in a manifest: the secret itself, or a reference to where it is, `${env:NAME}`. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from toolkit.secrets import registry
from toolkit.secrets.secret import Secret
from toolkit.secrets.source import spelled

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
