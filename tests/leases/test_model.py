"""A lease's record, and how a host's answer is read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.leases.model import Holder, Lease, Taken, new_lease, read_holders

LEASE = Lease("training-a", "ann", "desk", ("GPU-2", "GPU-1"), "00aa")
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,40}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=30)


def test_a_record_says_who_and_what() -> None:
    assert LEASE.record == ("run=training-a", "user=ann", "operator=desk", "gpus=GPU-1 GPU-2")
    assert new_lease("r", "ann", "desk").record[-1] == "gpus=*"


@pytest.mark.parametrize("bad", ["", "a b", "a\nb", "-x", "../a", "a/b", "a*"])
def test_what_could_not_stand_in_a_record_or_a_files_name_is_refused(bad: str) -> None:
    for make in (
        lambda: new_lease(bad, "ann", "desk"),
        lambda: new_lease("r", "ann", "desk", [bad]),
        lambda: Lease("r", "ann", "desk", (), bad),
    ):
        with pytest.raises(ValueError, match="cannot stand in a lease"):
            make()


def test_a_persons_name_with_a_line_break_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot stand in a lease"):
        new_lease("r", "ann\nrun=other", "desk")


def test_no_two_leases_have_one_token() -> None:
    assert len({new_lease("r", "ann", "desk").token for _ in range(100)}) == 100


@given(NAMES, TEXTS, TEXTS, st.lists(NAMES, max_size=4, unique=True), st.integers(-5, 10**9))
def test_what_a_host_prints_is_read_back(run: str, user: str, operator: str, gpus: list[str], age: int) -> None:
    lease = Lease(run, user, operator, tuple(sorted(gpus)), "0f")
    lines = [f"lease 0f {age} held", *lease.record, "since=2026-01-02T03:04:05Z"]
    assert read_holders("\n".join(lines) + "\n\n") == (Holder(lease, "2026-01-02T03:04:05Z", age, "held"),)


@given(st.text(max_size=200))
def test_any_other_text_is_read_without_an_error(text: str) -> None:
    assert isinstance(read_holders(text), tuple)


def test_a_taken_host_says_who_has_it_since_when() -> None:
    error = Taken("p1", (Holder(LEASE, "2026-01-02T03:04:05Z", 7, "held"),)).error()
    assert str(error) == (
        "S100 host p1 is taken\n"
        "  p1: GPU GPU-2, GPU-1: run training-a of ann (launched from desk) since 2026-01-02T03:04:05Z\n"
        "  next: launch with --wait, or on other hosts"
    )
