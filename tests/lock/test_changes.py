"""What a renewed lock changes."""

from __future__ import annotations

from toolkit.lock.changes import Change, changes, changes_of_additions
from toolkit.lock.model import Lock

from .recipes import deb, wheel

OLD = Lock("1", "2", (deb("bash"), deb("dash"), deb("gone")), (wheel("six"), wheel("absl")))


def test_each_package_that_is_other_than_before_is_reported() -> None:
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


FRAMEWORK = Lock("0", "0", (deb("bash"), deb("dash")), (wheel("numpy"),))
WITH_BC = Lock("1", "2", (deb("bash"), deb("bc"), deb("dash")), (wheel("fire"),))


def test_the_first_additions_are_new_and_what_the_framework_has_is_not() -> None:
    assert changes_of_additions(FRAMEWORK, None, WITH_BC) == (
        Change("deb", "bc", "", "1.0"),
        Change("wheel", "fire", "", "1.0"),
    )


def test_without_added_debian_packages_the_image_has_the_frameworks_again() -> None:
    alone = Lock("3", "2", (), (wheel("fire"),))
    assert changes_of_additions(FRAMEWORK, WITH_BC, alone) == (Change("deb", "bc", "1.0", ""),)


def test_a_package_of_the_base_that_comes_newer_with_an_added_one_is_reported() -> None:
    newer = Lock("1", "2", (deb("bash", "2.0", "c" * 64), deb("bc"), deb("dash")), ())
    assert changes_of_additions(FRAMEWORK, None, newer) == (
        Change("deb", "bash", "1.0", "2.0"),
        Change("deb", "bc", "", "1.0"),
    )
