"""3 and 8 of the table: hosts that are lost, and that two launches want; on a lab of two hosts."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from toolkit.leases.client import GRACE_SECONDS

from ..real.bench import Bench
from ..real.lab import RealLab
from .lab_hosts import (
    cluster,
    cut_network,
    heal,
    healed,
    kill_agent,
    kill_learner,
    on,
    stop_engine,
    wait_until_empty,
    wait_until_gone_here,
)
from .page import Page, Row
from .program import WRITER, closed, stored
from .shell import Shell, record_of

__all__ = ["cluster", "healed"]

pytestmark = pytest.mark.timeout(900)

LARGE = WRITER + "if rank == '1':\n    close('large', os.urandom(1 << 20) * 400)\nelse:\n    time.sleep(8)\n"


@dataclass(frozen=True)
class Loss:
    """A host is lost: `what` is done to host number `host` once the screen shows `stage`."""

    fault: str
    what: Callable[[str, str], None]
    host: int
    stage: str
    names: str

    @property
    def name(self) -> str:
        whose = ("the first host", "the other host")[self.host]
        stage = {"DOWNLOADING": "in start", "part-1-3": "in training", "STORING": "while storing"}[self.stage]
        return self.fault.format(whose) + ", " + stage


LOSSES = [
    Loss("{}'s network is cut", cut_network, 1, "part-1-3", "{1} is lost"),
    Loss("{}'s network is cut", cut_network, 0, "part-1-3", "{0}"),
    Loss("{}'s network is cut", cut_network, 1, "STORING", "{1}"),
    Loss("{}'s network is cut", cut_network, 0, "STORING", "{0}"),
    Loss("{}'s engine is stopped", stop_engine, 1, "part-1-3", "{1} is lost"),
    Loss("{}'s engine is stopped", stop_engine, 0, "part-1-3", "{0}"),
    Loss("{}'s engine is stopped", stop_engine, 1, "STORING", "{1}"),
    Loss("{}'s learner is killed", kill_learner, 1, "part-1-3", "{1} is lost"),
    Loss("{}'s learner is killed", kill_learner, 0, "part-1-3", "{0} ended"),
    Loss("{}'s agent is killed", kill_agent, 1, "part-1-3", "{1}"),
    Loss("{}'s agent is killed", kill_agent, 0, "part-1-3", "{0}"),
    Loss("{}'s agent is killed", kill_agent, 1, "STORING", "{1}"),
]


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name.replace(" ", "-"))
def test_a_lost_host_is_named_and_what_it_holds_comes_home(
    lab: RealLab, cluster: Path, tmp_path: Path, page: Page, loss: Loss
) -> None:
    command, program = ("python program.py 300 0.2 20000", WRITER)
    if loss.stage == "STORING":
        command, program = ("python program.py 5 0.1 20000", LARGE)
    shell = Shell(lab.bench, "launch", lab.bench.manifest(tmp_path, command, program), "--cluster", cluster)
    shell.until(loss.stage)
    host = lab.hosts[loss.host]
    at = time.monotonic()
    loss.what(host, shell.run)
    shell.end(timeout=400)
    over = time.monotonic() - at
    record = record_of(lab.bench, shell.run)
    said = f"{shell.said}\n{json.dumps(record, indent=1)}"
    assert (record["state"], record["end"]) == ("FAILED", "host lost"), said
    names = loss.names.format(*lab.hosts)
    assert re.search(names, record["reason"]), said
    reported = shell.when(names, at)
    page.lost(loss.name, reported)
    files = closed(shell.said)
    results = lab.bench.results(shell.run)
    lacking = {name for name, digest in files.items() if stored(results, [name]).get(name) != digest}
    assert not lacking or host in record["kept"], said
    other = lab.hosts[1 - loss.host]
    wait_until_empty(other)
    heal(host)
    left = "nothing"
    if record["kept"]:
        lab.bench.ok("rescue", shell.run, timeout=200)
        left = f"on {'the first host' if loss.host == 0 else 'the other host'}, until `toolkit rescue`"
    wait_until_empty(host)
    assert stored(results, files) == files
    wait_until_gone_here(shell.run)
    page.add(Row("3", loss.name, "FAILED, host lost", reported, over, left))


STARTS = [
    Loss("{}'s network is cut", cut_network, 1, "DOWNLOADING", "{1}"),
    Loss("{}'s engine is stopped", stop_engine, 0, "DOWNLOADING", "{0}"),
    Loss("{}'s agent is killed", kill_agent, 1, "DOWNLOADING", "{1}"),
]


@pytest.mark.parametrize("loss", STARTS, ids=lambda loss: loss.name.replace(" ", "-"))
def test_a_host_lost_before_the_run_has_begun_leaves_no_run(
    lab: RealLab, cluster: Path, tmp_path: Path, page: Page, loss: Loss
) -> None:
    shell = Shell(lab.bench, "launch", lab.bench.manifest(tmp_path, "sleep 100"), "--cluster", cluster)
    shell.until(loss.stage)
    host = lab.hosts[loss.host]
    if loss.what is kill_agent:
        while not on(host, f"docker ps --quiet --filter name=toolkit-{shell.run}-agent"):
            time.sleep(0.1)
    at = time.monotonic()
    loss.what(host, shell.run)
    shell.end(timeout=400)
    over = time.monotonic() - at
    record = record_of(lab.bench, shell.run)
    assert (record["state"], record["end"]) == ("FAILED", "host lost"), f"{shell.said}\n{json.dumps(record, indent=1)}"
    reported = shell.when(loss.names.format(*lab.hosts), at)
    heal(host)
    for one in lab.hosts:
        # A lease that could not be released ends by itself.
        wait_until_empty(one, GRACE_SECONDS + 40)
    wait_until_gone_here(shell.run)
    results = lab.bench.results(shell.run)
    assert [file for file in results.rglob("*") if file.is_file()] == []
    page.add(Row("3", loss.name, f"FAILED, {record['end']}", reported, over))


@pytest.mark.parametrize("rank", [0, 1])
def test_a_scratch_disk_that_is_full_is_named(
    lab: RealLab, cluster: Path, tmp_path: Path, page: Page, rank: int
) -> None:
    """5: the engine's volumes lie on a file system of 150 MB, and the rank there writes 400. What it had closed is
    stored, its last report arrives, though nothing can be written there any more."""
    host = lab.hosts[rank]
    on(host, "mount -t tmpfs -o size=150m tmpfs /var/lib/docker/volumes")
    try:
        manifest = lab.bench.manifest(tmp_path, "python program.py 5 0.1 20000", LARGE.replace("'1'", f"'{rank}'"))
        shell = Shell(lab.bench, "launch", manifest, "--cluster", cluster)
        at = shell.until(f"part-{rank}-4")
        shell.end(timeout=400)
        over = time.monotonic() - at
        record = record_of(lab.bench, shell.run)
        said = f"{shell.said}\n{json.dumps(record, indent=1)}"
        assert (record["state"], record["end"]) == ("FAILED", "program failed"), said
        for names in (f"rank {rank} exited with status 1 on {host}", f"volumes is full on {host}"):
            assert names in record["reason"], said
        assert "OSError" in record["evidence"], said
        reported = shell.when(f"full on {host}", at)
        files = closed(shell.said)
        assert stored(lab.bench.results(shell.run), files) == files
        for one in lab.hosts:
            wait_until_empty(one)
    finally:
        on(host, "umount /var/lib/docker/volumes")
    whose = ("the first host", "the other host")[rank]
    page.add(Row("5", f"the scratch disk of {whose} is full", "FAILED, program failed", reported, over))


def test_of_two_launches_that_race_one_runs(lab: RealLab, cluster: Path, tmp_path: Path, page: Page) -> None:
    shells = [
        Shell(
            lab.bench,
            *("launch", lab.bench.manifest(tmp_path / name, "python program.py 20 0.2 20000", WRITER)),
            *("--cluster", cluster),
        )
        for name in ("one", "other")
    ]
    at = time.monotonic()
    statuses = sorted(shell.end() for shell in shells)
    said = "\n".join(shell.said for shell in shells)
    assert statuses == [0, 3], said
    winner = next(shell for shell in shells if "COMPLETED" in shell.said)
    loser = next(shell for shell in shells if shell is not winner)
    assert winner.run in loser.said
    for host in lab.hosts:
        wait_until_empty(host)
    page.add(
        Row("8", "two launches race for the same hosts", "one COMPLETED, one refused", None, time.monotonic() - at)
    )


def test_a_stale_lease_keeps_nobody_from_the_hosts(lab: RealLab, cluster: Path, tmp_path: Path, page: Page) -> None:
    """A launch that is killed while it holds leases and has no container yet: the next one has to wait for nothing
    but the time that a lease stands alone."""
    first = Shell(lab.bench, "launch", lab.bench.manifest(tmp_path / "a", "sleep 100"), "--cluster", cluster)
    first.until("DOWNLOADING")
    first.kill()
    at = time.monotonic()
    second = Shell(lab.bench, "launch", lab.bench.manifest(tmp_path / "b", "true"), "--cluster", cluster, "--wait")
    assert second.end(timeout=300) == 0, second.said
    for host in lab.hosts:
        wait_until_empty(host)
    over = time.monotonic() - at
    page.add(Row("8", "a killed launcher leaves a lease", "the next launch waits and COMPLETED", None, over))


@pytest.mark.parametrize(("offset", "how"), [("+10m", "behind"), ("-10m", "ahead of")])
def test_a_clock_that_is_10_minutes_off_is_refused_before_anything_is_done(
    lab: RealLab, cluster: Path, tmp_path: Path, page: Page, offset: str, how: str
) -> None:
    """Signatures of S3 requests have times in them: with so little left until stores refuse them, it is not started."""
    manifest = lab.bench.manifest(tmp_path, "python program.py 20 0.2 20000", WRITER)
    at = time.monotonic()
    done = with_clock(lab.bench, offset, "launch", manifest, "--cluster", cluster)
    over = time.monotonic() - at
    assert (done.returncode, "nothing was started" in done.stderr) == (3, True), done.stderr
    for host in lab.hosts:
        assert re.search(rf"{host}: clock: 60\d\.\d s {how} this machine's", done.stderr), done.stderr
        wait_until_empty(host)
    page.add(Row("8", f"the operator's clock is off by {offset}", "refused, nothing started", over, over))


@pytest.mark.parametrize("offset", ["+10m", "-10m"])
def test_a_run_does_not_care_for_the_clock_of_who_follows_it(
    lab: RealLab, cluster: Path, tmp_path: Path, page: Page, offset: str
) -> None:
    manifest = lab.bench.manifest(tmp_path, "python program.py 20 0.2 20000", WRITER)
    at = time.monotonic()
    record = json.loads(lab.bench.ok("launch", "--detach", "--json", manifest, "--cluster", cluster).stdout)
    done = with_clock(lab.bench, offset, "logs", "-f", record["training_id"])
    over = time.monotonic() - at
    said = done.stdout + done.stderr
    assert (done.returncode, "COMPLETED" in said) == (0, True), said
    files = closed(said)
    assert len(files) == 40
    assert stored(lab.bench.results(record["training_id"]), files) == files
    for host in lab.hosts:
        wait_until_empty(host)
    page.add(Row("8", f"the follower's clock is off by {offset}", "COMPLETED, completed", None, over))


def with_clock(bench: Bench, offset: str, *words: object) -> subprocess.CompletedProcess[str]:
    """A command of an operator whose clock is off."""
    argv = ["faketime", "-f", offset, *bench.argv(*words)]
    return subprocess.run(argv, env=bench.environment, capture_output=True, text=True, timeout=300, check=False)


def test_following_through_a_connection_that_is_cut_20_times_loses_and_repeats_no_line(
    lab: RealLab, cluster: Path, tmp_path: Path, page: Page
) -> None:
    program = "import time\nfor n in range(6000):\n    print('line', n, flush=True)\n    time.sleep(0.01)\n"
    manifest = lab.bench.manifest(tmp_path, "python program.py", program)
    record = json.loads(lab.bench.ok("launch", "--detach", "--json", manifest, "--cluster", cluster).stdout)
    run = record["training_id"]
    follower = Shell(lab.bench, "logs", "-f", run)
    follower.until("line 100")
    at = time.monotonic()
    cuts = 0
    while cuts < 20:  # a look that finds no connection, as the next one is just being made, does not count
        cuts += int(on(lab.hosts[0], "pkill --count -f '^sshd: root@'", check=False) or 0) > 0
        time.sleep(1.5)
        assert follower.process.poll() is None, follower.said
    assert follower.end() == 0, follower.said
    over = time.monotonic() - at
    stored_lines = (lab.bench.results(run) / "_run" / "output.log").read_text().splitlines()
    wanted = [line.partition(" ")[2] for line in stored_lines]
    shown = [line for line in follower.said.splitlines() if line in set(wanted)]
    assert shown == wanted
    assert sum(" line " in line for line in shown) == 12_000
    page.add(Row("10", "the connection of `logs -f` is cut 20 times", "every line once, COMPLETED", None, over))
