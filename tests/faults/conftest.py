"""The fault tests' parts: the real tests' own bench, and the page that the run writes."""

from __future__ import annotations

import pytest

from toolkit.paths import assets

from ..real.conftest import bench, image, lab, lab_image, row
from .page import Page

__all__ = ["bench", "image", "lab", "lab_image", "row"]

_PAGE = Page(assets() / "docs" / "faults.md")


@pytest.fixture(scope="session")
def page() -> Page:
    """docs/faults.md."""
    return _PAGE


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly what took too long; it is no failure, as the machine may have had other things to do."""
    for line in _PAGE.loud:
        terminalreporter.write_line(line, red=True, bold=True)
