"""The lock's file."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from toolkit.errors import Code, Place, ToolkitError
from toolkit.lock.file import lock_text, parse_lock, read_lock, write_lock
from toolkit.lock.model import DebPin, Lock, WheelPin

from .recipes import deb, wheel

HASHES = st.text("0123456789abcdef", min_size=64, max_size=64)
WORDS = st.from_regex(r"[a-z0-9][a-z0-9+.~_-]{0,11}", fullmatch=True)
VERSIONS = st.builds("{}{}".format, st.sampled_from(["", "1:", "2:"]), WORDS)
PATHS = st.builds("pool/{}/{}".format, WORDS, WORDS)
SIZES = st.integers(0, 10**12)
DEBS = st.builds(DebPin, WORDS, VERSIONS, WORDS, WORDS, PATHS, HASHES, SIZES)
WHEELS = st.builds(WheelPin, WORDS, WORDS, WORDS, HASHES, SIZES)
LOCKS = st.builds(
    Lock,
    HASHES,
    HASHES,
    st.lists(DEBS, max_size=5, unique_by=lambda pin: (pin.name, pin.architecture)).map(
        lambda pins: tuple(sorted(pins))
    ),
    st.lists(WHEELS, max_size=5, unique_by=lambda pin: pin.name).map(lambda pins: tuple(sorted(pins))),
)
LOCK = Lock("1" * 64, "2" * 64, (deb("bash"), deb("dash")), (wheel("absl"), wheel("six")))
LINES = lock_text(LOCK, "Flow 1.0").splitlines()


@given(LOCKS, st.text(max_size=40))
def test_what_is_written_is_read(lock: Lock, title: str) -> None:
    assert parse_lock(lock_text(lock, title), "x.lock") == lock


@given(LOCKS)
def test_the_text_does_not_depend_on_the_order_of_the_pins(lock: Lock) -> None:
    turned = Lock(lock.asked, lock.template, lock.debs[::-1], lock.wheels[::-1])
    assert lock_text(turned, "x") == lock_text(lock, "x")


@given(LOCKS)
def test_any_reader_of_yaml_reads_it(lock: Lock) -> None:
    data = yaml.load(lock_text(lock, "x"), Loader=yaml.BaseLoader)  # noqa: S506 (text only, no objects)
    assert data["asked"] == lock.asked
    assert [line.split()[0] for line in data["debs"]] == [pin.name for pin in lock.debs]
    assert [line.split()[-1] for line in data["wheels"]] == [str(pin.size) for pin in lock.wheels]


def test_each_file_of_an_image_has_a_line_of_its_own() -> None:
    assert lock_text(LOCK, "Flow 1.0").splitlines() == [
        "# Written by `toolkit lock`; do not edit: change the recipe, then run it again.",
        "# Flow 1.0",
        "# debs: name version architecture archive path sha256 size",
        "# wheels: name version file sha256 size",
        "lock: 1",
        f"asked: {'1' * 64}",
        f"template: {'2' * 64}",
        "debs:",
        f"  - bash 1.0 amd64 debian pool/main/bash_1.0_amd64.deb {'a' * 64} 10",
        f"  - dash 1.0 amd64 debian pool/main/dash_1.0_amd64.deb {'a' * 64} 10",
        "wheels:",
        f"  - absl 1.0 absl-1.0-py3-none-any.whl {'b' * 64} 20",
        f"  - six 1.0 six-1.0-py3-none-any.whl {'b' * 64} 20",
    ]


@pytest.mark.parametrize(
    ("line", "text", "what", "column"),
    [
        (5, "lock: 2", "format 2; this version of the tool reads 1", 1),
        (5, "look: 1", "expected `lock: …`", 1),
        (6, "asked: x", "`asked` must be a SHA-256 (64 hexadecimal digits)", 1),
        (7, "template: 1234", "`template` must be a SHA-256 (64 hexadecimal digits)", 1),
        (8, "deps:", "expected `debs:`", 1),
        (9, "  - bash 1.0", "expected 7 words, found 2", 3),
        (9, LINES[9], "dash is given twice", 3),
        (9, f"  - a 1 all debian /etc/x {'a' * 64} 1", "a package's path must stay below its archive", 3),
        (9, f"  - a 1 all debian x/../../y {'a' * 64} 1", "a package's path must stay below its archive", 3),
        (9, f"  - a 1 all debian x {'a' * 63} 1", "second to last word must be a SHA-256", 3),
        (9, f"  - a 1 all debian x {'a' * 64} -1", "the last word must be the size in bytes", 3),
        (12, f"  - a 1 ../x {'a' * 64} 1", "a wheel is given by its file name only", 3),
        (12, "<<<<<<< mine", "expected nothing more, or a line that begins with `  - `", 1),
    ],
)
def test_an_error_points_at_its_line(line: int, text: str, what: str, column: int) -> None:
    lines = [*LINES[: line - 1], text, *LINES[line:]]
    with pytest.raises(ToolkitError) as caught:
        parse_lock("\n".join(lines), "x.lock")
    (problem,) = caught.value.problems
    at = 10 if "twice" in what else line  # it is the second one that is too many
    assert (problem.place, what in problem.what) == (Place("x.lock", at, column), True)
    assert problem.source_line == lines[at - 1]


@pytest.mark.parametrize("length", range(len(LINES)))
def test_a_file_that_was_cut_is_no_lock_or_a_shorter_one(length: int) -> None:
    text = "\n".join(LINES[:length])
    if length >= LINES.index("wheels:") + 1:
        assert parse_lock(text, "x.lock").debs == LOCK.debs
    else:
        with pytest.raises(ToolkitError):
            parse_lock(text, "x.lock")


def test_a_lock_that_is_not_there_is_made_by_one_command(tmp_path: Path) -> None:
    with pytest.raises(ToolkitError, match="is missing") as caught:
        read_lock(tmp_path / "x.lock")
    assert (caught.value.code, caught.value.hint) == (Code.IMAGE, "toolkit lock")


def test_a_lock_is_written_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "locks" / "x.lock"
    write_lock(Lock("3" * 64, "4" * 64, (), ()), file, "before")
    write_lock(LOCK, file, "Flow 1.0")
    assert read_lock(file) == LOCK
    assert [path.name for path in file.parent.iterdir()] == ["x.lock"]
    assert file.stat().st_mode & 0o777 == 0o644
