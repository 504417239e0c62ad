"""Reading a command line as bash reads it: words, redirections, pipelines, `&&` and `||` lists. Pure.

What bash would run without leaving a status behind, or what only a whole shell's grammar can read (loops, groups,
here-documents, substitutions), is refused with the reason. (The one well-known parser of bash for Python, bashlex, is
under the GPL and has no release since 2023.)
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

SCRIPT = "put it in a script and name the script"
MAX_DEPTH = 4
"""Scripts in scripts: `bash -c "bash -c '…'"` is two."""
_FIRST, _ROOM = 0xD800, 400
"""In a word's value each level's expansions are surrogates of its own range, which no text has."""
_BLANK, _META = " \t", " \t\n;&|<>()"
_COMPOUND: tuple[str, ...] = (
    "if",
    "then",
    "elif",
    "else",
    "fi",
    "for",
    "while",
    "until",
    "do",
    "done",
    "case",
    "esac",
    "select",
)
_COMPOUND += ("function", "{", "}")
_SIMPLE_NAME = re.compile(r"\$(?:[A-Za-z_]\w*|[0-9@*#?$!-])")
_BRACED = re.compile(r"\$\{[^\s|{}'\"\\`$](?:[^{}'\"\\`$]|\$[A-Za-z_]\w*|\$\{\w+\})*\}")
_ARITHMETIC = re.compile(r"[\w\s+\-*/%<>=!&|^~?:,$()]*")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*(?:\[[^\]]*\])?\+?=")
_REDIRECTION = re.compile(r"&>>|&>|<<<|<<-|<<|<>|<&|>>|>&|>\||<|>")
_FILE_NUMBER = re.compile(r"\d+(?=[<>])|\{[A-Za-z_]\w*\}(?=[<>])")
BACKGROUND = (
    "a background job (&) is not read here: its status is lost, and it ends with the command; join commands with `;` or"
    " `&&`, or put them in a script that waits for each job (`wait PID`) and ends with its status"
)


@dataclass(frozen=True)
class Word:
    """A word: where it stands, and what it is without its quotes.

    Attributes:
        value: expansions in it are surrogates; `expansions` has what each of them was.
        split: an expansion, a glob or a brace outside quotes may make it any number of words.
    """

    start: int
    end: int
    value: str
    expansions: tuple[tuple[str, str], ...] = ()
    split: bool = False

    @property
    def literal(self) -> bool:
        """Whether its value is known."""
        return not self.split and not _has_expansion(self.value)


@dataclass(frozen=True)
class Simple:
    """A simple command, or a `[[ … ]]`, which has no words: assignments, then the program and its arguments."""

    start: int
    end: int
    assignments: tuple[Word, ...] = ()
    words: tuple[Word, ...] = ()


@dataclass(frozen=True)
class Pipeline:
    """`body` is where its first part begins, behind `!` and `time`; `joints` are `|` and `|&`."""

    start: int
    body: int
    end: int
    parts: tuple[Simple, ...]
    joints: tuple[str, ...] = ()
    negated: bool = False


@dataclass(frozen=True)
class AndOr:
    """Pipelines joined by `operators`: `&&`, `||`. `line` numbers the line that it begins on, from 0."""

    start: int
    end: int
    pipelines: tuple[Pipeline, ...]
    operators: tuple[str, ...] = ()
    line: int = 0


@dataclass
class _Reader:
    text: str
    level: int = 0
    dash: bool = False
    at: int = 0
    found: list[AndOr] = field(default_factory=list)

    def refuse(self, what: str, start: int | None = None) -> ValueError:
        piece = self.text[self.at if start is None else start :][:40]
        return ValueError(f"`{shown(piece).strip()}`: {what}" if piece.strip() else what)

    def looking_at(self, sign: str) -> bool:
        return self.text.startswith(sign, self.at)

    def skip(self, lines: bool) -> None:
        """Blanks, continued lines and comments; with `lines`, line ends too."""
        while self.at < len(self.text):
            if self.text[self.at] in (_BLANK + "\n" if lines else _BLANK):
                self.at += 1
            elif self.looking_at("\\\n"):
                self.at += 2
            elif self.text[self.at] == "#":
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            else:
                return

    def script(self) -> tuple[AndOr, ...]:
        while True:
            self.skip(lines=True)
            if self.level == 0 and self.looking_at(";"):  # Watson ML's manifests have `a ;; b` and `; a`
                self.at += 1
                continue
            if self.at >= len(self.text):
                return tuple(self.found)
            self.found.append(self.and_or())
            self.skip(lines=False)
            if self.at < len(self.text):
                if self.text[self.at] == ")":
                    raise self.refuse(f"`)` is not read here: {SCRIPT}", self.found[-1].start)
                self.at += 1  # a `;` or a line end: all else goes on with a command or is refused there

    def and_or(self) -> AndOr:
        start, line = self.at, self.text.count("\n", 0, self.at)
        pipelines, operators = [self.pipeline()], list[str]()
        while True:
            self.skip(lines=False)
            if not (self.looking_at("&&") or self.looking_at("||")):
                return AndOr(start, pipelines[-1].end, tuple(pipelines), tuple(operators), line)
            operators.append(self.text[self.at : self.at + 2])
            self.at += 2
            self.skip(lines=True)
            pipelines.append(self.pipeline())

    def pipeline(self) -> Pipeline:
        start, negated = self.at, False
        while prefix := re.compile(r"(!|time(?:[ \t]+-p)?(?:[ \t]+--)?)(?=[\s;&|<>]|$)").match(self.text, self.at):
            negated ^= prefix[1] == "!"
            self.at = prefix.end()
            self.skip(lines=False)
            if re.compile(r"[;\n]|$").match(self.text, self.at):  # `time` alone
                return Pipeline(start, prefix.end(), prefix.end(), (Simple(prefix.end(), prefix.end()),), (), negated)
        body = self.at
        parts, joints = [self.simple()], list[str]()
        while True:
            self.skip(lines=False)
            if not self.looking_at("|") or self.looking_at("||"):
                return Pipeline(start, body, parts[-1].end, tuple(parts), tuple(joints), negated)
            joints.append("|&" if self.looking_at("|&") else "|")
            if joints[-1] == "|&" and self.dash:
                raise self.refuse("`|&` is bash's, and `sh` is not bash in the images: write `bash -c`", start)
            self.at += len(joints[-1])
            self.skip(lines=True)
            parts.append(self.simple())

    def simple(self) -> Simple:
        start = end = self.at
        assignments, words, whole = list[Word](), list[Word](), False
        if re.compile(r"\[\[(?=\s)").match(self.text, start):
            self.condition()
            end, whole = self.at, True
        while True:
            self.skip(lines=False)
            if number := _FILE_NUMBER.match(self.text, self.at):
                self.at = number.end()
            if (sign := _REDIRECTION.match(self.text, self.at)) and self.redirection(sign[0], start):
                end = self.at
                continue
            character = self.text[self.at : self.at + 1]
            if character in ("(", ")"):
                raise self.refuse(f"`{character}` is not read here: {SCRIPT}", start)
            if character == "&" and not self.looking_at("&&"):
                raise self.refuse(BACKGROUND, start)
            if character == "" or character in _META:
                break
            if whole:
                raise self.refuse(f"a word behind `]]` is not read here: {SCRIPT}", start)
            word = self.word()
            raw, end = self.text[word.start : word.end], word.end
            if not words and _ASSIGNMENT.match(raw):
                assignments.append(word)
                continue
            if not words and raw in _COMPOUND:
                raise self.refuse(f"loops, conditions and groups are not read here: {SCRIPT}", start)
            words.append(word)
        if end == start:
            raise self.refuse(f"a command is missing here: {SCRIPT}")
        return Simple(start, end, tuple(assignments), tuple(words))

    def redirection(self, sign: str, start: int) -> bool:
        """Read `sign` and its file; false where it is something else."""
        if sign in ("<<", "<<-"):
            raise self.refuse(f"a here-document, `<<`, is not read here: {SCRIPT}", start)
        if self.dash and sign in ("&>", "&>>", "<<<"):
            what = "a background job and a `>`" if sign[0] == "&" else "an error"
            raise self.refuse(f"`{sign}` is {what} to `sh`, which is not bash in the images: write `bash -c`", start)
        if sign in ("<", ">") and self.text[self.at + 1 : self.at + 2] == "(":
            raise self.refuse(f"`{sign}(`: the status of what runs in it is lost; use a pipeline, or {SCRIPT}", start)
        self.at += len(sign)
        self.skip(lines=False)
        if self.at >= len(self.text) or self.text[self.at] in _META:
            if re.compile(r"[<>]\(").match(self.text, self.at):
                raise self.refuse(f"`>(`: the status of what runs in it is lost; use a pipeline, or {SCRIPT}", start)
            raise self.refuse(f"no file behind `{sign}`", start)
        self.word()
        return True

    def condition(self) -> None:
        """`[[ … ]]`, of which only the end matters."""
        start = self.at
        if self.dash:
            raise self.refuse("`[[` is bash's, and `sh` is not bash in the images: write `bash -c`")
        self.at += 2
        while self.at < len(self.text):
            if self.text[self.at] in _BLANK + "\n":
                self.at += 1
            elif re.compile(r"(?<=\s)\]\](?=[\s;&|<>()]|$)").match(self.text, self.at):
                self.at += 2
                return
            elif self.text[self.at] == ";" or re.compile(r"[<>]\(|(?<!&)&(?!&)").match(self.text, self.at):
                break
            elif self.text[self.at] in _META:
                self.at += 1
            else:
                self.word()
        raise self.refuse("`[[` is not closed by `]]`", start)

    def word(self) -> Word:
        start, value, expansions, split = self.at, list[str](), list[tuple[str, str]](), False
        while self.at < len(self.text) and self.text[self.at] not in _META:
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
            elif expansion := self.expansion(start):
                expansions.append((self.placeholder(expansions), expansion))
                value.append(expansions[-1][0])
                split = True
            else:
                value.append(character)
                split = split or character in "*?[{" or (character == "~" and self.at == start)
                self.at += 1
        return Word(start, self.at, "".join(value), tuple(expansions), split)

    def placeholder(self, expansions: list[tuple[str, str]]) -> str:
        if len(expansions) >= _ROOM:
            raise self.refuse(f"a word with more than {_ROOM} expansions is not read here: {SCRIPT}")
        return chr(_FIRST + self.level * _ROOM + len(expansions))

    def closed(self, quote: str, start: int) -> int:
        end = self.text.find(quote, start)
        if end < 0:
            raise ValueError(f"a quote {quote} is opened and never closed")
        return end

    def ansi(self, value: list[str]) -> bool:
        """`$'…'`; whether it has escapes, whose value is not known here."""
        match = re.compile(r"\$'((?:[^'\\]|\\[\s\S])*)'").match(self.text, self.at)
        if not match:
            raise ValueError("a quote ' is opened and never closed")
        value.append(match[1])
        self.at = match.end()
        return "\\" in match[1]

    def quoted(self, value: list[str], expansions: list[tuple[str, str]], start: int) -> None:
        """From behind a `"` to behind the one that closes it."""
        while self.at < len(self.text) and self.text[self.at] != '"':
            if self.text[self.at] == "\\" and self.text[self.at + 1 : self.at + 2] in tuple('$`"\\\n'):
                value.append(self.text[self.at + 1].replace("\n", ""))
                self.at += 2
            elif expansion := self.expansion(start):
                expansions.append((self.placeholder(expansions), expansion))
                value.append(expansions[-1][0])
            else:
                value.append(self.text[self.at])
                self.at += 1
        self.at = self.closed('"', self.at) + 1

    def expansion(self, start: int) -> str:
        """The expansion that begins here, passed over; empty where there is none."""
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
        """`$((…))`; where its parentheses do not close together it is a command in a substitution."""
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


def read_script(text: str, level: int = 0, dash: bool = False) -> tuple[AndOr, ...]:
    """What `text` runs, in order; raises `ValueError` with the reason where it is not read here.

    `level` is how many scripts it stands in. With `dash` it is for `sh`, which reads some signs in other ways.
    """
    if "\x00" in text:
        raise ValueError("a command holds a NUL byte")
    if level == 0 and _has_expansion(text):
        raise ValueError("a command holds half a character (a surrogate)")
    if level > MAX_DEPTH:
        raise ValueError(f"scripts in scripts, more than {MAX_DEPTH} deep, are not read here: {SCRIPT}")
    return _Reader(text, level, dash).script()


def shown(text: str) -> str:
    """`text` for a person: `…` for what stands in a variable of the shell around it."""
    return "".join("…" if _has_expansion(character) else character for character in text)


def _has_expansion(value: str) -> bool:
    return any(_FIRST <= ord(character) < 0xE000 for character in value)


def is_from_outside(word: Word, level: int) -> bool:
    """Whether `word`, in a script at `level`, has a variable of the shell around that script in it."""
    return any(_FIRST <= ord(character) < _FIRST + level * _ROOM for character in word.value)
