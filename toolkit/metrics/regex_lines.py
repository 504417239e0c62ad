"""FfDL's `evaluation_metrics` of type `regex_extractor`: the manifest's own expressions, on a rank's last lines.

    evaluation_metrics:
      type: regex_extractor
      line_lookahead: 4
      groups:
        train:
          regex: 'Iteration %{INT:iteration}, loss = %{FLOAT:loss}'
          etimes: {iteration: {type: INT, value: $iteration}}
          scalars: {loss: {type: FLOAT, value: $loss}}

As in FfDL's own extractor, an expression may span `line_lookahead` lines, a dot matches a line end, and lines that
matched are not used again. There, it was matched from the beginning of the oldest of these lines alone, so that what
was printed last was missed; here, from that of each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from toolkit.metrics.source import Measured

_PATTERNS = {
    "GLOG_STAMP": r"[EFIW]\d{4}\s+\d\d:\d\d:\d*\.\d+",
    "TIMESTAMP": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.]?\d*(?:Z|[-+]\d\d:\d\d)?",
    "FLOAT": r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?",
    "INT": r"[-+]?\d+",
    "INT_ANY": r"[-+]?(?:0[xX][\dA-Fa-f]+|0[0-7]*|\d+)",
    "HEX": r"[-+]?(?:0[xX])?[\dA-Fa-f]+",
}
"""By the names that FfDL's manifests use: `%{FLOAT}`, or `%{FLOAT:loss}` as the group `loss`."""
_REFERENCE = re.compile(r"%\{(\w{1,40})(?::(\w{1,40}))?\}")
_STEPS = ("iteration", "step", "global_step", "epoch")
_DEFAULT_LINES, _MOST_LINES, _MOST_GROUPS, _LONGEST = 4, 32, 64, 4096
_MOST_TEXT = 8192


@dataclass(frozen=True)
class Group:
    """One expression, the group of it that is the step (empty: none), and by name the group that is each value."""

    name: str
    expression: re.Pattern[str]
    step: str
    values: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Extractor:
    """The expressions of a manifest; `lines` is how many lines one may span."""

    groups: tuple[Group, ...]
    lines: int = _DEFAULT_LINES


NO_EXPRESSIONS = Extractor(())
TYPE = "regex_extractor"


def extractor_data(extractor: Extractor) -> dict[str, Any]:
    """The section that `read_extractor` reads as `extractor`; empty if it has no expressions."""
    groups = {
        group.name: {
            "regex": group.expression.pattern,
            **({"etimes": {"step": {"type": "INT", "value": f"${group.step}"}}} if group.step else {}),
            "scalars": {name: {"type": "FLOAT", "value": f"${reference}"} for name, reference in group.values},
        }
        for group in extractor.groups
    }
    return {"type": TYPE, "line_lookahead": extractor.lines, "groups": groups} if groups else {}


def read_extractor(section: Mapping[str, Any]) -> Extractor:
    """The expressions of a manifest's `evaluation_metrics`; none for another type. Raises `ValueError` with what is
    wrong."""
    if section.get("type") != TYPE:
        return NO_EXPRESSIONS
    groups = section.get("groups")
    if not isinstance(groups, dict) or len(groups) > _MOST_GROUPS:
        raise ValueError(f"groups must be a mapping of at most {_MOST_GROUPS}")
    lines = section.get("line_lookahead", section.get("linelookahead", _DEFAULT_LINES))
    if type(lines) is not int or not 1 <= lines <= _MOST_LINES:
        raise ValueError(f"line_lookahead must be a number from 1 to {_MOST_LINES}")
    return Extractor(tuple(_group(str(name), one) for name, one in groups.items()), lines)


def _group(name: str, found: Any) -> Group:
    regex = found.get("regex") if isinstance(found, dict) else None
    if not isinstance(regex, str) or len(regex) > _LONGEST:
        raise ValueError(f"groups.{name}: regex must be a text of at most {_LONGEST} characters")
    try:
        expression = re.compile(_REFERENCE.sub(_spelled_out, regex), re.MULTILINE | re.DOTALL)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"groups.{name}: regex: {error}") from None
    steps = _references(found.get("etimes"), name, expression)
    values = _references(found.get("scalars") or found.get("values"), name, expression)
    step = next((steps[word] for word in _STEPS if word in steps), next(iter(steps.values()), ""))
    return Group(name, expression, step, tuple(values.items()))


def _spelled_out(match: re.Match[str]) -> str:
    if match[1] not in _PATTERNS:
        raise ValueError(f"%{{{match[1]}}} is not one of {', '.join(_PATTERNS)}")
    return f"(?P<{match[2]}>{_PATTERNS[match[1]]})" if match[2] else f"(?:{_PATTERNS[match[1]]})"


def _references(found: Any, name: str, expression: re.Pattern[str]) -> dict[str, str]:
    """`{loss: {type: FLOAT, value: $loss}}` as `{loss: loss}`; a number instead of a name is the group of that
    number."""
    references = {}
    for word, one in found.items() if isinstance(found, dict) else ():
        value = one.get("value") if isinstance(one, dict) else None
        if not isinstance(value, str) or not value.startswith("$"):
            continue
        group = value[1:].strip("{}")
        known = group in expression.groupindex or (group.isdecimal() and int(group[:6]) <= expression.groups)
        if not known:
            raise ValueError(f"groups.{name}: {value} is not a group of its regex")
        references[str(word)] = group
    return references


class RegexLines:
    """One rank's lines, as `extractor` reads them; a series is called `train.loss`, after its group."""

    def __init__(self, extractor: Extractor) -> None:
        self._extractor = extractor
        self._lines: list[str] = []

    def read(self, text: str) -> Iterator[Measured]:
        """See `LineSource`."""
        if not self._extractor.groups:
            return
        self._lines = [*self._lines, text][-self._extractor.lines :]
        for first in range(len(self._lines)):
            window = ("\n".join(self._lines[first:]) + "\n")[-_MOST_TEXT:]
            for group in self._extractor.groups:
                if match := group.expression.match(window):
                    self._lines = []
                    yield from _measured(group, match)
                    return


def _measured(group: Group, match: re.Match[str]) -> Iterator[Measured]:
    step = _number(_of(match, group.step)) if group.step else None
    for name, reference in group.values:
        if (value := _number(_of(match, reference))) is not None:
            yield Measured(f"{group.name}.{name}", value, None if step is None else int(step))


def _of(match: re.Match[str], group: str) -> str:
    return match[int(group) if group.isdecimal() else group] or ""


def _number(text: str) -> float | None:
    try:
        value = float(text[:64])
    except ValueError:
        return None
    return value if abs(value) < 1e300 else None
