r"""External text, without what a terminal interprets or hides. Pure.

A bucket, a program, a host or an engine may send anything: an escape sequence that clears the screen, sets its title or
the clipboard; a character that changes the direction of the text, or has no width and makes two names look the same.
All of these become visible: `\x1b`, `\u202e`. What is above ASCII is escaped as in JSON, so that JSON remains
JSON.
"""

from __future__ import annotations

import re

_UNSHOWN = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\xad"  # controls except tab and line end; DEL, C1; the soft hyphen
    "\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180b-\u180f"  # zero-width marks of scripts
    "\u115f\u1160\u17b4\u17b5\u3164\uffa0"  # blank letters
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # zero-width, line ends, directions, annotations
    "\ud800-\udfff"  # surrogates
    "\U000110bd\U000110cd\U00013430-\U0001345f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff"  # tags and variation selectors, which can hide text
)
_ONE = re.compile(f"[{_UNSHOWN}]")
_COLOUR_OR_ONE = re.compile(rf"(\x1b\[[0-9;:]{{0,64}}m)|[{_UNSHOWN}]")
_RESET = "\x1b[0m"
LONGEST_LINE = 10_000
"""Maximum characters per line for a terminal."""


def neutral(text: str) -> str:
    """`text` with everything made visible that a terminal interprets or hides; tabs and line ends stay."""
    return _ONE.sub(_visible, text)


def coloured(text: str) -> str:
    """Like `neutral`, but sequences that set colours and other graphics (SGR) stay, and are reset at the end."""
    found = _COLOUR_OR_ONE.sub(lambda match: match[1] or _visible(match), text)
    return found + _RESET if _RESET[:2] in found else found


def cut(text: str, longest: int = LONGEST_LINE) -> str:
    """`text` with at most `longest` characters per line, and how many more each has."""
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
