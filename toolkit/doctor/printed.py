"""What a host printed, section by section, and how numbers are parsed from it. Pure; accepts any text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

MARK = "@toolkit "
"""The beginning of a line that names the section below it."""
KIB = 1024
_NUMBER = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True)
class Printed:
    """What a host printed, and this machine's clock (seconds since 1970) before the request and after the answer."""

    text: str
    asked: float = 0.0
    answered: float = 0.0

    @cached_property
    def sections(self) -> Mapping[str, str]:
        """The text below each `@toolkit NAME`; anything before the first comes from the login shell."""
        sections: dict[str, str] = {}
        name = ""
        for line in self.text.split("\n"):
            if line.startswith(MARK):
                name = line.removeprefix(MARK).strip()
                sections[name] = ""
            elif name:
                sections[name] += f"{line}\n"
        return sections

    def section(self, name: str) -> str:
        """The text of a section; empty if it is missing."""
        return self.sections.get(name, "")

    def lines(self, section: str) -> list[str]:
        """The non-empty lines of a section, stripped."""
        return [line.strip() for line in self.section(section).splitlines() if line.strip()]

    def first(self, section: str) -> str:
        """The first of these lines; empty if there is none."""
        return next(iter(self.lines(section)), "")


def number(text: str) -> int | None:
    """A number of up to 18 digits; None for any other text."""
    return int(text) if _NUMBER.fullmatch(text) else None


def kib(text: str) -> int | None:
    """Bytes, for a text whose first number counts KiB."""
    match = _NUMBER.search(text)
    return int(match[0]) * KIB if match else None
