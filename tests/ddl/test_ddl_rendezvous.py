"""How long ranks wait for one that does not start ddl, and how it is named."""

from __future__ import annotations

import pytest
from ddl.rendezvous import Limits, limits, ranks


@pytest.mark.parametrize(
    ("options", "environ", "expected"),
    [
        ("-mode p:2x1", {}, Limits(60, 300)),
        ("-mode p:2x1 -stall 8", {}, Limits(8, 40)),
        ("-stall 8 -start 100", {}, Limits(8, 100)),
        ("-start 0", {}, Limits(60, 0)),
        ("-stall 0", {}, Limits(0, 300)),
        ("", {"DDL_STALL_SECONDS": "10"}, Limits(10, 50)),
        ("-stall 20 -start 1.5", {"DDL_STALL_SECONDS": "10", "DDL_START_SECONDS": "7"}, Limits(20, 1.5)),
        ("", {"DDL_START_SECONDS": "7"}, Limits(60, 7)),
    ],
)
def test_the_job_ends_after_five_warnings_unless_it_is_said(
    options: str, environ: dict[str, str], expected: Limits
) -> None:
    assert limits(options, environ) == expected


@pytest.mark.parametrize("name", ["DDL_STALL_SECONDS", "DDL_START_SECONDS"])
def test_a_variable_that_is_no_number_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="'soon' is not a number of seconds"):
        limits("", {name: "soon"})


def test_ranks_are_listed_up_to_sixteen() -> None:
    assert ranks([3]) == "rank 3"
    assert ranks([0, 2]) == "ranks 0, 2"
    assert ranks(range(16)).endswith("14, 15")
    assert ranks(range(100)).endswith("14, 15 and 84 more")
    assert ranks(None) == "a rank (Open MPI does not say which)"
