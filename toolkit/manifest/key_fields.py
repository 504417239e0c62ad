"""Fields that hold a key, or a reference to one: what the registered sources of secrets accept."""

from __future__ import annotations

import re
from typing import Annotated

from toolkit.manifest.fields import Text
from toolkit.secrets import parse_secret, registry


def _key_reference(value: str) -> None:
    if not value.strip():
        raise ValueError("empty; give the key or a reference such as ${env:AWS_ACCESS_KEY_ID}")
    if any(ord(character) < 33 or ord(character) > 126 for character in value):
        raise ValueError("a key has no spaces and no characters outside ASCII")
    if value.startswith("${") and not registry.key_source(parse_secret(value).kind):
        *first, last = (source.spelling for source in registry.KEY_SOURCES)
        raise ValueError(f"not a reference that is read here: {', '.join(first)} or {last}")


def _key_schema() -> str:
    kinds = "|".join(source.kind for source in registry.KEY_SOURCES)
    return rf"\$\{{(?:{kinds}):[!-|~]{{1,1000}}\}}|(?!\$\{{)[!-~]{{1,4000}}"


def _pair_reference(value: str) -> None:
    if not re.fullmatch(_pair_schema(), value):
        known = (f"{source.spelling}, {source.means}" for source in registry.PAIR_SOURCES)
        raise ValueError(f"expected {', or '.join(known)}")


def _pair_schema() -> str:
    names = ((source.kind, f":{source.name_pattern}" if source.takes_name else "") for source in registry.PAIR_SOURCES)
    return "|".join(rf"\$\{{{kind}{name}\}}" for kind, name in names)


Key = Annotated[str, Text(r"[\s\S]{0,4000}", "too long for a key", further=_key_reference, schema=_key_schema)]
PairReference = Annotated[str, Text(r"[\s\S]*", "", further=_pair_reference, schema=_pair_schema)]
