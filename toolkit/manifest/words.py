"""The words of a command line as bash reads them: quotes, escapes and expansions. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

SCRIPT = "put it in a script and name the script"
META = " \t\n;&|<>()"
"""What ends a word."""
_FIRST, _ROOM = 0xD800, 400
"""In a word's value, expansions are replaced with surrogates, a range for each level; no text contains them."""
_SIMPLE_NAME = re.compile(r"\$(?:[A-Za-z_]\w*|[0-9@*#?$!-])")
_BRACED = re.compile(r"\$\{[^\s|{}'\"\\`$](?:[^{}'\"\\`$]|\$[A-Za-z_]\w*|\$\{\w+\})*\}")
_ARITHMETIC = re.compile(r"[\w\s+\-*/%<>=!&|^~?:,$()]*")
_TYPESET = re.compile("[\u2010-\u2015\u2212](?=[\u2010-\u2015\u2212A-Za-z-])")
"""After a blank: what word processors and web pages turn the `-` or `--` of an option into."""
_TYPESET_ANYWHERE = {
    **dict.fromkeys("\u00a0\u1680\u2007\u200b\u202f\u2060\u3000\ufeff", "a blank"),
    **dict.fromkeys("\u2018\u201c\u201d\u201e", "a quote"),
}
"""The same for blanks and quotes: bash reads each as a letter."""


@dataclass(frozen=True)
class Word:
    """A word: its position, and its value without quotes.

    Attributes:
        value: expansions in it are replaced with surrogates; `expansions` maps each to its text.
        split: an unquoted expansion, glob or brace may turn it into any number of words.
    """

    start: int
    end: int
    value: str
    expansions: tuple[tuple[str, str], ...] = ()
    split: bool = False

    @property
    def literal(self) -> bool:
        """Whether its value is known."""
        return not self.split and not has_expansion(self.value)


@dataclass
class WordReader:
    """Reads words of `text` from `at` on; `level` is how many scripts contain the text. Raises `ValueError`."""

    text: str
    level: int = 0
    at: int = 0

    def refuse(self, what: str, start: int | None = None) -> ValueError:
        piece = self.text[self.at if start is None else start :][:40]
        return ValueError(f"`{shown(piece).strip()}`: {what}" if piece.strip() else what)

    def looking_at(self, sign: str) -> bool:
        return self.text.startswith(sign, self.at)

    def word(self) -> Word:
        start, value, expansions, split = self.at, list[str](), list[tuple[str, str]](), False
        while self.at < len(self.text) and self.text[self.at] not in META:
            character = self.text[self.at]
            if character == "\\":
                if self.at + 1 >= len(self.text):
                    raise ValueError("the command ends in a backslash")
                value.append(self.text[self.at + 1].replace("\n", ""))
                self.at += 2
            elif character == "'":
                end = self.closed("'", self.at + 1)
                value.append(self.text[self.at + 1 : end])
                self.at = end + 1
            elif self.looking_at("$'"):
                split = self.ansi(value) or split
            elif character == '"' or self.looking_at('$"'):
                self.at += 1 if character == '"' else 2
                self.quoted(value, expansions, start)
            elif self.expanded(value, expansions, start):
                split = True
            else:
                self.refuse_typeset(character, start)
                value.append(character)
                split = split or character in "*?[{" or (character == "~" and self.at == start)
                self.at += 1
        return Word(start, self.at, "".join(value), tuple(expansions), split)

    def refuse_typeset(self, character: str, start: int) -> None:
        """Refuse what was `-`, a blank or a quote before typesetting, and is a letter to bash."""
        what = _TYPESET_ANYWHERE.get(character, "")
        if self.at == start and _TYPESET.match(self.text, start):
            what = "`-`"
        if what:
            number = f"U+{ord(character):04X}"
            raise self.refuse(f"{number} is a letter to bash, and no {what.removeprefix('a ')}: type it anew", start)

    def expanded(self, value: list[str], expansions: list[tuple[str, str]], start: int) -> bool:
        """Read the expansion that begins here, and add its placeholder; false if there is none."""
        expansion = self.expansion(start)
        if expansion and len(expansions) >= _ROOM:
            raise self.refuse(f"a word with more than {_ROOM} expansions is not read here: {SCRIPT}")
        if expansion:
            value.append(chr(_FIRST + self.level * _ROOM + len(expansions)))
            expansions.append((value[-1], expansion))
        return bool(expansion)

    def closed(self, quote: str, start: int) -> int:
        end = self.text.find(quote, start)
        if end < 0:
            raise ValueError(f"a quote {quote} is opened and never closed")
        return end

    def ansi(self, value: list[str]) -> bool:
        """`$'…'`; returns whether it has escapes, whose value is not known here."""
        match = re.compile(r"\$'((?:[^'\\]|\\[\s\S])*)'").match(self.text, self.at)
        if not match:
            raise ValueError("a quote ' is opened and never closed")
        value.append(match[1])
        self.at = match.end()
        return "\\" in match[1]

    def quoted(self, value: list[str], expansions: list[tuple[str, str]], start: int) -> None:
        """From after a `"` to after the closing one."""
        while self.at < len(self.text) and self.text[self.at] != '"':
            if self.text[self.at] == "\\" and self.text[self.at + 1 : self.at + 2] in tuple('$`"\\\n'):
                value.append(self.text[self.at + 1].replace("\n", ""))
                self.at += 2
            elif not self.expanded(value, expansions, start):
                value.append(self.text[self.at])
                self.at += 1
        self.at = self.closed('"', self.at) + 1

    def expansion(self, start: int) -> str:
        """Read the expansion that begins here; empty if there is none."""
        if self.looking_at("$(("):
            return self.arithmetic(start)
        for sign in ("$(", "`", "$["):
            if self.looking_at(sign):
                raise self.refuse(f"`{sign}` is not read here, the status of what runs in it is lost: {SCRIPT}", start)
        match = _SIMPLE_NAME.match(self.text, self.at)
        if self.looking_at("${"):
            match = _BRACED.match(self.text, self.at)
            if not match or re.search(r"[<>]\(|@P\}$", match[0]):
                raise self.refuse(f"this `${{` is not read here: {SCRIPT}", start)
        if not match:
            return ""
        self.at = match.end()
        return match[0]

    def arithmetic(self, start: int) -> str:
        """`$((…))`; if its parentheses do not close together, it is a command substitution."""
        depth, end = 0, self.at + 2
        while end < len(self.text):
            depth += {"(": 1, ")": -1}.get(self.text[end], 0)
            end += 1
            if depth == 0:
                break
        content = self.text[self.at + 3 : end - 1]
        if depth or self.text[end : end + 1] != ")" or not _ARITHMETIC.fullmatch(content) or "$(" in content:
            raise self.refuse(f"this `$((` is not read here: {SCRIPT}", start)
        begin, self.at = self.at, end + 1
        return self.text[begin : self.at]


def shown(text: str) -> str:
    """`text` for people: `…` for the value of a variable of the surrounding shell."""
    return "".join("…" if has_expansion(character) else character for character in text)


def has_expansion(value: str) -> bool:
    """Whether a word's value contains an expansion."""
    return any(_FIRST <= ord(character) < 0xE000 for character in value)


def is_from_outside(word: Word, level: int) -> bool:
    """Whether `word`, in a script at `level`, contains a variable of the shell around that script."""
    return any(_FIRST <= ord(character) < _FIRST + level * _ROOM for character in word.value)
