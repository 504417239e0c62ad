"""The training data as a launch lists it."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from toolkit.errors import Code, ToolkitError
from toolkit.run.document import data_listing as module
from toolkit.run.document.data_listing import BackgroundListing, DataFile, bounded_listing, files_in_folder, listing_of

ONE, TWO = DataFile("a", 1, "e" * 32), DataFile("b\n", 2)


def test_the_digest_is_over_a_line_for_each_file_by_name() -> None:
    text = f'1 {"e" * 32} "a"\n2 - "b\\n"\n'
    found = listing_of([TWO, ONE])
    assert found["sha256"] == hashlib.sha256(text.encode()).hexdigest()
    assert (found["files"], found["bytes"], [one["path"] for one in found["entries"]]) == (2, 3, ["a", "b\n"])
    assert listing_of([ONE, TWO]) == found


@pytest.mark.parametrize("other", [DataFile("a", 2, "e" * 32), DataFile("a", 1, "f" * 32), DataFile("c", 1, "e" * 32)])
def test_another_name_size_or_content_gives_another_digest(other: DataFile) -> None:
    assert listing_of([other, TWO])["sha256"] != listing_of([ONE, TWO])["sha256"]


def test_too_many_files_are_not_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_FILES", 2)
    assert "listing" in bounded_listing(iter([ONE, TWO]))
    assert bounded_listing(iter([ONE, TWO, ONE])) == {"not_listed": "it has more than 2 files"}


def test_what_takes_too_long_is_not_listed() -> None:
    assert bounded_listing(iter([ONE, TWO]), -1.0) == {"not_listed": "listing it takes longer than -1 s"}


def test_a_store_that_fails_is_the_reason() -> None:
    def files() -> Iterator[DataFile]:
        yield ONE
        raise ToolkitError(Code.LOADING_DATA, "cannot list bucket oak")

    assert bounded_listing(files()) == {"not_listed": "cannot list bucket oak"}


def test_a_launch_waits_a_second_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE_SECONDS", 0.05)
    goes_on = threading.Event()

    def files() -> Iterator[DataFile]:
        goes_on.wait(10)
        yield ONE

    listing, started = BackgroundListing(files()), time.monotonic()
    assert listing.result() == {"not_listed": "listing it takes longer than the start of the run"}
    assert time.monotonic() - started < 5
    goes_on.set()
    monkeypatch.setattr(module, "_PATIENCE_SECONDS", 5.0)
    assert listing.result() == {"listing": listing_of([ONE])}


def test_a_folders_files_are_listed_and_its_links_out_are_not(tmp_path: Path) -> None:
    (tmp_path / "data" / "sub").mkdir(parents=True)
    (tmp_path / "data" / "sub" / "x").write_bytes(b"123")
    (tmp_path / "data" / "out").symlink_to("/etc/passwd")
    assert list(files_in_folder(tmp_path / "data")) == [DataFile("sub/x", 3)]
