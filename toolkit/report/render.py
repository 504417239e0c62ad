"""A report's text: one HTML file with everything in it. Pure, except that it reads the package's own files.

Whatever a program, a bucket or a host wrote is text here: escaped by Jinja2, without characters that hide or reorder
(`toolkit.printable`), cut. The page's policy allows only the script and the style that are in it, by their SHA-256,
and no connection.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from toolkit.printable import neutral
from toolkit.report.amounts import amount, duration
from toolkit.report.charts import Chart
from toolkit.report.model import ReportInput
from toolkit.report.view import view_of
from toolkit.urls import redact_urls

_LONGEST = 10_000
"""Characters of any one text."""


def page(report: ReportInput) -> str:
    """The report as HTML."""
    view = view_of(report)
    script = _text("uplot/uPlot.iife.min.js") + "\n" + _text("report.js")
    style = _text("uplot/uPlot.min.css") + "\n" + _text("report.css")
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            view=view,
            policy=policy(script, style),
            script=Markup(script),  # noqa: S704 - the package's own file
            style=Markup(style),  # noqa: S704 - likewise
            data=Markup(embedded([*view.charts.training, *view.charts.hosts])),  # noqa: S704 - JSON, with every `<` escaped
        )
    )


def policy(script: str, style: str) -> str:
    """The page's Content-Security-Policy: this script, this style, nothing else."""
    return (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def embedded(charts: Sequence[Chart]) -> str:
    """The charts' lines as JSON for a script element, in ASCII: no text in it can end the element."""
    found = [
        {
            "key": chart.key,
            "title": plain(chart.title),
            "unit": plain(chart.unit),
            "by": chart.by,
            "lines": [
                {
                    "label": plain(line.label),
                    "colour": line.colour,
                    "dashed": line.dashed,
                    "x": [round(x, 3) for x, _ in line.points],
                    "y": [float(f"{y:.5g}") for _, y in line.points],
                }
                for line in chart.lines
            ],
        }
        for chart in charts
        if chart.lines
    ]
    text = json.dumps(found, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def plain(value: Any) -> Any:
    """A text as it may be shown: cut, without passwords in URLs and what hides or reorders; anything else unchanged.

    Jinja2 passes every value that it prints through this.
    """
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    more = f" … ({len(value) - _LONGEST} characters more)" if len(value) > _LONGEST else ""
    return neutral(redact_urls(value[:_LONGEST], {}) + more)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_text),
        autoescape=True,
        finalize=plain,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"amount": amount, "duration": duration, "percent": _percent, "part": _part}
    return environment


def _percent(part: float) -> str:
    """A place or a width in an SVG: `12.34%`."""
    return f"{100 * part:.2f}%"


def _part(part: float) -> str:
    """A share as a person reads it: `37 %`, `< 1 %`."""
    return f"{100 * part:.0f} %" if part >= 0.01 or part == 0 else "< 1 %"


def _text(name: str) -> str:
    return files("toolkit.report").joinpath("document", name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
