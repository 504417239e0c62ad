"""Completions for the last word of a command line. Pure; they come from the parser, so they cannot go stale."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from toolkit.cli.command_parser import Parser

FILES, FOLDERS = "files", "folders"
RUNS, FRAMEWORKS, IMAGES = "runs", "frameworks", "images"

KINDS = {
    "MANIFEST": FILES,
    "FILE": FILES,
    "NEW_FILE": FILES,
    "FOLDER": FOLDERS,
    "NEW_FOLDER": FOLDERS,
    "TRAINING_ID": RUNS,
    "FRAMEWORK": FRAMEWORKS,
    "IMAGE": IMAGES,
    "REF": IMAGES,
    "OLD_REF": IMAGES,
    "NEW_REF": IMAGES,
}
"""What completes an argument, by its name in usage lines; `A|B` is completed by both. Others are not completed."""

Names = Callable[[str], Sequence[str]]
"""All names of a kind: RUNS, FRAMEWORKS or IMAGES."""


@dataclass(frozen=True)
class Candidate:
    """A word, and what it means; the meaning may be empty."""

    word: str
    meaning: str = ""


@dataclass(frozen=True)
class Completion:
    """Completions of a word: these, and FILES or FOLDERS; `paths` is empty if it cannot be a path."""

    candidates: tuple[Candidate, ...] = ()
    paths: str = ""


@dataclass
class _Before:
    """The state after the words before the last one: the command, its options, how many positional arguments."""

    parser: Parser
    given: list[argparse.Action] = field(default_factory=list)
    positionals: int = 0
    wants_value: argparse.Action | None = None
    options_ended: bool = False


def complete(parser: Parser, words: Sequence[str], names: Names) -> Completion:
    """Completions of the last of `words`, which follow the name of `parser`'s own command."""
    *before, current = words or [""]
    state = _read(parser, before)
    if state.wants_value:
        return _values(state.wants_value, current, names)
    if not state.options_ended and current.startswith("-"):
        name, equals, value = current.partition("=")
        action = _option(state.parser, name)
        if equals and action and action.nargs is None:
            found = _values(action, value, names)
            return Completion(
                tuple(Candidate(f"{name}={one.word}", one.meaning) for one in found.candidates), found.paths
            )
        return Completion(_starting(current, _options(state)))
    return _positional(state, current, names)


def _read(parser: Parser, words: Sequence[str]) -> _Before:
    state = _Before(parser)
    for word in words:
        child = _children(state).get(word)
        if state.wants_value:
            state.wants_value = None
        elif word == "--" and not state.options_ended:
            state.options_ended = True
        elif word.startswith("-") and len(word) > 1 and not state.options_ended:
            action = _option(state.parser, word.partition("=")[0])
            if action:
                state.given.append(action)
                if action.nargs is None and "=" not in word:
                    state.wants_value = action
        elif child:
            state = _Before(child)
        else:
            state.positionals += 1
    return state


def _children(state: _Before) -> dict[str, Parser]:
    return {} if state.positionals else {**state.parser.commands, **state.parser.alternatives}


def _positional(state: _Before, current: str, names: Names) -> Completion:
    about = {name: (child.description or "").split("\n")[0] for name, child in _children(state).items()}
    children = [Candidate(name, text.partition(". ")[0].rstrip(".")) for name, text in about.items()]
    action = _next_positional(state)
    if not children and not action:
        return Completion(_starting(current, _options(state)) if not current else ())
    values = _values(action, current, names) if action else Completion()
    return Completion((*_starting(current, children), *values.candidates), values.paths)


def _next_positional(state: _Before) -> argparse.Action | None:
    actions = [
        action
        for action in state.parser._actions
        if not action.option_strings and not isinstance(action, argparse._SubParsersAction)
    ]
    if state.positionals < len(actions):
        return actions[state.positionals]
    return actions[-1] if actions and actions[-1].nargs in ("+", "*") else None


def _values(action: argparse.Action, current: str, names: Names) -> Completion:
    if action.choices is not None:
        return Completion(_starting(current, map(Candidate, map(str, action.choices))))
    kinds = [KINDS[name] for name in str(action.metavar).split("|") if name in KINDS]
    words = [Candidate(name) for kind in kinds if kind not in (FILES, FOLDERS) for name in names(kind)]
    found = _starting(current, words)
    if RUNS in kinds and not found:
        # An ID may be typed without its common prefix.
        found = _starting(current, (Candidate(one.word.partition("-")[2]) for one in words))
    return Completion(found, next((kind for kind in kinds if kind in (FILES, FOLDERS)), ""))


def _options(state: _Before) -> Iterator[Candidate]:
    """The options that may still be given, each by its long name."""
    for action in state.parser._actions:
        if action.option_strings and (action not in state.given or isinstance(action, argparse._AppendAction)):
            yield Candidate(max(action.option_strings, key=len), action.help or "")


def _option(parser: Parser, name: str) -> argparse.Action | None:
    """The option of this name, or the only one that begins with it."""
    if name in parser._option_string_actions:
        return parser._option_string_actions[name]
    found = [action for option, action in parser._option_string_actions.items() if option.startswith(name)]
    return found[0] if name.startswith("--") and len(found) == 1 else None


def _starting(beginning: str, candidates: Iterable[Candidate]) -> tuple[Candidate, ...]:
    return tuple(one for one in candidates if one.word.startswith(beginning))
