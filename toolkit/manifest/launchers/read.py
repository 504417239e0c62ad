"""Read a launcher's options from a command's words, as its own parser would. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from toolkit.manifest.launchers.model import Front, Launcher, Option, Style, Value
from toolkit.manifest.words import Word, has_expansion

_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\[[^]]*\])?\+?=")
_ABBREVIATED = (Style.ARGPARSE, Style.GETOPT)


@dataclass
class OptionReader:
    """Reads the options among `words` of `text`, starting at `at`; afterwards `at` is the program's word."""

    text: str
    words: Sequence[Word]
    at: int
    launcher: Launcher
    front: Front

    def read(self) -> None:
        """Read all of them; raises `ValueError` for one that is unknown or refused, or that has a wrong value."""
        begin = self.at
        while self.at < len(self.words):
            word = self.words[self.at]
            if word.value == "--":
                self.at += 1
                break
            if word.value[:1] != "-" or word.value == "-":
                self._refuse_options_in_a_variable(word)
                break
            self._option(word)
        if self.at >= len(self.words):
            end = self.words[-1].end
            piece = self.text[self.words[begin - 1 if begin else 0].start : end][:40]
            raise ValueError(f"`{piece}`: no command after the launcher and its flags")
        program = self._shown(self.words[self.at])
        if self.words[self.at].value.startswith("-"):
            raise ValueError(f"`{program}`: expected a program, and none begins with a dash")
        if not self.launcher.python and _ASSIGNMENT.match(program):  # without the launcher's options, bash would set it
            raise ValueError(f"`{program}`: expected a program; a variable is set in front of the launcher")

    def _refuse_options_in_a_variable(self, word: Word) -> None:
        held = "".join(text for _, text in word.expansions)
        if (word.split and word.expansions) or "[@]" in held or "$@" in held:
            what = "what it holds is not known here, and it stands among the options"
            raise ValueError(f'`{self._shown(word)}`: {what}: write them out, or quote the program ("$SCRIPT")')

    def _option(self, word: Word) -> None:
        name, equals, attached = word.value.partition("=")
        if has_expansion(name):
            raise ValueError(f"`{self._shown(word)}`: an option whose name is in a variable is not read here")
        option = self._find(name)
        if option is not None:
            self.at += 1
            self._act(option, word, attached if equals else None)
        elif not self._short(word):
            raise ValueError(self._unknown(name))

    def _short(self, word: Word) -> bool:
        """`-n4`, and with getopt `-lun4`; returns whether it was one."""
        if word.value[1:2] == "-" or self.launcher.style is Style.OPEN_MPI:
            return False
        letters = word.value[1:]
        options: list[Option] = []
        while letters:
            option = self._find(f"-{letters[0]}")
            if option is None or (options and self.launcher.style is not Style.GETOPT):
                return False
            letters = letters[1:]
            options.append(option)
            if option.values:
                break
        self.at += 1
        for option in options[:-1]:
            self._act(option, word, None)
        self._act(options[-1], word, letters or None)
        return True

    def _act(self, option: Option, word: Word, attached: str | None) -> None:
        """`attached` is the value in the same word."""
        end, values = word.end, list[Value]()
        if option.values and attached is not None:
            shown = self._shown(word)
            written = shown.partition("=")[2] if shown.startswith("--") else shown[2:]
            values.append(Value(written, attached if word.literal else None))
        elif attached is not None:
            raise ValueError(f"`{self._shown(word)}`: this flag takes no value")
        while len(values) < option.values and not option.attached:
            if self.at >= len(self.words):
                raise ValueError(f"`{self._shown(word)}`: its value is missing")
            value = self.words[self.at]
            values.append(Value(self._shown(value), value.value if value.literal else None))
            end = value.end
            self.at += 1
        option.act(self.front, self.text[word.start : end], tuple(values))

    def _find(self, name: str) -> Option | None:
        plain, options = self._plain(name), self.launcher.options
        exact = next((one for one in options if plain in map(self._plain, one.names)), None)
        if exact or self.launcher.style not in _ABBREVIATED or not plain.startswith("--"):
            return exact
        near = [one for one in options if any(self._plain(n).startswith(plain) for n in one.names)]
        return near[0] if len({one.act for one in near}) == 1 and len({one.values for one in near}) == 1 else None

    def _unknown(self, name: str) -> str:
        known = [spelling for option in self.launcher.options for spelling in option.names]
        near = get_close_matches(name, known, n=1)
        hint = f"did you mean `{near[0]}`? " if near else ""
        if not self.front.launcher:
            return f"`{name}`: unknown here; {hint}-x NAME=VALUE and --mca NAME VALUE may stand in front of a command"
        return (
            f"`{self.front.launcher} {name}`: unknown here; {hint}leave it out, or give the program with `ranks: all`"
        )

    def _shown(self, word: Word) -> str:
        return self.text[word.start : word.end]

    def _plain(self, name: str) -> str:
        """For comparison: Python's launchers accept `_` instead of `-` in a long name, Open MPI's any dashes."""
        if self.launcher.style is Style.OPEN_MPI:
            return name.lstrip("-")
        return name[:2] + name[2:].replace("_", "-") if name.startswith("--") else name
