"""Texts that attack a page, and a report that is made of them."""

from __future__ import annotations

from dataclasses import fields, replace

from toolkit.agent.host_stages import HostStage, HostStages
from toolkit.metrics.series import Point, RunMetrics, Series
from toolkit.report.model import LogExcerpt, LogLine, ReportInput, RunInput

from .runs import BEGIN, record

HOSTILE = [
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<!--<script>",
    "]]> {{ 7 * 7 }} {% raw %}",
    "\" autofocus onfocus='alert(1)",
    "\x1b[2J\x1b]0;title\x07",
    "admin\u202egnp.exe\u2066",
    "a\x00b\ud800c\u2028d",
]

_OWN = ("training_id", "compute", "collected")
"""Fields that only the tool itself writes."""


def with_text(text: str) -> ReportInput:
    """A report in which everything that others write is `text`."""
    run = record()
    step = replace(run.steps[0], command=text, argv=(text,), folder=text)
    texts = {one.name: text for one in fields(run) if one.type == "str" and one.name not in _OWN}
    run = replace(
        run, **texts, steps=(step,), hosts=(text,), metrics={text: text, "loss": 0.5}, placement=((1, text, (0,)),)
    )
    stages = (HostStage(text, BEGIN, BEGIN + 1, text), HostStage("processing", BEGIN + 1, BEGIN + 2))
    run = replace(run, host_stages=(HostStages(text, stages), HostStages("p100-02", stages)))
    series = Series(text, text, text, (Point(BEGIN, 1.0, 1), Point(BEGIN + 1, 2.0, 2)))
    lines = LogExcerpt((LogLine(BEGIN, text, text),), 3)
    return ReportInput((RunInput(run, RunMetrics((series,), (series,)), lines, (text,)),), BEGIN, text)
