"""Names with ranges, as in pdsh and Slurm: `p100-[01-08]`, `p[1-3,7]`, `r[1-2]n[1-4]`, `a,b[1-2]`. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product

MOST = 4096
"""More hosts than in any real cluster file; a typo can ask for more."""
LONGEST = 1 << 18
"""Characters: 4096 names of 63 each."""
_SHOWN = 200
_PART = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?")
_PIECE = re.compile(r"\[([^][]*)\]|([^][]+)")


def expand(text: str) -> tuple[str, ...]:
    """The names that `text` expands to, in order; the last range varies fastest, leading zeros are preserved.

    Raises `ValueError` with a readable message if a range is empty, backwards or malformed, or if there are more
    than 4096 names.
    """
    names: list[str] = []
    if len(text) > LONGEST:
        raise ValueError(f"{_shown(text)}: more than {LONGEST} characters")
    for word in _split(text):
        names += _expand_word(word, MOST - len(names))
    return tuple(names)


def _split(text: str) -> Iterator[str]:
    """The parts between commas; commas in brackets do not separate."""
    begin, inside = 0, False
    for end, character in enumerate(f"{text},"):
        if character in "[]":
            inside = character == "["
        elif character == "," and (not inside or end == len(text)):
            word, begin = text[begin:end].strip(), end + 1
            if not word:
                raise ValueError(f"{_shown(text)}: an empty name" if text.strip() else "an empty name")
            yield word


def _expand_word(word: str, room: int) -> list[str]:
    pieces = list(_PIECE.finditer(word))
    if "".join(piece[0] for piece in pieces) != word:
        raise ValueError(f"{_shown(word)}: unbalanced or nested brackets")
    choices: list[list[str]] = []
    count = 1
    for piece in pieces:
        choices.append([piece[2]] if piece[2] else _range(piece[1], word, room))
        count *= len(choices[-1])
        if count > room:
            raise ValueError(f"{_shown(word)}: more than {MOST} names")
    return ["".join(parts) for parts in product(*choices)]


def _range(inside: str, word: str, room: int) -> list[str]:
    numbers: list[str] = []
    for part in inside.split(","):
        match = _PART.fullmatch(part.strip())
        if not match:
            found = f"[{inside if len(inside) <= _SHOWN else inside[:_SHOWN] + ' …'}]"
            raise ValueError(f"{_shown(word)}: expected numbers in brackets, such as [01-08] or [1-3,7], found {found}")
        first, last = match[1], match[2] or match[1]
        if int(last) < int(first):
            raise ValueError(f"{_shown(word)}: the range {first}-{last} is empty; {last}-{first} is meant?")
        if len(last) != len(first) and "0" in (first[0], last[0]) and first != "0":
            raise ValueError(f"{_shown(word)}: {first}-{last}: with leading zeros both ends need the same width")
        if len(numbers) + int(last) - int(first) >= room:
            raise ValueError(f"{_shown(word)}: more than {MOST} names")
        width = len(first) if first[0] == "0" and len(first) > 1 else 0
        numbers += [f"{number:0{width}d}" for number in range(int(first), int(last) + 1)]
    return numbers


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]} …")
