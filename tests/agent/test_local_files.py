"""What is linked, uploaded and removed of a folder on the host's disk."""

from __future__ import annotations

import pytest

from toolkit.agent.local_files import (
    MOST_AT_ONCE,
    Stamp,
    at_rest,
    first_of,
    is_odd,
    next_upload,
    to_link,
    to_remove,
    to_unlink,
    to_upload,
)

OLD, NEW, OTHER = Stamp(1, 5, 10, 10), Stamp(1, 5, 20, 20), Stamp(2, 5, 10, 10)


def test_a_new_file_and_one_that_another_has_replaced_are_linked() -> None:
    assert to_link({"a": OLD, "b": NEW, "c": OTHER}, {"a": 1, "b": 9}) == ["b", "c"]


def test_a_file_that_was_only_changed_keeps_its_link() -> None:
    assert to_link({"a": NEW}, {"a": OLD.inode}) == []


def test_the_links_of_removed_and_renamed_files_are_removed() -> None:
    assert to_unlink({"new": OLD}, {"old": 1, "new": 1}) == ["old"]


def test_what_is_not_stored_as_it_is_now_is_uploaded_and_what_has_waited_longest_comes_first() -> None:
    files = {"a": OLD, "b": NEW, "c": OTHER, "d": OLD}
    assert to_upload(files, {"a": OLD, "b": OLD}, ["gone", "d"]) == {"d": OLD, "b": NEW, "c": OTHER}
    assert [*to_upload(files, {"a": OLD, "b": OLD}, ["gone", "d"])] == ["d", "b", "c"]


def test_only_objects_that_were_uploaded_from_here_are_removed() -> None:
    assert to_remove({"a": NEW}, {"a": OLD, "b": OLD}) == ["b"]


def test_a_file_that_changes_between_two_scans_waits() -> None:
    wanted = {"same": OLD, "changed": NEW, "new": OTHER}
    before = {"same": OLD, "changed": OLD}
    assert at_rest(wanted, before) == {"same": OLD}


@pytest.mark.parametrize("links", [{}, {"a": 7}], ids=["no link", "another file's link"])
def test_a_file_without_its_own_link_waits(links: dict[str, int]) -> None:
    assert next_upload({"a": OLD}, links, ()) == {}


def test_a_file_whose_upload_would_not_end_waits() -> None:
    assert next_upload({"a": OLD, "b": OLD}, {"a": 1, "b": 1}, {"a"}) == {"b": OLD}


def test_an_upload_has_a_limited_number_of_files() -> None:
    files = [(str(number), OLD) for number in range(MOST_AT_ONCE + 5)]
    assert [*first_of(files)] == files[:MOST_AT_ONCE]


def test_an_odd_name_is_alone_and_does_not_stop_others() -> None:
    assert [*first_of([("a\nb", OLD), ("c", OLD)])] == [("a\nb", OLD)]
    assert [*first_of([("c", OLD), ("a\nb", OLD), ("d", OLD)])] == [("c", OLD), ("d", OLD)]


@pytest.mark.parametrize("name", ["a", "#a", " a ", "é", "a\\b", "*?[x]{y}", "-a", "日本"])
def test_usual_names_can_be_in_a_list(name: str) -> None:
    assert not is_odd(name)


@pytest.mark.parametrize("name", ["a\n", "a\r", "\x1b", "\x7f", "q‛q", "␊", "a\udce9", "／", "．"])
def test_names_that_rclone_writes_differently_are_odd(name: str) -> None:
    assert is_odd(name)
