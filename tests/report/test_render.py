"""The report's text: nothing that a program wrote is anything but text in it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.metrics.series import Point, RunMetrics, Series
from toolkit.report.charts import charts
from toolkit.report.log_excerpt import MOST_CHARACTERS, MOST_LINES, excerpt
from toolkit.report.model import ReportInput, RunInput
from toolkit.report.render import embedded, page
from toolkit.run.follow.events import Line

from .hostile import HOSTILE, with_text
from .runs import BEGIN, log, metrics, one_run, record, two_runs


class Page(HTMLParser):
    """What a browser would make of it: elements, their attributes, the texts of scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.inside: dict[str, list[str]] = {"script": [], "style": []}
        self.text = ""
        self._open = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))
        if tag in self.inside:
            self._open = tag
            self.inside[tag].append("")

    def handle_endtag(self, tag: str) -> None:
        self._open = "" if tag == self._open else self._open

    def handle_data(self, data: str) -> None:
        if self._open:
            self.inside[self._open][-1] += data
        else:
            self.text += data

    @property
    def shape(self) -> list[tuple[str, tuple[str, ...]]]:
        """Every element with the names of its attributes."""
        return [(tag, tuple(sorted(attributes))) for tag, attributes in self.elements]


HARMLESS = Page(page(with_text("harmless"))).shape


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_adds_no_element_and_no_attribute(text: str) -> None:
    assert Page(page(with_text(text))).shape == HARMLESS


@settings(max_examples=60)
@given(st.text(min_size=1, max_size=60))
def test_no_text_adds_an_element_or_an_attribute(text: str) -> None:
    assert Page(page(with_text(text))).shape == HARMLESS


@pytest.mark.parametrize("text", HOSTILE)
def test_what_hides_or_reorders_text_is_made_visible(text: str) -> None:
    found = page(with_text(text))
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff]", found)
    found.encode()


def test_a_password_in_a_url_is_not_shown() -> None:
    text = page(with_text("fetched https://ada:hunter2@mirror.example.org/x"))
    assert "https://[redacted]@mirror.example.org/x" in text
    assert "hunter2" not in text


def test_only_its_own_script_and_style_may_run() -> None:
    found = Page(page(one_run()))
    policy = next(a["content"] for tag, a in found.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    data, script = found.inside["script"]
    (style,) = found.inside["style"]
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (script, style)]
    assert policy == (
        f"default-src 'none'; script-src 'sha256-{digests[0]}'; style-src 'sha256-{digests[1]}'; "
        "base-uri 'none'; form-action 'none'"
    )
    assert json.loads(data)[0]["title"] == "loss"


def test_nothing_is_fetched_and_no_element_has_a_style_or_a_handler() -> None:
    for tag, attributes in Page(page(two_runs())).elements:
        assert tag not in ("link", "img", "iframe", "object", "embed", "base", "meta http-equiv=refresh")
        assert not {name for name in attributes if name == "style" or name.startswith("on") or name == "src"}
        assert (attributes.get("href") or "#").startswith(("#", "file:///"))


def test_embedded_data_is_ascii_without_brackets() -> None:
    text = embedded(charts(with_text("</script>\u202e<!--")).training)
    assert text.isascii()
    assert not set("<>&") & set(text)
    assert json.loads(text)[0]["title"] == "</script>\\u202e<!--"


def test_the_charts_data() -> None:
    series = Series("loss", "rank 0", "", (Point(BEGIN, 2.123456789, 1), Point(BEGIN + 1, 1e-9, 2)))
    training = charts(ReportInput((RunInput(record(), RunMetrics((series,))),), BEGIN, "0")).training
    found: list[dict[str, Any]] = json.loads(embedded(training))
    line = {"label": "rank 0", "colour": 0, "dashed": False, "x": [1.0, 2.0], "y": [2.1235, 1e-9]}
    assert found[0] == {"key": "t0", "title": "loss", "unit": "", "by": "step", "lines": [line]}


def test_the_sections_in_the_order_in_which_they_are_read() -> None:
    def sections(report: ReportInput) -> list[str | None]:
        return [attributes["id"] for tag, attributes in Page(page(report)).elements if tag == "section"]

    one = ["outcome", "time", "training", "hosts", "ran", "results", "log"]
    assert sections(one_run()) == one
    assert sections(two_runs()) == ["differences", *one]


def test_a_failed_run_shows_evidence_and_hint() -> None:
    text = Page(page(ReportInput(two_runs().runs[1:], BEGIN, "0"))).text
    for part in ("FAILED", "C202", "out-of-memory", "[1] Killed", "raise the memory limit in the manifest"):
        assert part in text


def test_stragglers_are_marked_with_the_rule() -> None:
    text = Page(page(one_run(slow=3))).text
    assert "1 slower than the others" in text
    assert "more than 1.1 times the median of all ranks' medians" in text
    assert "straggler" not in re.sub(r"marked as a straggler", "", Page(page(one_run(slow=None))).text)


def test_a_run_of_which_nothing_else_is_known_has_a_report() -> None:
    bare = replace(record(), states=(), steps=(), metrics={}, stored_files=0, placement=(), mpirun="", checksums="")
    text = Page(
        page(ReportInput((RunInput(bare, notes=("its output could not be read: no engine",)),), BEGIN, "0"))
    ).text
    for part in ("It has not begun.", "No metrics over time", "There is no output.", "could not be read: no engine"):
        assert part in text


def test_a_day_on_many_ranks_with_all_that_a_report_may_hold_is_below_its_bound() -> None:
    run = record(hosts=16, ranks_each=8, seconds=86_000.0)
    run = replace(run, evidence="&" * 20_000, mpirun=run.mpirun + " -x A" * 1000)
    many = metrics(run, points=400)
    more = tuple(replace(one, name=f"{one.name} {number}") for number in range(6) for one in many.ranks)
    lines = excerpt(
        Line(f"[{n % 128}] " + "<&>" * (MOST_CHARACTERS // MOST_LINES // 3), BEGIN + n) for n in range(MOST_LINES * 2)
    )
    text = page(ReportInput((RunInput(run, RunMetrics(more, many.hosts), lines),), BEGIN, "0"))
    assert len(text.encode()) < 1_500_000


def test_the_longest_texts_are_cut() -> None:
    assert len(page(with_text("x" * 1_000_000))) < 1_000_000


def test_the_log_has_each_line_with_its_time_and_rank() -> None:
    run = record()
    text = page(ReportInput((RunInput(run, log=log(run)),), BEGIN, "0"))
    assert "<tr><td>+1 min 02 s</td><td>toolkit</td><td>command 1 of 2: python train.py --epochs 40</td></tr>" in text
    assert "1284 earlier ones: toolkit logs training-abcd2345" in text
