"""A helpful message for a text that is not valid YAML. Pure.

PyYAML reports where it noticed the error. Often a person must see where a quote, a bracket or a line began.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from toolkit.errors import Place, Problem

LINE_END = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
"""As defined by YAML."""
_OTHER_BLANK = re.compile("[ \t]*[\u00a0\u1680\u2000-\u200b\u202f\u205f\u2060\u3000\ufeff]")
"""At the beginning of a line: a blank that YAML does not know, as from web pages and word processors."""


def syntax_problem(file: str, text: str, error: yaml.MarkedYAMLError) -> Problem:
    """The error, without lines of the file: as its structure is unknown, so is which of them contain a key."""
    mark = error.problem_mark or error.context_mark
    last = mark.line + 1 if mark else 0
    near = LINE_END.split(text)[:last][-2:]  # and the line before: the error may be there
    for number, line in enumerate(near, start=last - len(near) + 1):
        if blank := _OTHER_BLANK.match(line):
            what = f"a blank that is no space (U+{ord(blank[0][-1]):04X}): YAML sets its lines in by spaces"
            return Problem(what, Place(file, number, blank.end()))
    if opened := _never_closed(error):
        return Problem(opened, place_of(file, error.context_mark))
    if isinstance(error, yaml.composer.ComposerError):
        return Problem("a second document (---) is not read here", place_of(file, mark))
    if "'\\t'" in (error.problem or ""):
        return Problem("a tab: YAML sets its lines in by spaces", place_of(file, mark))
    return Problem((error.problem or "not valid") + _quotes_hint(error), place_of(file, mark))


def place_of(file: str, mark: Any) -> Place:
    """The place of one of PyYAML's marks; the file alone if there is none."""
    return Place(file, mark.line + 1, mark.column + 1) if mark else Place(file)


def _never_closed(error: yaml.MarkedYAMLError) -> str:
    """What begins at PyYAML's context and has no end; empty for any other error."""
    said, context, begun, noticed = error.problem or "", error.context or "", error.context_mark, error.problem_mark
    if begun is None or noticed is None:
        return ""
    if "quoted scalar" in context and "unexpected" in said:
        return "a quote is opened here and never closed"
    if "simple key" in context and "could not find expected ':'" in said:
        return "expected `name: value`, with a space after the colon"
    if (
        re.search("flow (?:sequence|mapping)", context)
        and said.startswith("expected ','")
        and begun.line < noticed.line
    ):
        return "a bracket or brace is opened here and never closed: a text with one goes in quotes"
    return ""


def _quotes_hint(error: yaml.MarkedYAMLError) -> str:
    """What to do about a value that YAML reads as something else; empty for any other error."""
    said, context = error.problem or "", error.context or ""
    if re.search(r"but got '[\[{]'", said):
        return ": a value with brackets or braces in it goes in quotes"
    if "cannot start any token" in said or re.search("scanning an (?:alias|anchor)", context):
        return ": a value that begins with this sign goes in quotes"
    if "mapping values are not allowed" in said:
        return ": a value with a colon and a blank in it goes in quotes; or the line is set in too far"
    if re.search("found '<(?:scalar|block mapping start)>'", said):
        return ": a value goes in quotes as a whole; or the line is not set in as those above it"
    return ""
