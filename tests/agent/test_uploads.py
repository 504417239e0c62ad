"""What is made of the log of the mounts' process; the volume's marks are real."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest

from toolkit.agent.uploads import is_marked, last_failure, mark_named, mounted, root_of, watch

QUEUED = "vfs cache: queuing for upload in 1s"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where in a cache the files of one mount lie. Some have odd names."""
    root = root_of("results:bucket/part", tmp_path)
    (root / "run").mkdir(parents=True)
    for name in (b"read", b"written", b"new\nline", b"\xe9t\xe9", "q‛‛q".encode(), b"esc\x1b"):
        (root / "run" / os.fsdecode(name)).write_bytes(b"data")
    if not is_markable(root / "run" / "read"):
        pytest.fail("this file system keeps no extended attributes, which ext4, xfs and btrfs do")
    return root


def is_markable(file: Path) -> bool:
    return not is_marked(file)  # without marks, all count as written


def log(*events: dict[str, str] | bytes) -> io.BytesIO:
    return io.BytesIO(b"".join((one if isinstance(one, bytes) else json.dumps(one).encode()) + b"\n" for one in events))


def event(message: str, name: str = "", level: str = "info") -> dict[str, str]:
    return {"time": "2026-11-28T12:00:00Z", "level": level, "msg": message, "object": name}


def marked(root: Path) -> set[str]:
    return {file.name for file in (root / "run").iterdir() if is_marked(file)}


def listen(root: Path, stream: io.BytesIO) -> None:
    # As rclone writes it: no blank behind a colon.
    text = stream.read().replace(b'": "', b'":"').replace(b'", "', b'","')
    watch(io.BytesIO(text), root / "said", [root.parent / "no such mount", root])


@pytest.mark.parametrize(
    ("reported", "name"),
    [
        ("run/written", "written"),
        ("run/new\nline", "new\nline"),
        ("run/�t�", os.fsdecode(b"\xe9t\xe9")),
        ("run/q‛q", "q‛‛q"),
        ("run/esc␛", "esc\x1b"),
    ],
)
def test_what_is_queued_for_upload_was_written_here(root: Path, reported: str, name: str) -> None:
    listen(root, log(event(QUEUED, reported)))
    assert marked(root) == {name}


def test_a_mark_goes_with_a_file_that_is_renamed_and_away_with_one_that_is_replaced(root: Path) -> None:
    listen(root, log(event("vfs cache: upload succeeded try #1", "run/written")))
    (root / "run" / "written").rename(root / "run" / "final")
    assert marked(root) == {"final"}
    (root / "run" / "final").unlink()
    (root / "run" / "final").write_bytes(b"read again")
    assert marked(root) == set()


@pytest.mark.parametrize("name", ["", "..", "run/../run/read", "/run/read", "run", "run/missing", "missing/x"])
def test_names_that_lead_elsewhere_mark_nothing(root: Path, name: str) -> None:
    mark_named(name, [root])
    assert marked(root) == set()


def test_a_link_is_not_followed(root: Path) -> None:
    (root / "run" / "link").symlink_to("read")
    mark_named("run/link", [root])
    assert marked(root) == set()


def test_why_an_upload_failed_is_kept_in_rclones_own_words(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    why = "vfs cache: failed to upload try #1, will retry in 10s: corrupted on transfer: md5 hashes differ"
    listen(root, log(event("Copied (new)", "run/read"), event(why, "run/model", "error")))
    assert last_failure(root / "said") == f"run/model: {why}"
    assert "error: run/model: vfs cache: failed to upload" in capfd.readouterr().err
    assert last_failure(root / "nothing") == ""


def test_nothing_in_a_log_stops_the_reader(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    odd = [
        b"panic: runtime error",
        b"{",
        b'{"level":"error"}',
        b"[1]",
        b"\xff\xfe",
        b"null",
        b"{}" * 10,
        b"[" * 100_000,
    ]
    listen(root, log(*odd, event(QUEUED, "run/written")))
    assert marked(root) == {"written"}
    assert "panic: runtime error" in capfd.readouterr().err


def test_mounts_are_found_by_their_devices(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "data:images /run/host/mnt/data/images fuse.rclone ro 0 0\n"
        "proc /proc proc rw 0 0\nresults:models/part /run/host/mnt/results/models fuse.rclone rw 0 0\n"
    )
    assert mounted(tmp_path, mounts) == [tmp_path / "vfs/data/images", tmp_path / "vfs/results/models/part"]
