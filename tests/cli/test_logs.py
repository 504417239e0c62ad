"""Which lines of a run are asked for."""

from __future__ import annotations

import datetime

import pytest

from toolkit.cli.logs import Wanted, since
from toolkit.errors import ToolkitError
from toolkit.run.follow.events import Line

NOW = 1_764_100_000.0


@pytest.mark.parametrize(("text", "ago"), [("0s", 0), ("90s", 90), ("10m", 600), ("2h", 7200), ("1d", 86400)])
def test_a_time_may_be_so_long_ago(text: str, ago: int) -> None:
    assert since(text, NOW) == NOW - ago


@pytest.mark.parametrize("text", ["2026-11-25T20:00", "2026-11-25 20:00:00", "2026-11-25T20:00:00.000"])
def test_a_time_without_a_zone_is_this_machines(text: str) -> None:
    assert since(text, NOW) == datetime.datetime(2026, 11, 25, 20).timestamp()


def test_a_time_with_a_zone_is_that_zones() -> None:
    assert since("2026-11-25T20:00+00:00", NOW) == since("2026-11-25T21:00+01:00", NOW) == 1_795_636_800.0


@pytest.mark.parametrize("text", ["", "yesterday", "10", "m", "-5m", "10 m", "5w", "2026-13-01"])
def test_what_is_no_time_is_reported(text: str) -> None:
    with pytest.raises(ToolkitError) as caught:
        since(text, NOW)
    assert (caught.value.code.label, caught.value.what) == ("C101", f"--since {text}: not a time")


@pytest.mark.parametrize(
    ("rank", "text", "wanted"),
    [
        (None, "[0] a", True),
        (None, "[mpirun] a", True),
        (1, "[1] a", True),
        (1, "[0] a", False),
        (1, "[11] a", False),
        (1, "[mpirun] [1] a", False),
        (1, "no rank", False),
        (0, "[0] [1] a", True),
    ],
)
def test_a_ranks_lines_are_its_own(rank: int | None, text: str, wanted: bool) -> None:
    assert Wanted(rank, 0.0).wants(Line(text, NOW)) is wanted


def test_lines_since_a_time_are_those_from_it_on() -> None:
    wanted = Wanted(None, NOW)
    assert [wanted.wants(Line("[0] a", at)) for at in (NOW - 0.001, NOW, NOW + 1)] == [False, True, True]


def test_what_is_wanted_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    for text in ("[0] [bold]a[/bold]", "[1] b"):
        Wanted(0, 0.0).show(Line(text, NOW))
    assert capsys.readouterr().out == "[0] [bold]a[/bold]\n"
