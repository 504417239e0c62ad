"""Debian's control files: paragraphs of fields (deb822(5)), and relations between packages (deb-control(5))."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

_BLANK = re.compile(r"\n[ \t]*\n")
_NAME = re.compile(r"\s*([a-z0-9][a-z0-9+.-]*)", re.IGNORECASE)


def paragraphs(text: str) -> Iterator[Mapping[str, str]]:
    """Each paragraph's fields, names in lower case; the lines of a field's value are kept separate."""
    for block in _BLANK.split(text.replace("\r\n", "\n")):
        fields: dict[str, str] = {}
        name = ""
        for line in block.splitlines():
            if line.startswith("#"):
                continue
            if line[:1] in (" ", "\t"):
                if name:
                    fields[name] += f"\n{line.strip()}"
            elif ":" in line:
                name, _, value = line.partition(":")
                name = name.strip().lower()
                fields[name] = value.strip()
        if fields:
            yield fields


def relations(value: str) -> tuple[tuple[str, ...], ...]:
    """The requirements in `Depends`: for each entry, the alternative names; versions and architectures are omitted."""
    entries = (entry.split("|") for entry in value.split(",") if entry.strip())
    named = (tuple(match[1] for part in entry if (match := _NAME.match(part))) for entry in entries)
    return tuple(names for names in named if names)
