"""Packages of two images: each that was changed, removed or added is named, and nothing else."""

from __future__ import annotations

import pytest
from packaging.requirements import Requirement

from toolkit.lock.model import DebPin, Lock, WheelPin
from toolkit.lock.packages import LockedPackage, locked_packages
from toolkit.run.comparison.packages import package_differences, unmet

A, B = "a" * 64, "b" * 64
SCIPY, LIBC = LockedPackage("wheel", "scipy", "1.11.4", A), LockedPackage("deb", "libc6", "2.36", A)


def deb(name: str, version: str) -> DebPin:
    return DebPin(name, version, "amd64", "main", f"{name}.deb", A, 1)


def wheel(name: str, version: str) -> WheelPin:
    return WheelPin(name, version, f"{name}.whl", A, 1)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ([SCIPY, LIBC], []),
        ([SCIPY._replace(version="1.12.0", sha256=B), LIBC], [("scipy", "1.11.4", "1.12.0")]),
        ([SCIPY], [("libc6 (Debian's)", "2.36", "")]),
        ([SCIPY, LIBC, SCIPY._replace(name="fire", version="0.7")], [("fire", "", "0.7")]),
        (
            [SCIPY._replace(sha256=B), LIBC],
            [("scipy", f"1.11.4 in the file sha256 {A[:12]}", f"1.11.4 in the file sha256 {B[:12]}")],
        ),
        ([LIBC._replace(version="3"), LIBC], [("libc6 (Debian's)", "2.36", "2.36, 3"), ("scipy", "1.11.4", "")]),
    ],
)
def test_a_package_that_was_changed_removed_or_added_is_named(
    after: list[LockedPackage], expected: list[tuple[str, str, str]]
) -> None:
    assert sorted(package_differences([SCIPY, LIBC], after)) == expected
    assert sorted(package_differences(after, [SCIPY, LIBC])) == [(name, two, one) for name, one, two in expected]


def test_pythons_packages_come_first() -> None:
    changed = [LIBC._replace(version="3"), SCIPY._replace(version="2")]
    assert [name for name, *_ in package_differences([LIBC, SCIPY], changed)] == ["scipy", "libc6 (Debian's)"]


def test_an_image_has_the_frameworks_packages_and_the_added_ones() -> None:
    framework = Lock(A, B, (deb("libc6", "2.36"),), (wheel("numpy", "1.26"),))
    assert [one[:3] for one in locked_packages(framework)] == [("deb", "libc6", "2.36"), ("wheel", "numpy", "1.26")]
    wheels = Lock(A, B, (), (wheel("fire", "0.7"),))
    assert [one.name for one in locked_packages(framework, wheels)] == ["libc6", "fire", "numpy"]
    debs = Lock(A, B, (deb("libc6", "2.37"), deb("jq", "1.6")), ())
    assert [one[1:3] for one in locked_packages(framework, debs)] == [
        ("jq", "1.6"),
        ("libc6", "2.37"),
        ("numpy", "1.26"),
    ]


def test_a_requirement_that_the_recorded_packages_do_not_meet_is_named_with_what_is_wanted() -> None:
    recorded = [SCIPY, SCIPY._replace(name="odd", version="someone's own"), LIBC._replace(name="fire")]
    wanted = [Requirement(one) for one in ("SciPy==1.12.0", "scipy>=1", "fire", "odd>1")]
    assert list(unmet(recorded, wanted)) == [
        ("SciPy", "1.11.4", "==1.12.0, not locked"),
        ("fire", "", "any version, not locked"),
        ("odd", "someone's own", ">1, not locked"),
    ]
