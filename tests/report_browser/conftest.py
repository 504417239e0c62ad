"""Reports in headless Chromium, without a network."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from toolkit.report.model import ReportInput, RunInput
from toolkit.report.render import page

from ..report.hostile import HOSTILE, with_text
from ..report.runs import BEGIN, many_hosts, one_run, record, two_runs

REPORTS = {
    "one": one_run(),
    "two": two_runs(),
    "many": many_hosts(),
    "bare": ReportInput((RunInput(record()),), BEGIN, "0.1.0"),
    "hostile": with_text(" ".join(HOSTILE)),
}

Opened = Callable[..., Page]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium: `apt-get install chromium`."""
    chromium = shutil.which("chromium")
    assert chromium, "these tests need Chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        # Its own sandbox needs privileges that a container does not have; the pages are ours.
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The files of `REPORTS`, by name."""
    folder = tmp_path_factory.mktemp("reports")
    for name, report in REPORTS.items():
        (folder / f"{name}.html").write_text(page(report), encoding="utf-8")
    return {name: folder / f"{name}.html" for name in REPORTS}


@pytest.fixture
def opened(browser: Browser, reports: dict[str, Path]) -> Iterator[Opened]:
    """Opens a report offline, `width` pixels wide, in a colour scheme; any console message, error or request fails."""
    said: list[str] = []
    contexts = []

    def open_it(name: str, width: int = 1440, scheme: str = "light", *, script: bool = True) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if scheme == "dark" else "light",
            java_script_enabled=script,
            offline=True,
            bypass_csp=False,
        )
        contexts.append(context)
        shown = context.new_page()
        shown.on("console", lambda message: said.append(message.text))
        shown.on("pageerror", lambda error: said.append(str(error)))
        shown.on("request", lambda request: None if request.url.startswith("file:") else said.append(request.url))
        shown.goto(reports[name].as_uri())
        return shown

    yield open_it
    for context in contexts:
        context.close()
    assert said == []
