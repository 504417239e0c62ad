"""Keys in the submitted code: those of a run's own manifest and cluster, and what looks like a key in any file."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote_from_bytes

from toolkit.cluster.model import Cluster
from toolkit.manifest.dialects import registry
from toolkit.manifest.model import Manifest
from toolkit.secrets import Secret
from toolkit.secrets import registry as secret_sources
from toolkit.secrets.source import Surroundings
from toolkit.validation.leaks import holds_private_key, known_secrets

WINDOW, OVERLAP = 4 << 20, 16 << 10
"""Bytes searched at a time; a secret and the text that identifies it are shorter than the overlap."""
_SHORTEST_KEY, _SHORTEST_ID = 8, 16
_LOOKED_AT = 8 << 10
"""Bytes at the beginning, in which text has no NUL; git uses the same rule."""
_ENVIRONMENT = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_LITERAL = re.compile(
    rb"(?i)[\"']?\b(?:(?:aws_)?access_key_id|(?:aws_)?secret_access_key|secret_key|password|passwd|user_?id|user_?name"
    rb"|sse_customer_key|session_token|token|api_?key)"
    rb"[\"']?[ \t]*:[ \t]*[\"']?(?!\$\{|<|embedded\b|null\b|~|[\"'\s,}#])[^\s\"',}]"
)
_INI_SECTION = re.compile(rb"(?m)^\[[^\]\n]{1,100}\]\s*$")
_ASSIGNED = re.compile(
    rb"(?im)^[ \t]*(?:export[ \t]+)?(?:aws_secret_access_key|aws_session_token|secret_access_key|secret_key)"
    rb"[ \t]*=[ \t]*(?P<value>[^\s,()\[\]{}$<\"']{8,})[ \t]*$"
)
_QUOTED = re.compile(
    rb"(?i)\b(?:aws_)?secret_?(?:access_?)?key[\"']?\s*[:=]\s*(?P<quote>[\"'])(?P<value>[A-Za-z0-9/+=_-]{16,})(?P=quote)"
)
_UTF16 = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}


@dataclass(frozen=True)
class Known:
    """What this run itself could leak: the key files that its manifest and cluster name, the keys' own values."""

    files: tuple[Path, ...] = ()
    values: tuple[Secret, ...] = ()

    def holds(self, status: os.stat_result) -> bool:
        """Whether a file is one of the key files, under whatever name."""
        for file in self.files:
            with suppress(OSError):
                if os.path.samestat(file.stat(), status):
                    return True
        return False


NOTHING_KNOWN = Known()


def known_to(
    manifest: Manifest, manifest_file: Path, cluster: Cluster, environment: Mapping[str, str], home: Path
) -> Known:
    """The keys that `manifest` and `cluster` name, as far as they are here: no prompts, and none needs to exist."""
    folders = (Path(), manifest_file.parent)
    around = Surroundings(folders, environment, home)
    files = [file for file in (cluster.access.identity,) if file]
    found = [(Secret(environment[name]), _SHORTEST_KEY) for name in _ENVIRONMENT if environment.get(name)]
    for reference in manifest.buckets.values():
        for field, key in reference.connection.secrets.items():
            values: Iterable[Secret] = (key.value,)
            if source := secret_sources.source(key.kind):
                text = key.value.reveal()
                files += [folder / Path(name).expanduser() for name in source.key_files(text) for folder in folders]
                values = source.within_reach(text, around)
            shortest = _SHORTEST_ID if field == "access_key_id" else _SHORTEST_KEY
            found += [(value, shortest) for value in values]
    return Known(tuple(files), tuple({value for value, shortest in found if len(value.reveal()) >= shortest}))


def secrets_in_code(content: bytes, values: tuple[Secret, ...]) -> Iterator[str]:
    """Describe each key in a piece of a file; no description quotes it."""
    text = content
    for mark, encoding in _UTF16.items():
        if content.startswith(mark):
            text = content.decode(encoding, "replace").encode("utf-8", "replace")
    is_text = b"\0" not in text[:_LOOKED_AT]
    spelled = (_spellings(value.reveal().encode()) if is_text else (value.reveal().encode(),) for value in values)
    if any(spelling in text for spellings in spelled for spelling in spellings):
        yield "a key of this run"
    if holds_private_key(text):
        yield "a private key"
    if not is_text:  # weights, archives: hundreds of megabytes, in which any three letters occur somewhere
        return
    yield from known_secrets(text)
    if b"ecret" in text or b"ECRET" in text or b"oken" in text or b"OKEN" in text:
        if _INI_SECTION.search(text) and _ASSIGNED.search(text):
            yield "a secret key in a settings file"
        elif _QUOTED.search(text):
            yield "a secret key"


@lru_cache(maxsize=64)
def _spellings(value: bytes) -> tuple[bytes, ...]:
    """A key as it is, URL-encoded, in hexadecimal, and in base64 at any offset in a longer text."""
    inner = tuple(
        base64.b64encode(bytes(shift) + value)[4 if shift else 0 : (len(value) + shift) // 3 * 4] for shift in range(3)
    )
    whole = (value, quote_from_bytes(value, safe="").encode(), value.hex().encode(), value.hex().upper().encode())
    return tuple(dict.fromkeys((*whole, *(one for one in inner if len(one) >= _SHORTEST_KEY))))


def is_manifest_with_keys(content: bytes) -> bool:
    """Whether a file is a manifest with literal keys."""
    names = tuple(name for dialect in registry.DIALECTS for name in (*dialect.signs, *dialect.references))
    return bool(_any_at_top(names).search(content) and _LITERAL.search(content))


@lru_cache(maxsize=4)
def _any_at_top(names: tuple[str, ...]) -> re.Pattern[bytes]:
    """Any of `names` as a key of YAML or JSON, at the beginning of a line or inside braces."""
    return re.compile(
        rb"(?m)(?:^|[{,])\s*[\"']?(?:%s)[\"']?\s*:" % "|".join(map(re.escape, dict.fromkeys(names))).encode()
    )
