"""argparse with groups of commands, checked examples and "did you mean".

It imports only what `toolkit --help` needs; errors may import more.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence

TYPE_CHECKING = False  # importing `typing` takes 2 ms
if TYPE_CHECKING:
    from typing import Any, NoReturn

_WIDEST = 110
_NAME_COLUMN = 13
_MOST_SUGGESTED = 2
_NUMBER = re.compile(r"-\d+$|-\d*\.\d+$")
JSON = "--json"

ELSEWHERE = {
    "run": "launch",
    "start": "launch",
    "submit": "launch",
    "train": "launch",
    "sbatch": "launch",
    "ls": "runs",
    "ps": "runs",
    "jobs": "runs",
    "status": "show",
    "describe": "show",
    "tail": "logs",
    "top": "watch",
    "stats": "metrics",
    "kill": "stop",
    "cancel": "stop",
    "halt": "stop",
    "download": "collect",
    "predict": "serve",
    "score": "serve",
    "deploy": "serve",
    "rm": "clean",
    "prune": "clean",
    "upload": "bucket put",
    "validate": "manifest check",
}
"""Names in Docker, Slurm, Kubernetes, Watson ML and FfDL, and this tool's command for the same."""


class Parser(argparse.ArgumentParser):
    """One command or one group of commands.

    `examples` are whole command lines; `commands` are its sub-commands by name. `alternatives`
    are sub-commands of a command that also takes arguments, such as `bundle load` beside `bundle MANIFEST`.
    """

    def __init__(self, **settings: Any) -> None:
        self.prog, self.description = settings["prog"], settings.get("description")
        self.usage = self.epilog = None
        self.examples: tuple[str, ...] = ()
        self.commands: dict[str, Parser] = {}
        self.alternatives: dict[str, Parser] = {}
        self._words: Sequence[str] = ()
        self._later: list[tuple[tuple[str, ...], dict[str, Any]]] | None = []

    def add_argument(self, *names: str, **settings: Any) -> None:  # type: ignore[override]
        """As in argparse; it is added when something of this parser is needed."""
        if self._later is None:
            super().add_argument(*names, **settings)
        else:
            self._later.append((names, settings))

    def __getattr__(self, name: str) -> Any:
        """What argparse itself sets, which is done now: a command line needs one or two of seventy parsers."""
        if self.__dict__.get("_later") is None:
            raise AttributeError(name)
        self._build()
        return getattr(self, name)

    def _build(self) -> None:
        arguments, self._later = self._later or (), None
        usage, description, epilog = self.usage, self.description, self.epilog
        super().__init__(self.prog, usage, description, epilog, formatter_class=Formatter)
        self._positionals.title = "arguments"
        for names, settings in arguments:
            super().add_argument(*names, **settings)

    def every(self) -> Iterator[Parser]:
        """This one and all below it."""
        yield self
        for one in (*self.commands.values(), *self.alternatives.values()):
            yield from one.every()

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> tuple[Any, list[str]]:  # type: ignore[override]
        """As in argparse, but unknown arguments are an error here, where their command is known."""
        words = self._words = list(sys.argv[1:] if args is None else args)
        for position, word in enumerate(words):
            if word in self.alternatives:
                return self.alternatives[word].parse_known_args(words[:position] + words[position + 1 :], namespace)
            if word != JSON:
                break
        self._refuse_unknown_option()
        found, rest = super().parse_known_args(words, namespace)
        if rest:
            self.refuse(f"unexpected argument `{rest[0]}`")
        return found, rest

    def error(self, message: str) -> NoReturn:
        """Report errors found by argparse itself, such as a missing argument."""
        hint = f"one of: {', '.join(self.commands)}" if self.commands else self._alternative_like()
        self.refuse(message, hint)

    def refuse(self, what: str, hint: str = "") -> NoReturn:
        """Usage and error on standard error; with --json, the error as one object on standard output; exit status 2."""
        from toolkit.cli.dispatch import print_error
        from toolkit.errors import Code, ToolkitError

        self.print_usage(sys.stderr)
        verb = self.prog.partition(" ")[2]
        error = ToolkitError(Code.MANIFEST, f"{verb}: {what}" if verb else what, hint=hint or f"{self.prog} --help")
        print_error(error, as_json=JSON in _before_the_end_of_options(self._words))
        self.exit(error.code.exit_status)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        if isinstance(action, argparse._SubParsersAction):
            self.refuse(f"unknown command `{value}`", _did_you_mean(self._commands_like(str(value))))
        name = "/".join(action.option_strings) or action.metavar
        choices = list(map(str, action.choices))
        hint = _did_you_mean(_near(str(value), choices)) or f"one of: {', '.join(choices)}"
        self.refuse(f"{name}: `{value}` is not one of {', '.join(choices)}", hint)

    def _commands_like(self, word: str) -> list[str]:
        """The commands that may have been meant by `word`, as they are typed."""
        called: dict[str, list[str]] = {name: [name] for name in self.commands}
        for group, parser in self.commands.items():
            for name in (*parser.commands, *parser.alternatives):
                called[f"{group} {name}"] = [f"{group} {name}"]
                if name not in self.commands:
                    called.setdefault(name, []).append(f"{group} {name}")
        known = ELSEWHERE.get(word, "")
        if word not in called and known in called:
            return [known]
        return [name for near in _near(word, called)[:1] for name in called[near]]

    def _alternative_like(self) -> str:
        """`bundle laod FILE` lacks an option only if `laod` is a manifest."""
        first = next((word for word in self._words if not word.startswith("-")), "")
        group = self.prog.partition(" ")[2]
        return _did_you_mean([f"{group} {name}" for name in _near(first, self.alternatives)])

    def _refuse_unknown_option(self) -> None:
        """Refuse unknown options first: argparse would report missing arguments, or take an option's value for one."""
        for word in _before_the_end_of_options(self._words):
            if not word.startswith("-") or word == "-":
                if self.commands:
                    return  # the rest belongs to the command
                continue
            if _NUMBER.match(word) or " " in word or self._knows(word):
                continue
            name = word.partition("=")[0]
            if any(name in below._option_string_actions for below in self.every()):
                self.refuse(f"option `{name}` must follow the command", f"{self.prog} COMMAND {name}")
            self.refuse(f"unknown option `{name}`", _did_you_mean(_near(name, self._option_string_actions)))

    def _knows(self, word: str) -> bool:
        """Whether `word` is an option of this command, possibly with its value, or the beginning of one."""
        name = word.partition("=")[0]
        if not word.startswith("--"):
            return word[:2] in self._option_string_actions
        return any(option.startswith(name) for option in self._option_string_actions)


class Commands:
    """The sub-commands of a parser; the name of the one that was given is the arguments' attribute `dest`.

    If the parser is a sub-command itself, its examples are the first example of each.
    """

    def __init__(self, parser: Parser, dest: str, *, required: bool) -> None:
        self._parser, self._required = parser, required
        self._action = parser.add_subparsers(
            metavar="COMMAND", dest=dest, required=required, parser_class=Parser, help=argparse.SUPPRESS
        )
        parser.usage = "%(prog)s [-h] " + ("" if required else "[--version] ") + "COMMAND ..."
        self._about = parser.description or ""
        self._listed: list[str] = []

    def group(self, title: str) -> None:
        """Begin a group: commands added from here on are listed below `title`."""
        self._list(f"\n{title}:")

    def add(self, name: str, text: str, *examples: str, json: bool = True) -> Parser:
        """Add a command; `text` says what it does, `examples` are command lines without `toolkit NAME`."""
        verb = self._action.add_parser(name, description=sentence(text))
        finish(verb, *examples, json=json)
        self._parser.commands[name] = verb
        self._list(f"  {name:<{_NAME_COLUMN}} {text}")
        if self._required:
            show_examples(self._parser, *self._parser.examples, verb.examples[0])
        return verb

    def nested(self, name: str, text: str) -> Commands:
        """Add a command that has sub-commands."""
        verb = self._action.add_parser(name, description=sentence(text))
        self._parser.commands[name] = verb
        self._list(f"  {name:<{_NAME_COLUMN}} {text}")
        commands = Commands(verb, "act", required=True)
        commands.group("commands")
        return commands

    def _list(self, line: str) -> None:
        self._listed.append(line)
        self._parser.description = "\n".join([self._about, *self._listed])


def finish(verb: Parser, *examples: str, json: bool = True) -> None:
    """Give `verb` the option that all commands have, and its examples."""
    if json:
        verb.add_argument(JSON, action="store_true", help="print one JSON object to standard output")
    else:
        verb.set_defaults(json=False)
    show_examples(verb, *(f"{verb.prog} {words}".strip() for words in examples))


def show_examples(verb: Parser, *lines: str) -> None:
    """Show these command lines at the end of the command's help."""
    verb.examples = lines
    verb.epilog = "\n  ".join([f"example{'s' if len(lines) > 1 else ''}:", *lines])


def folder_name(text: str) -> str:
    """A folder's name as an argument; refuses an empty one, which comes from an unset shell variable.

    It would mean the current folder.
    """
    if not text:
        raise argparse.ArgumentTypeError("expected a folder, found an empty name: is a shell variable unset?")
    return text


def sentence(text: str) -> str:
    """`text` as a sentence."""
    return f"{text[0].upper()}{text[1:]}."


class Formatter(argparse.RawDescriptionHelpFormatter):
    """argparse's own, which would load shutil (5 ms) to get the terminal's width if none is given."""

    def __init__(self, prog: str) -> None:
        try:
            columns = os.get_terminal_size().columns
        except OSError:
            columns = _WIDEST
        super().__init__(prog, max_help_position=28, width=min(columns, _WIDEST) - 2)


def _before_the_end_of_options(words: Sequence[str]) -> Sequence[str]:
    return words[: words.index("--")] if "--" in words else words


def _near(word: str, names: Iterable[str]) -> list[str]:
    """The one or two names that begin with `word`, else the names with a similar spelling, the nearest first."""
    from difflib import get_close_matches

    names = list(names)
    begun = [name for name in names if name.startswith(word.lower())]
    return begun if 0 < len(begun) <= _MOST_SUGGESTED else get_close_matches(word.lower(), names)


def _did_you_mean(names: Sequence[str]) -> str:
    return f"did you mean {' or '.join(f'`{name}`' for name in names[:_MOST_SUGGESTED])}?" if names else ""
