"""Parse a command line as bash does: words, redirections, pipelines, `&&` and `||` lists. Pure.

What bash would run without leaving a status, and what only a full shell grammar can parse (loops, groups,
here-documents, substitutions), is refused with the reason. (The one well-known bash parser for Python, bashlex, is
under the GPL and has had no release since 2023.)
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from toolkit.manifest.words import META, SCRIPT, Word, WordReader, has_expansion

MAX_DEPTH = 4
"""Nested scripts: `bash -c "bash -c '…'"` is two levels."""
_BLANK = " \t"
_COMPOUND = ("if", "then", "elif", "else", "fi", "case", "esac", "for", "while", "until", "do", "done", "select")
_RESERVED = (*_COMPOUND, "function", "{", "}", "]]")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*(?:\[[^\]]*\])?\+?=")
_REDIRECTION = re.compile(r"&>>|&>|<<<|<<-|<<|<>|<&|>>|>&|>\||<|>")
_FILE_NUMBER = re.compile(r"\d+(?=[<>])|\{[A-Za-z_]\w*\}(?=[<>])")
BACKGROUND = (
    "a background job (&) is not read here: its status is lost, and it ends with the command; join commands with `;` or"
    " `&&`, or put them in a script that waits for each job (`wait PID`) and ends with its status"
)


@dataclass(frozen=True)
class Simple:
    """A simple command, or a `[[ … ]]`, which has no words: assignments, then the program and its arguments."""

    start: int
    end: int
    assignments: tuple[Word, ...] = ()
    words: tuple[Word, ...] = ()


@dataclass(frozen=True)
class Pipeline:
    """`body` is where its first part begins, after `!` and `time`; `joints` are `|` and `|&`."""

    start: int
    body: int
    end: int
    parts: tuple[Simple, ...]
    joints: tuple[str, ...] = ()
    negated: bool = False


@dataclass(frozen=True)
class AndOr:
    """Pipelines joined by `operators`: `&&`, `||`. `line` is the number of its first line, from 0."""

    start: int
    end: int
    pipelines: tuple[Pipeline, ...]
    operators: tuple[str, ...] = ()
    line: int = 0


@dataclass
class _Reader(WordReader):
    dash: bool = False
    found: list[AndOr] = field(default_factory=list)

    def skip(self, lines: bool) -> None:
        """Skip blanks, continued lines and comments; with `lines`, also line ends."""
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
                self.at += 1  # a `;` or a line end: anything else continues a command or is refused there

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
            if character == "" or character in META:
                break
            if whole:
                raise self.refuse(f"a word after `]]` is not read here: {SCRIPT}", start)
            word = self.word()
            raw, end = self.text[word.start : word.end], word.end
            if not words and _ASSIGNMENT.match(raw):
                assignments.append(word)
                continue
            if not words and raw in _RESERVED:
                raise self.refuse(f"loops, conditions and groups are not read here: {SCRIPT}", start)
            if not words and raw == "!":
                raise self.refuse("`!` stands in front of a whole pipeline", start)
            words.append(word)
        if end == start:
            sign = re.search(r"(?:&&|\|\||\|&|\||!)(?=\s*$)", self.text[: self.at])
            where = f"after `{sign[0]}`" if sign else "here"
            raise self.refuse(f"a command is missing {where}: write it, or leave the sign out")
        return Simple(start, end, tuple(assignments), tuple(words))

    def redirection(self, sign: str, start: int) -> bool:
        """Read `sign` and its file; false if it is something else."""
        if sign in ("<<", "<<-"):
            raise self.refuse(f"a here-document, `<<`, is not read here: {SCRIPT}", start)
        if self.dash and sign in ("&>", "&>>", "<<<"):
            what = "a background job and a `>`" if sign[0] == "&" else "an error"
            raise self.refuse(f"`{sign}` is {what} to `sh`, which is not bash in the images: write `bash -c`", start)
        if sign in ("<", ">") and self.text[self.at + 1 : self.at + 2] == "(":
            raise self.refuse(f"`{sign}(`: the status of what runs in it is lost; use a pipeline, or {SCRIPT}", start)
        self.at += len(sign)
        self.skip(lines=False)
        # bash reads digits before a sign as a file descriptor, not as a file's name: `< 2> log`.
        if self.at >= len(self.text) or self.text[self.at] in META or _FILE_NUMBER.match(self.text, self.at):
            if re.compile(r"[<>]\(").match(self.text, self.at):
                raise self.refuse(f"`>(`: the status of what runs in it is lost; use a pipeline, or {SCRIPT}", start)
            raise self.refuse(f"no file after `{sign}`", start)
        self.word()
        return True

    def condition(self) -> None:
        """`[[ … ]]`; only its end matters."""
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
            elif self.text[self.at] in META:
                self.at += 1
            else:
                self.word()
        raise self.refuse("`[[` is not closed by `]]`", start)


def read_script(text: str, level: int = 0, dash: bool = False) -> tuple[AndOr, ...]:
    """What `text` runs, in order; raises `ValueError` with the reason if it cannot be read here.

    `level` is the number of scripts that contain it. With `dash` it is for `sh`, which reads some signs differently.
    """
    if "\x00" in text:
        raise ValueError("a command holds a NUL byte")
    if level == 0 and has_expansion(text):
        raise ValueError("a command holds half a character (a surrogate)")
    if level > MAX_DEPTH:
        raise ValueError(f"scripts in scripts, more than {MAX_DEPTH} deep, are not read here: {SCRIPT}")
    return _Reader(text, level, dash=dash).script()
