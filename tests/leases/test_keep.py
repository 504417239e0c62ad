"""Leases in a folder of this machine, by the very program that runs on hosts, in more than one shell."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from toolkit.errors import ToolkitError
from toolkit.hosts.local import LocalShell
from toolkit.leases.keep import acquire, acquire_all, holders, kept, release, renew
from toolkit.leases.model import Held, Lease, Taken, new_lease
from toolkit.leases.program import acquire_argv
from toolkit.process import Result

SHELLS = [name for name in ("dash", "bash", "busybox") if shutil.which(name)]


@dataclass(frozen=True)
class Host(LocalShell):
    """This machine under another name, its `sh` the one that is named."""

    name: str = "h1"
    sh: str = "sh"

    def run(self, argv: Sequence[str], *, data: bytes | None = None, timeout: float | None = None) -> Result:
        words = ["busybox", "sh"] if self.sh == "busybox" else [self.sh]
        return super().run([*words, *argv[1:]], data=data, timeout=timeout)


@dataclass(frozen=True)
class Bench:
    """A host, its scratch folder, and an engine that runs containers of the runs that `live` names."""

    host: Host
    folder: Path

    @property
    def scratch(self) -> str:
        return str(self.folder / "scratch")

    @property
    def engine(self) -> str:
        return str(self.folder / "engine")

    def live(self, *runs: str, answers: bool = True) -> None:
        cases = "".join(f"*=toolkit.run={run}) echo 0123abcd;; " for run in runs)
        text = f'#!/bin/sh\ncase "$4" in {cases}*) ;; esac\n' if answers else "#!/bin/sh\nexit 1\n"
        Path(self.engine).write_text(text)
        Path(self.engine).chmod(0o755)

    def take(self, lease: Lease, grace: int = 120) -> Held | Taken:
        return acquire(self.host, self.scratch, lease, engine=self.engine, grace=grace)

    def runs(self, grace: int = 120) -> dict[str, str]:
        found = holders(self.host, self.scratch, engine=self.engine, grace=grace)
        return {holder.lease.run: holder.state for holder in found}

    def grow_old(self, lease: Lease, seconds: float) -> None:
        then = time.time() - seconds
        os.utime(Path(self.scratch, "leases", f"lease.{lease.token}"), (then, then))


@pytest.fixture(params=SHELLS)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    bench = Bench(Host(sh=request.param), tmp_path)
    bench.live()
    return bench


def lease(run: str, *gpus: str) -> Lease:
    return new_lease(run, "ann", "desk", gpus)


def test_a_second_run_is_told_who_has_the_host_and_since_when(bench: Bench) -> None:
    first = lease("one")
    assert bench.take(first) == Held("h1", first)
    answer = bench.take(lease("two"))
    assert isinstance(answer, Taken)
    (holder,) = answer.holders
    assert (answer.host, holder.lease, holder.state) == ("h1", first, "held")
    since = time.strptime(holder.since, "%Y-%m-%dT%H:%M:%SZ")
    assert abs(time.mktime(since) - time.mktime(time.gmtime())) < 60


def test_runs_share_a_host_whose_gpus_they_do_not_share(bench: Bench) -> None:
    one, two = lease("one", "GPU-a", "GPU-b"), lease("two", "GPU-c")
    assert bench.take(one) == Held("h1", one)
    assert bench.take(two) == Held("h1", two)
    answer = bench.take(lease("three", "GPU-d", "GPU-b"))
    assert isinstance(answer, Taken)
    assert [holder.lease.run for holder in answer.holders] == ["one"]
    whole = bench.take(lease("four"))
    assert isinstance(whole, Taken)
    assert {holder.lease.run for holder in whole.holders} == {"one", "two"}
    assert bench.runs() == {"one": "held", "two": "held"}


def test_a_gpu_whose_name_begins_like_another_is_another(bench: Bench) -> None:
    assert isinstance(bench.take(lease("one", "1")), Held)
    assert isinstance(bench.take(lease("two", "11")), Held)


def test_folder_and_record_are_for_their_owner_alone(bench: Bench) -> None:
    old = os.umask(0)
    try:
        bench.take(lease("one"))
    finally:
        os.umask(old)
    folder = Path(bench.scratch, "leases")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [stat.S_IMODE(file.stat().st_mode) & 0o077 for file in folder.iterdir()] == [0]


def test_released_is_free_and_nothing_stays(bench: Bench) -> None:
    first = lease("one")
    bench.take(first)
    release(bench.host, bench.scratch, first)
    release(bench.host, bench.scratch, first)
    assert not Path(bench.scratch).exists()
    assert isinstance(bench.take(lease("two")), Held)


def test_only_the_token_releases(bench: Bench) -> None:
    bench.take(lease("one"))
    release(bench.host, bench.scratch, lease("one"))
    assert bench.runs() == {"one": "held"}


def test_a_refused_run_leaves_nothing(bench: Bench) -> None:
    first = lease("one")
    bench.take(first)
    bench.take(lease("two"))
    assert [file.name for file in Path(bench.scratch, "leases").iterdir()] == [f"lease.{first.token}"]


def test_a_lease_whose_run_is_dead_is_taken_over_after_the_grace_time(bench: Bench) -> None:
    dead, heir = lease("dead"), lease("heir")
    bench.take(dead)
    bench.grow_old(dead, 119)
    assert isinstance(bench.take(heir), Taken)
    bench.grow_old(dead, 121)
    assert bench.runs() == {"dead": "stale"}
    assert bench.take(heir) == Held("h1", heir)
    assert bench.runs() == {"heir": "held"}
    with pytest.raises(ToolkitError, match="run dead no longer has its lease on h1"):
        renew(bench.host, bench.scratch, dead)


def test_a_lease_whose_run_has_containers_stands_however_old(bench: Bench) -> None:
    alive = lease("alive")
    bench.take(alive)
    bench.grow_old(alive, 10**6)
    bench.live("alive")
    assert isinstance(bench.take(lease("heir")), Taken)
    assert bench.runs() == {"alive": "held"}


def test_an_engine_that_does_not_answer_proves_no_ones_death(bench: Bench) -> None:
    first = lease("one")
    bench.take(first)
    bench.grow_old(first, 10**6)
    bench.live(answers=False)
    assert isinstance(bench.take(lease("heir")), Taken)


def test_a_renewed_lease_is_young_again(bench: Bench) -> None:
    first = lease("one")
    bench.take(first)
    bench.grow_old(first, 10**6)
    renew(bench.host, bench.scratch, first)
    assert isinstance(bench.take(lease("heir")), Taken)


def test_a_lease_is_kept_young_while_something_takes_long(bench: Bench) -> None:
    first = lease("one")
    bench.take(first)
    bench.grow_old(first, 10**6)
    with kept([(bench.host, first)], bench.scratch, every=0.01) as lost:
        deadline = time.monotonic() + 10
        while bench.runs() != {"one": "held"} and time.monotonic() < deadline:
            time.sleep(0.01)
        assert bench.runs() == {"one": "held"}
        assert not lost.is_set()
        release(bench.host, bench.scratch, first)
        assert lost.wait(10)


def test_a_killed_asker_is_in_no_ones_way_for_long(bench: Bench) -> None:
    killed = lease("killed")
    folder = Path(bench.scratch, "leases")
    folder.mkdir(parents=True)
    (folder / f"lease.{killed.token}").write_text("\n".join(killed.record) + "\n")  # asked, not held: no x bit
    (folder / f"new.{killed.token}").touch()
    os.utime(folder / f"new.{killed.token}", (0, 0))
    bench.grow_old(killed, 11)
    heir = lease("heir")
    assert bench.take(heir) == Held("h1", heir)
    assert [file.name for file in folder.iterdir()] == [f"lease.{heir.token}"]


def test_a_record_that_a_crash_has_emptied_is_taken_over(bench: Bench) -> None:
    empty = lease("x")
    folder = Path(bench.scratch, "leases")
    folder.mkdir(parents=True)
    (folder / f"lease.{empty.token}").touch(0o700)
    assert isinstance(bench.take(lease("heir")), Taken)
    bench.grow_old(empty, 121)
    assert isinstance(bench.take(lease("heir")), Held)


def test_a_folder_that_cannot_be_made_is_told_with_the_hosts_name(bench: Bench) -> None:
    Path(bench.scratch).write_text("a file")
    with pytest.raises(ToolkitError) as caught:
        bench.take(lease("one"))
    assert caught.value.what == f"the leases of host h1 cannot be kept in {bench.scratch}/leases"
    assert "Not a directory" in caught.value.evidence or "File exists" in caught.value.evidence


def test_on_several_hosts_all_or_none(bench: Bench) -> None:
    hosts = [Host(name, bench.host.sh) for name in ("b", "a", "c")]
    folders = {host.name: Bench(host, bench.folder / host.name) for host in hosts}
    wanted = [(_Elsewhere(host, folders[host.name].scratch), lease("two")) for host in hosts]
    blocker = lease("one")
    folders["b"].take(blocker)
    answer = acquire_all(wanted, "/scratch", engine=bench.engine)
    assert isinstance(answer, Taken)
    assert (answer.host, answer.holders[0].lease) == ("b", blocker)
    assert not Path(folders["a"].scratch).exists()
    release(folders["b"].host, folders["b"].scratch, blocker)
    held = acquire_all(wanted, "/scratch", engine=bench.engine)
    assert isinstance(held, tuple)
    assert [one.host for one in held] == ["a", "b", "c"]


@dataclass(frozen=True)
class _Elsewhere(LocalShell):
    """A host whose `/scratch` is a folder here."""

    host: Host
    scratch: str

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.host.name

    def run(self, argv: Sequence[str], *, data: bytes | None = None, timeout: float | None = None) -> Result:
        words = [word.replace("/scratch/leases", f"{self.scratch}/leases") for word in argv]
        return self.host.run(words, data=data, timeout=timeout)


def race(bench: Bench, wanted: Sequence[Lease], grace: int = 120) -> list[Held | Taken]:
    start = threading.Barrier(len(wanted))

    def take(one: Lease) -> Held | Taken:
        start.wait()
        return bench.take(one, grace)

    with ThreadPoolExecutor(len(wanted)) as pool:
        return list(pool.map(take, wanted))


def test_of_racing_runs_exactly_one_gets_the_host(bench: Bench) -> None:
    for number in range(3):  # tests/real has 50 rounds
        answers = race(bench, [lease(f"run-{number}-{one}") for one in range(8)])
        (held,) = [answer for answer in answers if isinstance(answer, Held)]
        assert bench.runs() == {held.lease.run: "held"}
        release(bench.host, bench.scratch, held.lease)


def test_of_racing_heirs_exactly_one_takes_a_dead_runs_lease(bench: Bench) -> None:
    dead = lease("dead")
    bench.take(dead)
    bench.grow_old(dead, 10**6)
    answers = race(bench, [lease(f"heir-{one}") for one in range(8)])
    (held,) = [answer for answer in answers if isinstance(answer, Held)]
    assert bench.runs() == {held.lease.run: "held"}


def test_a_taker_that_is_told_to_end_leaves_nothing(bench: Bench) -> None:
    first, second = lease("one"), lease("two")
    folder = Path(bench.scratch, "leases")
    folder.mkdir(parents=True)
    (folder / f"lease.{first.token}").write_text("\n".join(first.record) + "\n")  # asks for ever, so both wait
    argv = acquire_argv(str(folder), second, engine=bench.engine, grace=120)
    words = ["busybox", "sh"] if bench.host.sh == "busybox" else [bench.host.sh]
    taker = subprocess.Popen([*words, *argv[1:]], start_new_session=True)
    time.sleep(0.3)
    taker.terminate()
    assert taker.wait(10) == 143
    assert [file.name for file in folder.iterdir()] == [f"lease.{first.token}"]
