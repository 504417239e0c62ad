r"""Text from elsewhere, without what a terminal would obey or hide. Pure.

A bucket, a program, a host or an engine may say anything: an escape sequence that clears the screen, sets its title or
the clipboard; a character that turns the direction of what follows, or has no width and makes two names look the same.
All of these become visible: `\x1b`, `\u202e`. What is above ASCII is written as JSON would have it, so that JSON
stays JSON.
"""

from __future__ import annotations

import re

_UNSHOWN = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\xad"  # controls but tab and line end; DEL, C1; the soft hyphen
    "\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180b-\u180f"  # marks of scripts without a width
    "\u115f\u1160\u17b4\u17b5\u3164\uffa0"  # letters that are blank
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # zero-width, line ends, directions, annotations
    "\ud800-\udfff"  # halves of characters
    "\U000110bd\U000110cd\U00013430-\U0001345f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff"  # tags and variations, in which text can be hidden
)
_ONE = re.compile(f"[{_UNSHOWN}]")
_COLOUR_OR_ONE = re.compile(rf"(\x1b\[[0-9;:]{{0,64}}m)|[{_UNSHOWN}]")
_RESET = "\x1b[0m"
LONGEST_LINE = 10_000
"""Characters of a line that a terminal is given."""


def neutral(text: str) -> str:
    """`text` with everything visible that a terminal would obey or hide; tabs and line ends stay."""
    return _ONE.sub(_visible, text)


def coloured(text: str) -> str:
    """As `neutral`, but sequences that set colours and other graphics (SGR) stay; they end with the text."""
    found = _COLOUR_OR_ONE.sub(lambda match: match[1] or _visible(match), text)
    return found + _RESET if _RESET[:2] in found else found


def cut(text: str, longest: int = LONGEST_LINE) -> str:
    """`text`, each of its lines with at most `longest` characters, and how many more it has."""
    if len(text) <= longest:
        return text
    return "\n".join(_cut(line, longest) for line in text.split("\n"))


def _cut(line: str, longest: int) -> str:
    return line if len(line) <= longest else f"{line[:longest]} … ({len(line) - longest} characters more)"


def _visible(match: re.Match[str]) -> str:
    number = ord(match[0])
    if number < 0x20:
        return f"\\x{number:02x}"
    if number < 0x10000:
        return f"\\u{number:04x}"
    high, low = divmod(number - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"
