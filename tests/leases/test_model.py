"""A lease's record, and how a host's answer is read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.leases.model import Holder, Lease, label_of, new_lease, read_holders

TOKEN = "00aa00aa00aa00aa"
LEASE = Lease("training-a", "ann", "desk", ("GPU-2", "GPU-1"), TOKEN)
SINCE = "2026-01-02T03:04:05Z"
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,40}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=["Cs", "C", "Z"]), min_size=1, max_size=30)


def line(lease: Lease, generation: str = "000001", state: str = "held", age: int = 7) -> str:
    where = "- container" if generation == "held" else f"toolkit-lease.{lease.token}.{generation} volume"
    token, run, gpus, user, operator = lease.words
    return f"{state} {age} {token} {generation} 1795903609 {SINCE} {run} {gpus} alice {user} {operator} {where}"


def test_a_record_says_who_and_what() -> None:
    assert LEASE.words == (TOKEN, "training-a", "GPU-1,GPU-2", "ann", "desk")
    assert new_lease("r", "ann", "desk").words[2] == "*"


@pytest.mark.parametrize("bad", ["", "a b", "a\nb", "-x", "../a", "a/b", "a*", "a,b"])
def test_what_could_not_stand_in_a_record_is_refused(bad: str) -> None:
    for make in (lambda: new_lease(bad, "ann", "desk"), lambda: new_lease("r", "ann", "desk", [bad])):
        with pytest.raises(ValueError, match="is not allowed in a lease"):
            make()
    with pytest.raises(ValueError, match="is not a lease token"):
        Lease("r", "ann", "desk", (), bad)


def test_a_persons_name_is_one_word_of_the_record_whatever_it_holds() -> None:
    words = new_lease("r", "ann\nheld 0 run=other\x1b]0;", "a b").words
    assert words[3:] == ("ann%0Aheld%200%20run%3Dother%1B%5D0%3B", "a%20b")
    (holder,) = read_holders(line(new_lease("r", "ann\x1b]0;", "a b")))
    assert (holder.lease.user, holder.lease.operator) == ("ann%1B%5D0%3B", "a b")


def test_no_two_leases_have_one_token() -> None:
    assert len({new_lease("r", "ann", "desk").token for _ in range(100)}) == 100


@given(NAMES, TEXTS, TEXTS, st.lists(NAMES, max_size=4, unique=True), st.integers(0, 10**9))
def test_what_a_host_prints_is_read_back(run: str, user: str, operator: str, gpus: list[str], age: int) -> None:
    lease = Lease(run, user, operator, tuple(sorted(gpus)), TOKEN)
    assert read_holders(line(lease, age=age) + "\n") == (Holder(lease, SINCE, age, "held", "alice"),)
    assert read_holders(line(lease, "held", age=age))[0].by_container


@given(st.text(max_size=200))
def test_any_other_text_is_read_without_an_error(text: str) -> None:
    assert isinstance(read_holders(text), tuple)
    assert isinstance(label_of(text), str)


def test_the_label_of_a_runs_containers_is_the_record_of_a_lease_that_is_held_as_long_as_they_run() -> None:
    assert label_of(line(LEASE) + "\n") == (f"{TOKEN} held 1795903609 {SINCE} training-a GPU-1,GPU-2 alice ann desk")
    assert label_of("") == ""


def test_a_taken_host_says_who_has_it_since_when() -> None:
    assert str(Holder(LEASE, SINCE, 7, "held", "alice")) == (
        "GPU GPU-2, GPU-1: run training-a of ann (launched from desk) since 2026-01-02T03:04:05Z, by the account alice"
    )
