"""A key's passphrase, by a reference: `${env:NAME}` or `${file:PATH}`.

Unlike a store's key, it may hold any character.
"""

from __future__ import annotations

from collections.abc import Mapping

from toolkit.errors import Code, ToolkitError
from toolkit.secrets import registry
from toolkit.secrets.reference import LITERAL, parse_secret
from toolkit.secrets.secret import Secret
from toolkit.secrets.source import Lookup

SPELLINGS = "'${env:NAME}' or '${file:PATH}'"


def resolve_passphrase(text: str, environment: Mapping[str, str]) -> Secret:
    """The passphrase that the reference `text` refers to.

    Raises `ToolkitError` (C103) if it leads nowhere, or if `text` is no reference: it may be the passphrase itself, so
    it is not repeated.
    """
    reference = parse_secret(text)
    source = registry.key_source(reference.kind)
    if source is None:
        why = f"{reference}: gives both keys of a store, and a passphrase is asked for"
        if reference.kind == LITERAL:
            why = "a reference to the passphrase is asked for, not a passphrase: others can read a command line"
        raise ToolkitError(Code.CREDENTIALS, why, hint=f"name where it is, {SPELLINGS}")
    return source.secret(reference.value.reveal(), Lookup(environment, {}))
