"""What a renewed lock changes."""

from __future__ import annotations

from toolkit.lock.changes import Change, changes
from toolkit.lock.model import Lock

from .recipes import deb, wheel

OLD = Lock("1", "2", (deb("bash"), deb("dash"), deb("gone")), (wheel("six"), wheel("absl")))


def test_each_package_that_is_other_than_before_is_told() -> None:
    new = Lock("3", "2", (deb("bash", "2.0", "c" * 64), deb("dash"), deb("new")), (wheel("six", "1.1", "d" * 64),))
    assert changes(OLD, new) == (
        Change("deb", "bash", "1.0", "2.0"),
        Change("deb", "gone", "1.0", ""),
        Change("deb", "new", "", "1.0"),
        Change("wheel", "absl", "1.0", ""),
        Change("wheel", "six", "1.0", "1.1"),
    )


def test_another_file_under_the_same_version_is_a_change() -> None:
    new = Lock("1", "2", OLD.debs, (wheel("six", sha256="e" * 64), wheel("absl")))
    assert changes(OLD, new) == (Change("wheel", "six", "1.0", "1.0"),)


def test_another_question_with_the_same_files_changes_nothing() -> None:
    assert changes(OLD, Lock("9", "9", OLD.debs, OLD.wheels)) == ()


def test_in_a_first_lock_all_is_new() -> None:
    assert changes(None, Lock("1", "2", (deb("bash"),), (wheel("six"),))) == (
        Change("deb", "bash", "", "1.0"),
        Change("wheel", "six", "", "1.0"),
    )
