"""4 and 5 of the table: a store that goes away, comes back, refuses the keys, is full; on this machine."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..real.bench import NOTHING, Bench
from .local import STORE, Expected, LocalRun
from .page import Page, Row
from .program import WRITER, closed, stored
from .shell import docker, record_of
from .store import S3Server

SLOWLY = "python program.py 60 0.2 200000"
DOWN_SECONDS = 30


@pytest.fixture
def server(tmp_path: Path) -> Iterator[S3Server]:
    server = S3Server(tmp_path / "store", tmp_path / "keys")
    server.start()
    yield server
    server.stop()


def run_on(
    bench: Bench, folder: Path, server: S3Server, command: str = SLOWLY, program: str = WRITER, store: int = STORE
) -> LocalRun:
    """A run whose buckets are on `server`."""
    run = LocalRun(bench, folder, command, program, results=server.folder / "mnist-training-models", store=store)
    server.manifest(run.manifest)
    return run


def test_a_store_that_is_down_for_30_s_loses_nothing(
    bench: Bench, tmp_path: Path, page: Page, server: S3Server
) -> None:
    down_and_up(bench, tmp_path, page, server, DOWN_SECONDS)


def down_and_up(bench: Bench, tmp_path: Path, page: Page, server: S3Server, seconds: float) -> None:
    """The store goes away in the middle of writing, and comes back, sooner than the cluster's patience ends."""
    run = run_on(bench, tmp_path / "run", server, store=150)
    run.launch()
    run.until_files()
    run.fault()
    server.stop()
    time.sleep(seconds)
    server.start()
    fault = f"the store is down for {seconds:.0f} s in the middle of writing"
    record = run.must_end(page, Expected("4", fault, "COMPLETED", "completed", "all results verified in the bucket"))
    assert record["kept"] == []


def kept_then_rescued(run: LocalRun, page: Page, expected: Expected, repair: threading.Thread) -> dict[str, Any]:
    """The run fails and keeps what it wrote; once the store is fixed, `toolkit rescue` stores it."""
    bench, shell = run.bench, run.shell
    shell.end()
    over = time.monotonic() - run.at
    record = record_of(bench, shell.run)
    said = f"{shell.said}\n{record}"
    assert (record["state"], record["end"], record["error_code"]) == ("FAILED", expected.end, "S303"), said
    assert record["kept"] == ["this machine"], said
    assert f"toolkit rescue {shell.run}" in record["hint"], said
    assert f"toolkit rescue {shell.run}" in shell.said
    reported = shell.when(expected.names, run.at)
    volume = f"toolkit-{shell.run}"
    assert run.left() == {**NOTHING, "volumes": [volume], "processes": []}
    repair.start()
    repair.join()
    bench.ok("rescue", shell.run)
    rescued = record_of(bench, shell.run)
    whole = all(step["exit_status"] == 0 and not any(step["ranks"]) for step in record["steps"])
    assert (rescued["state"], rescued["kept"]) == ("COMPLETED" if whole else "FAILED", []), rescued
    run.must_have_stored(shell.said)
    run.must_leave_nothing()
    page.add(
        Row(
            expected.number,
            expected.fault,
            f"FAILED, {record['end']}",
            reported,
            over,
            "its volume, until `toolkit rescue`",
        )
    )
    return record


def test_a_store_that_stays_away_keeps_the_data_here_until_it_is_rescued(
    bench: Bench, tmp_path: Path, page: Page, server: S3Server
) -> None:
    run = run_on(bench, tmp_path / "run", server)
    run.launch()
    run.until_files()
    run.fault()
    server.stop()
    expected = Expected(
        "4",
        "the store is down for good",
        "FAILED",
        "bucket write",
        "no upload has succeeded|could not be stored|not all results",
    )

    def repair() -> None:
        lose_words(run)
        server.start()

    kept_then_rescued(run, page, expected, threading.Thread(target=repair))


def lose_words(run: LocalRun) -> None:
    """As if the mount had been killed while it wrote down that two of the files must be uploaded."""
    folder = Path(docker("volume", "inspect", "--format", "{{.Mountpoint}}", f"toolkit-{run.shell.run}"))
    lacking = sorted(closed(run.shell.said).keys() - stored(run.results, closed(run.shell.said)).keys())
    half, none = ((folder / "cache/vfsMeta").rglob(name) for name in lacking[:2])
    for file in half:
        file.write_text(file.read_text()[:30])
    for file in none:
        file.unlink()


def test_keys_that_are_revoked_in_the_middle_are_reported_as_that(
    bench: Bench, tmp_path: Path, page: Page, server: S3Server
) -> None:
    run = run_on(bench, tmp_path / "run", server)
    run.launch()
    run.until_files()
    run.fault()
    server.stop()
    server.start(secret="revoked-and-replaced")

    def repair() -> None:
        server.stop()
        server.start()

    expected = Expected(
        "5",
        "the keys are revoked in the middle",
        "FAILED",
        "bucket credentials",
        "refuses|could not be stored|not all results|no upload has succeeded",
    )
    kept_then_rescued(run, page, expected, threading.Thread(target=repair))


def test_a_bucket_that_is_full_is_reported_as_that(bench: Bench, tmp_path: Path, page: Page) -> None:
    folder = tmp_path / "store"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", folder], check=True)
    server = S3Server(folder, tmp_path / "keys")
    server.start()
    try:
        run = run_on(bench, tmp_path / "run", server)
        run.at = run.launch().until("part-0-3")

        def repair() -> None:
            subprocess.run(["mount", "-o", "remount,size=100m", folder], check=True)

        # rclone's server says no more than 500 of it: so it is not reported as full, as it is of a store that says so.
        expected = Expected(
            "5",
            "the bucket's disk is full",
            "FAILED",
            "bucket write",
            "no upload has succeeded|could not be stored|not all results",
        )
        record = kept_then_rescued(run, page, expected, threading.Thread(target=repair))
        assert "StatusCode: 500" in record["evidence"]
    finally:
        server.stop()
        subprocess.run(["umount", folder], check=True)


@pytest.mark.timeout(1500)
def test_files_named_as_stored_are_those_that_are(bench: Bench, tmp_path: Path, page: Page, server: S3Server) -> None:
    """9: a program that does all that is hard to store, in its last second."""
    run = run_on(bench, tmp_path / "run", server, "python program.py", HARD)
    shell = run.launch()
    run.at = shell.until("CLOSING", timeout=300)
    expected = Expected("9", "1 GB, 10,000 files, renames and appends in the last second", "COMPLETED", "completed", "")
    run.must_end(page, expected, timeout=1200)
    files = closed(shell.said)
    assert len(files) > 10_000
    assert stored(run.results, files) == files
    assert not (run.results / "first").exists()
    assert docker("volume", "ls", "--quiet", "--filter", f"label=toolkit.run={shell.run}") == ""


HARD = """
import hashlib, os, time
from pathlib import Path
rank, results = os.environ["OMPI_COMM_WORLD_RANK"], Path(os.environ["RESULT_DIR"])
def tell(name):
    digest = hashlib.sha256()
    with (results / name).open("rb") as stream:
        while piece := stream.read(1 << 20):
            digest.update(piece)
    print("CLOSED", digest.hexdigest(), name, flush=True)
if rank == "0":
    print("CLOSING", flush=True)
    (results / "small").mkdir()
    for n in range(10_000):
        data = b"%d" % n * 20
        (results / "small" / str(n)).write_bytes(data)
        print("CLOSED", hashlib.sha256(data).hexdigest(), "small/%d" % n)
    for n in range(20):
        (results / "first").write_bytes(os.urandom(50_000))
        (results / "first").rename(results / "renamed")
    for n in range(50):
        with (results / "appended").open("ab") as stream:
            stream.write(os.urandom(3000))
    held = (results / "held").open("wb")
    held.write(b"written, and never closed by the program"); held.flush()
    with (results / "big").open("wb") as stream:
        piece = os.urandom(1 << 20)
        for n in range(1024):
            stream.write(piece[n:] + piece[:n])
    for name in ("renamed", "appended", "held", "big"):
        tell(name)
    os._exit(0)
"""
