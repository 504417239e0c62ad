"""Leases for real: on hosts over ssh with their own engines, and by many processes that are really at once."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from toolkit.cluster.reader import read_cluster
from toolkit.errors import ToolkitError
from toolkit.hosts.fan_out import Hosts
from toolkit.leases.keep import acquire, acquire_all, folder_of, holders, release, release_all, renew
from toolkit.leases.model import Held, Lease, Taken, new_lease, read_holders
from toolkit.leases.program import TAKEN, acquire_argv, list_argv, release_argv, renew_argv

from .lab import RealLab, image_of_buckets, lab_of_two  # noqa: F401  fixtures

ROUNDS = 50
AT_ONCE = 8
SHELLS = [name for name in ("dash", "bash") if shutil.which(name)]
SCRATCH = "/var/tmp/toolkit"


def lease(run: str, *gpus: str) -> Lease:
    return new_lease(run, "ann", "desk", gpus)


@pytest.fixture(name="hosts")
def hosts_of_lab(lab: RealLab) -> Iterator[Hosts]:
    with Hosts(read_cluster(lab.cluster_file)) as hosts:
        yield hosts
    for host in lab.hosts:
        lab.ok(host, f"rm -rf {SCRATCH}/leases")


class Taking:
    """One process that takes a lease on this machine, by the program that runs on hosts."""

    def __init__(self, sh: str, folder: Path, engine: Path, one: Lease, grace: int = 120) -> None:
        argv = acquire_argv(str(folder), one, engine=str(engine), grace=grace)
        self.lease = one
        self.process = subprocess.Popen(
            [sh, *argv[1:]], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )

    def status(self) -> int:
        _, errors = self.process.communicate(timeout=60)
        assert errors == ""
        return self.process.returncode

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    """An engine on which nothing runs."""
    file = tmp_path / "engine"
    file.write_text("#!/bin/sh\n")
    file.chmod(0o755)
    return file


def listed(sh: str, folder: Path, engine: Path) -> dict[str, str]:
    argv = list_argv(str(folder), engine=str(engine), grace=120)
    done = subprocess.run([sh, *argv[1:]], capture_output=True, text=True, check=True)
    return {holder.lease.token: holder.state for holder in read_holders(done.stdout)}


@pytest.mark.parametrize("sh", SHELLS)
def test_of_eight_at_once_exactly_one_wins_in_every_round(sh: str, tmp_path: Path, engine: Path) -> None:
    folder = tmp_path / "scratch" / "leases"
    for number in range(ROUNDS):
        takers = [Taking(sh, folder, engine, lease(f"run-{number}-{one}")) for one in range(AT_ONCE)]
        statuses = [taker.status() for taker in takers]
        assert sorted(statuses) == [0, *[TAKEN] * (AT_ONCE - 1)]
        winner = takers[statuses.index(0)].lease
        assert listed(sh, folder, engine) == {winner.token: "held"}
        subprocess.run([sh, *release_argv(str(folder), winner)[1:]], check=True)
        assert not folder.exists()


@pytest.mark.parametrize("sh", SHELLS)
def test_of_eight_heirs_of_a_dead_run_exactly_one_wins_in_every_round(sh: str, tmp_path: Path, engine: Path) -> None:
    folder = tmp_path / "scratch" / "leases"
    dead = lease("dead")
    assert Taking(sh, folder, engine, dead).status() == 0
    for number in range(ROUNDS):
        os.utime(folder / f"lease.{dead.token}", (0, 0))
        takers = [Taking(sh, folder, engine, lease(f"heir-{number}-{one}")) for one in range(AT_ONCE)]
        statuses = [taker.status() for taker in takers]
        assert sorted(statuses) == [0, *[TAKEN] * (AT_ONCE - 1)]
        dead = takers[statuses.index(0)].lease
        assert listed(sh, folder, engine) == {dead.token: "held"}


@pytest.mark.parametrize("sh", SHELLS)
def test_runs_that_want_overlapping_gpus_never_share_one(sh: str, tmp_path: Path, engine: Path) -> None:
    folder, chance = tmp_path / "scratch" / "leases", random.Random(5)  # noqa: S311
    for number in range(ROUNDS // 2):
        wanted = [lease(f"run-{number}-{one}", *chance.sample("0123", 2)) for one in range(AT_ONCE)]
        takers = [Taking(sh, folder, engine, one) for one in wanted]
        statuses = [taker.status() for taker in takers]
        won = [taker.lease for taker, status in zip(takers, statuses, strict=True) if status == 0]
        gpus = [gpu for one in won for gpu in one.gpus]
        assert won
        assert len(gpus) == len(set(gpus))
        # Whoever was refused was refused for a reason: none of those could still have been served.
        lost = [taker.lease for taker, status in zip(takers, statuses, strict=True) if status != 0]
        assert all(set(one.gpus) & set(gpus) for one in lost)
        for one in won:
            subprocess.run([sh, *release_argv(str(folder), one)[1:]], check=True)
        assert not folder.exists()


@pytest.mark.parametrize("sh", SHELLS)
def test_takers_that_are_killed_at_any_moment_never_leave_two_holders_or_a_locked_host(
    sh: str, tmp_path: Path, engine: Path
) -> None:
    folder, chance = tmp_path / "scratch" / "leases", random.Random(7)  # noqa: S311
    for number in range(ROUNDS // 2):
        takers = [Taking(sh, folder, engine, lease(f"run-{number}-{one}")) for one in range(AT_ONCE)]
        time.sleep(chance.uniform(0, 0.1))
        for taker in takers[:4]:
            taker.kill()
        for taker in takers[4:]:  # one that was killed while it asked is in their way: for 10 s
            for file in folder.glob("lease.*") if folder.exists() else []:
                with contextlib.suppress(FileNotFoundError):
                    if not file.stat().st_mode & 0o100 and file.name[6:] in {one.lease.token for one in takers[:4]}:
                        os.utime(file, (0, 0))
            assert taker.status() in (0, TAKEN)
        held = [token for token, state in listed(sh, folder, engine).items() if state == "held"]
        assert len(held) == 1
        for file in folder.iterdir():
            os.utime(file, (0, 0))
        heir = lease("heir")
        assert Taking(sh, folder, engine, heir).status() == 0
        assert [file.name for file in folder.iterdir()] == [f"lease.{heir.token}"]
        subprocess.run([sh, *release_argv(str(folder), heir)[1:]], check=True)
        assert not folder.exists()


@pytest.mark.parametrize("sh", SHELLS)
def test_a_lease_that_is_renewed_while_heirs_come_is_either_kept_or_lost(sh: str, tmp_path: Path, engine: Path) -> None:
    folder, kept = tmp_path / "scratch" / "leases", 0
    for number in range(ROUNDS):
        old = lease(f"old-{number}")
        assert Taking(sh, folder, engine, old).status() == 0
        os.utime(folder / f"lease.{old.token}", (0, 0))
        heirs = [Taking(sh, folder, engine, lease(f"heir-{number}-{one}")) for one in range(4)]
        time.sleep(number * 0.0005)
        renewed = subprocess.run([sh, *renew_argv(str(folder), old)[1:]], check=False).returncode == 0
        won = [heir.lease for heir in heirs if heir.status() == 0]
        assert len(won) == (0 if renewed else 1)
        (holder,) = [old] if renewed else won
        assert listed(sh, folder, engine) == {holder.token: "held"}
        subprocess.run([sh, *release_argv(str(folder), holder)[1:]], check=True)
        kept += renewed
    assert 0 < kept < ROUNDS  # both ends were seen


def test_two_launches_at_once_never_share_a_host_and_one_gets_all(lab: RealLab, hosts: Hosts) -> None:
    for number in range(10):

        def launch(name: str, number: int = number) -> tuple[Held, ...] | Taken:
            with Hosts(read_cluster(lab.cluster_file)) as own:
                wanted = [(shell, lease(f"{name}-{number}")) for shell in own.shells]
                return acquire_all(wanted, SCRATCH)

        with ThreadPoolExecutor(3) as pool:
            answers = list(pool.map(launch, ["one", "two", "three"]))
        (won,) = [answer for answer in answers if isinstance(answer, tuple)]
        assert [held.host for held in won] == lab.hosts
        for shell in hosts.shells:
            (holder,) = holders(shell, SCRATCH)
            assert holder.lease in {held.lease for held in won}
        release_all([(hosts.shell(held.host), held.lease) for held in won], SCRATCH)
        assert [lab.ok(host, f"ls -d {SCRATCH} 2>/dev/null || true") for host in lab.hosts] == ["", ""]


def test_a_lease_stands_as_long_as_its_runs_container_does(lab: RealLab, hosts: Hosts, buckets_image: str) -> None:
    shell, (host, *_) = hosts.shells[0], lab.hosts
    lab.give(host, buckets_image)
    alive, heir = lease("training-alive"), lease("training-heir")
    acquire(shell, SCRATCH, alive)
    name = lab.ok(host, f"docker run --detach --init --label toolkit.run=training-alive {buckets_image} sleep 600")
    lab.ok(host, f"touch --date '1 hour ago' {folder_of(SCRATCH)}/lease.{alive.token}")
    answer = acquire(shell, SCRATCH, heir)
    assert isinstance(answer, Taken)
    assert [(one.lease, one.state) for one in answer.holders] == [(alive, "held")]
    lab.ok(host, f"docker rm --force {name}")
    assert acquire(shell, SCRATCH, heir) == Held(host, heir)
    with pytest.raises(ToolkitError, match="no longer has its lease"):
        renew(shell, SCRATCH, alive)
    renew(shell, SCRATCH, heir)
    release(shell, SCRATCH, heir)


def test_a_folder_of_someone_else_is_told(lab: RealLab, hosts: Hosts) -> None:
    host = lab.hosts[0]
    lab.ok(host, f"mkdir -p {SCRATCH}/leases && chown 1001 {SCRATCH}/leases")
    with pytest.raises(ToolkitError) as caught:
        acquire(hosts.shells[0], SCRATCH, lease("one"))
    assert caught.value.what == f"the leases of host {host} cannot be kept in {SCRATCH}/leases"
    assert caught.value.evidence == f"{SCRATCH}/leases belongs to someone else"
    assert lab.ok(host, f"ls {SCRATCH}/leases") == ""


@pytest.mark.parametrize("sh", SHELLS)
def test_a_lease_that_no_one_renews_goes_by_itself_and_one_whose_run_has_a_container_is_left_to_it(
    sh: str, tmp_path: Path, engine: Path
) -> None:
    folder, alone, kept = tmp_path / "scratch" / "leases", lease("alone", "0"), lease("kept", "1")
    engine.write_text('#!/bin/sh\ncase $4 in *=kept) echo "its container";; esac\n')
    for one in (alone, kept):
        assert Taking(sh, folder, engine, one, grace=3).status() == 0
    deadline = time.monotonic() + 60
    while list(listed(sh, folder, engine)) != [kept.token]:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    subprocess.run([sh, *release_argv(str(folder), kept)[1:]], check=True)
    assert not folder.exists()
