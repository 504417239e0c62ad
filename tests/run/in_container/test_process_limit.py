"""Whether a container has met its limit of processes, from its control group's files."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolkit.run.in_container.process_limit import limit_met


@pytest.mark.parametrize(
    ("events", "limit", "met"),
    [
        ("max 0\n", "64\n", 0),
        ("max 3\n", "64\n", 64),
        ("max 3\nmax.imposed 1\n", "64\n", 64),
        ("max 3\n", "max\n", 0),
        ("", "64\n", 0),
        ("max\n", "64\n", 0),
    ],
)
def test_the_limit_is_reported_where_something_was_refused(tmp_path: Path, events: str, limit: str, met: int) -> None:
    (tmp_path / "pids.events").write_text(events)
    (tmp_path / "pids.max").write_text(limit)
    assert limit_met((str(tmp_path / "none"), str(tmp_path))) == met


def test_a_kernel_that_does_not_say_has_no_limit(tmp_path: Path) -> None:
    assert limit_met((str(tmp_path),)) == 0
