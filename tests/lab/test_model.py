"""A lab's names, and what has to change for it to be as asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.errors import ToolkitError
from toolkit.lab.model import Change, Lab, LabHost, changes, foreign_folder, lab_named, wanted_hosts

HOME = Path("/home/me/.toolkit")
LAB = lab_named("lab", HOME)


def host(number: int, *, running: bool = True, image: str = "lab-host:new") -> LabHost:
    return LabHost(number, f"lab-{number}", f"toolkit-lab-lab-{number}", running, image, "10.0.0.2")


def asked(found: list[LabHost], wanted: int, *, key_is_here: bool = True) -> Change:
    return changes(found, wanted, "lab-host:new", key_is_here=key_is_here)


def test_a_labs_things_are_named_after_it() -> None:
    assert Lab("lab", HOME / "labs" / "lab") == LAB
    assert (LAB.host(2), LAB.container(2), LAB.network) == ("lab-2", "toolkit-lab-lab-2", "toolkit-lab-lab")
    assert LAB.identity == HOME / "labs" / "lab" / "id_ed25519"
    assert LAB.known_hosts == HOME / "labs" / "lab" / "known_hosts"


@pytest.mark.parametrize("name", ["", "a", "Lab", "1lab", "lab-", "lab_1", "../lab", "lab/x", "lab\n", "a" * 41])
def test_a_name_that_no_host_can_have_is_refused(name: str) -> None:
    with pytest.raises(ToolkitError) as caught:
        lab_named(name, HOME)
    assert caught.value.code.label == "C104"


@pytest.mark.parametrize(("hosts", "there", "wanted"), [(None, 0, 2), (None, 5, 5), (3, 5, 3), (1, 0, 1), (64, 0, 64)])
def test_as_many_hosts_as_asked_else_as_there_are_else_two(hosts: int | None, there: int, wanted: int) -> None:
    assert wanted_hosts(hosts, there) == wanted


@pytest.mark.parametrize("hosts", [0, -1, 65])
def test_a_lab_of_no_or_too_many_hosts_is_refused(hosts: int) -> None:
    with pytest.raises(ToolkitError, match=f"--hosts {hosts}: a lab has 1 to 64 hosts"):
        wanted_hosts(hosts, 0)


def test_a_new_lab_is_made_whole() -> None:
    assert asked([], 2, key_is_here=False) == Change(remove=(), make=(1, 2), keep=())


def test_a_lab_that_is_up_stays_as_it_is() -> None:
    assert asked([host(1), host(2)], 2) == Change(remove=(), make=(), keep=(1, 2))


def test_more_hosts_are_added_and_fewer_taken_from_the_end() -> None:
    assert asked([host(1)], 3) == Change(remove=(), make=(2, 3), keep=(1,))
    assert asked([host(1), host(2), host(3)], 1) == Change(remove=(2, 3), make=(), keep=(1,))


def test_a_host_that_ended_is_made_anew() -> None:
    assert asked([host(1), host(2, running=False)], 2) == Change(remove=(2,), make=(2,), keep=(1,))


def test_a_host_of_an_older_image_is_made_anew() -> None:
    assert asked([host(1, image="lab-host:old"), host(2)], 2) == Change(remove=(1,), make=(1,), keep=(2,))


def test_no_host_stays_whose_key_is_gone() -> None:
    assert asked([host(1), host(2)], 2, key_is_here=False) == Change(remove=(1, 2), make=(1, 2), keep=())


HOSTS = st.lists(
    st.builds(host, st.integers(1, 9), running=st.booleans(), image=st.sampled_from(["lab-host:new", "lab-host:old"])),
    unique_by=lambda one: one.number,
)


@given(HOSTS, st.integers(1, 9), st.booleans())
def test_whatever_is_there_the_end_is_hosts_1_to_n(found: list[LabHost], wanted: int, key_is_here: bool) -> None:
    change = asked(found, wanted, key_is_here=key_is_here)
    there = {one.number for one in found}
    assert set(change.remove) <= there
    assert (there - set(change.remove)) | set(change.make) == set(range(1, wanted + 1))
    assert not set(change.make) & set(change.keep)
    again = [replace(one, running=True, image="lab-host:new") for one in map(host, range(1, wanted + 1))]
    assert asked(again, wanted) == Change((), (), tuple(range(1, wanted + 1)))


def test_another_persons_lab_is_known_by_its_folder() -> None:
    other = Path("/home/you/.toolkit/labs/lab")
    assert foreign_folder(LAB, {LAB.folder}) is None
    assert foreign_folder(LAB, frozenset()) is None
    assert foreign_folder(LAB, {LAB.folder, other}) == other
