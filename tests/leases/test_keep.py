"""Leases by the very program that runs on hosts, in more than one shell; the engine is a stand-in with real files."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from toolkit.errors import ToolkitError
from toolkit.hosts.local import LocalShell
from toolkit.leases.client import acquire, acquire_all, holders, kept, release, release_all, renew, renew_all
from toolkit.leases.host_script import acquire_argv
from toolkit.leases.model import Held, Lease, Taken, new_lease
from toolkit.process import Result

from .standin import StandIn

SHELLS = [name for name in ("dash", "bash", "busybox") if shutil.which(name)]


@dataclass(frozen=True)
class Host(LocalShell):
    """This machine under another name, its `sh` the one that is named, its engine that of `folder`."""

    name: str = "h1"
    sh: str = "sh"
    engine: str = ""

    def run(self, argv: Sequence[str], *, data: bytes | None = None, timeout: float | None = None) -> Result:
        words = ["busybox", "sh"] if self.sh == "busybox" else [self.sh]
        own = [self.engine if word == "docker" and self.engine else word for word in argv[1:]]
        return super().run([*words, *own], data=data, timeout=timeout)


@dataclass(frozen=True)
class Bench:
    """A host and its engine."""

    host: Host
    engine: StandIn

    def take(self, lease: Lease, grace: int = 120) -> Held | Taken:
        return acquire(self.host, lease, grace=grace)

    def runs(self, grace: int = 120) -> dict[str, str]:
        return {holder.lease.run: holder.state for holder in holders(self.host, grace=grace)}

    def plant(self, name: str, record: str) -> None:
        (self.engine.volumes / name).write_text(record + "\n")

    def tokens(self) -> set[str]:
        return {file.name.split(".")[1] for file in self.engine.volumes.iterdir()}


def bench_in(folder: Path, sh: str, name: str = "h1") -> Bench:
    engine = StandIn(folder)
    return Bench(Host(name, sh, engine.program), engine)


@pytest.fixture(params=SHELLS)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    yield bench_in(tmp_path / "h1", request.param)
    for folder in tmp_path.iterdir():  # guards end once their engine is gone
        (folder / "engine").unlink()


def lease(run: str, *gpus: str) -> Lease:
    return new_lease(run, "ann", "desk", gpus)


def held(answer: Held | Taken) -> Held:
    assert isinstance(answer, Held)
    return answer


def test_a_second_run_learns_who_has_the_host_and_since_when(bench: Bench) -> None:
    first = lease("one")
    mine = held(bench.take(first))
    assert (mine.host, mine.lease) == ("h1", first)
    answer = bench.take(lease("two"))
    assert isinstance(answer, Taken)
    (holder,) = answer.holders
    assert (answer.host, holder.lease, holder.state) == ("h1", first, "held")
    assert holder.account == subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    since = time.strptime(holder.since, "%Y-%m-%dT%H:%M:%SZ")
    assert abs(time.mktime(since) - time.mktime(time.gmtime())) < 60


def test_runs_share_a_host_whose_gpus_they_do_not_share(bench: Bench) -> None:
    assert isinstance(bench.take(lease("one", "GPU-a", "GPU-b")), Held)
    assert isinstance(bench.take(lease("two", "GPU-c")), Held)
    answer = bench.take(lease("three", "GPU-d", "GPU-b"))
    assert isinstance(answer, Taken)
    assert [(one.lease.run, one.lease.gpus) for one in answer.holders] == [("one", ("GPU-a", "GPU-b"))]
    whole = bench.take(lease("four"))
    assert isinstance(whole, Taken)
    assert {holder.lease.run for holder in whole.holders} == {"one", "two"}
    assert bench.runs() == {"one": "held", "two": "held"}


def test_a_gpu_whose_name_begins_like_another_is_another(bench: Bench) -> None:
    assert isinstance(bench.take(lease("one", "1")), Held)
    assert isinstance(bench.take(lease("two", "11")), Held)


def test_released_is_free_and_nothing_stays(bench: Bench) -> None:
    first = lease("one")
    bench.take(first)
    release(bench.host, first)
    release(bench.host, first)
    assert not list(bench.engine.volumes.iterdir())
    assert isinstance(bench.take(lease("two")), Held)


def test_only_the_token_releases(bench: Bench) -> None:
    bench.take(lease("one"))
    release(bench.host, lease("one"))
    assert bench.runs() == {"one": "held"}


def test_a_refused_run_leaves_nothing(bench: Bench) -> None:
    first = lease("one")
    bench.take(first)
    bench.take(lease("two"))
    assert bench.tokens() == {first.token}


def test_a_lease_that_no_one_renews_is_taken_over_after_the_grace_time(bench: Bench) -> None:
    dead, heir = lease("dead"), lease("heir")
    bench.take(dead)
    bench.engine.grow_old(dead.token, 110)
    assert isinstance(bench.take(heir), Taken)
    bench.engine.grow_old(dead.token, 11)
    assert bench.runs() == {"dead": "stale"}
    assert isinstance(bench.take(heir), Held)
    assert bench.runs() == {"heir": "held"}
    with pytest.raises(ToolkitError, match="run dead no longer has its lease on h1"):
        renew(bench.host, dead)


def test_a_lease_from_the_future_is_not_held_for_ever(bench: Bench) -> None:
    """The host's clock was set back."""
    ahead = lease("ahead")
    bench.take(ahead)
    bench.engine.grow_old(ahead.token, -1000)
    assert bench.runs() == {"ahead": "stale"}
    assert isinstance(bench.take(lease("heir")), Held)


def test_a_running_container_holds_its_runs_lease_and_no_longer(bench: Bench) -> None:
    alive = lease("alive", "GPU-a")
    bench.engine.run_container("agent", held(bench.take(alive)).label)
    bench.engine.run_container("learner", (bench.engine.containers / "agent").read_text().strip())
    release(bench.host, alive)
    (holder,) = holders(bench.host)
    assert (holder.lease, holder.state, holder.by_container) == (alive, "held", True)
    answer = bench.take(lease("heir", "GPU-a"))
    assert isinstance(answer, Taken)
    assert [one.lease for one in answer.holders] == [alive]
    bench.engine.end_container("agent")
    assert bench.runs() == {"alive": "held"}  # its learner runs still
    bench.engine.end_container("learner")
    assert isinstance(bench.take(lease("heir", "GPU-a")), Held)


def test_a_stale_lease_whose_run_has_a_container_is_not_taken_over(bench: Bench) -> None:
    alive = lease("alive")
    bench.engine.run_container("agent", held(bench.take(alive)).label)
    bench.engine.grow_old(alive.token, 10**6)
    assert isinstance(bench.take(lease("heir")), Taken)
    assert bench.runs() == {"alive": "held"}


def test_an_engine_that_does_not_answer_gives_no_lease_and_its_words(bench: Bench) -> None:
    bench.engine.answers(False)
    with pytest.raises(ToolkitError) as caught:
        bench.take(lease("one"))
    assert caught.value.what == "leases cannot be stored in the engine of host h1"
    assert "Cannot connect to the Docker daemon" in caught.value.evidence
    with pytest.raises(ToolkitError, match="leases cannot be stored in the engine"):
        holders(bench.host)


def test_a_renewed_lease_is_young_again(bench: Bench) -> None:
    first = lease("one")
    bench.take(first)
    for _ in range(3):
        bench.engine.grow_old(first.token, 10**6)
        renew(bench.host, first)
        assert len([one for one in bench.engine.volumes.iterdir() if not one.name.endswith(".000000")]) == 1
        assert isinstance(bench.take(lease("heir")), Taken)


def test_a_lease_is_kept_young_while_something_takes_long(bench: Bench) -> None:
    first = lease("one")
    bench.take(first)
    bench.engine.grow_old(first.token, 10**6)
    with kept([(bench.host, first)], every=0.01) as lost:
        deadline = time.monotonic() + 30
        while bench.runs() != {"one": "held"} and time.monotonic() < deadline:
            time.sleep(0.01)
        renew(bench.host, first)  # beside the other, which must not find its generation gone
        assert not lost.is_set()
        release(bench.host, first)
        assert lost.wait(30)
    assert not list(bench.engine.volumes.iterdir())


def test_what_an_engine_that_was_stopped_in_between_still_has_is_removed(bench: Bench) -> None:
    mine = lease("stopped")
    bench.engine.leaves_next()
    with pytest.raises(ToolkitError, match="leases cannot be stored in the engine of host h1"):
        bench.take(mine)
    bench.engine.answers(True)
    assert bench.tokens() == {mine.token}
    bench.engine.grow_old(mine.token, 11)
    until = time.monotonic() + 30
    while bench.tokens():
        assert time.monotonic() < until, bench.runs()
        time.sleep(0.2)


def test_a_killed_asker_is_in_no_ones_way_for_long(bench: Bench) -> None:
    killed, heir = lease("killed"), lease("heir")
    at = int(time.time()) - 11
    record = f"{killed.token} 000000 {at} 2026-01-02T03:04:05Z killed * ann ann desk"
    bench.plant(f"toolkit-lease.{killed.token}.000000", record)
    assert isinstance(bench.take(heir), Held)
    assert bench.tokens() == {heir.token}


@pytest.mark.parametrize(
    "record",
    [
        "",
        "x",
        "'; touch /tmp/planted; $(touch /tmp/planted)",
        "0123456789abcdef held 1 2026-01-02T03:04:05Z mallory * m m m",  # only a container holds so
        "0123456789abcdef 00000x 1 2026-01-02T03:04:05Z mallory * m m m",
        "0123456789abcdef 000001 09 2026-01-02T03:04:05Z mallory * m m m",
        "0123456789abcdef 000001 99999999999999999999 2026-01-02T03:04:05Z mallory * m m m",
        "../../../../etc/pw 000001 1 2026-01-02T03:04:05Z mallory * m m m",
        "0123456789abcdef 000001 1 2026-01-02T03:04:05Z mallory * m",
        "0123456789abcdef 000001 1 2026-01-02T03:04:05Z mallory * m m m",  # in a volume of another name
        "\x1b]0;owned\x07 \x00",
        "x " * 50_000,
    ],
)
def test_what_is_no_record_is_passed_over_and_left_where_it_is(bench: Bench, record: str) -> None:
    bench.plant("somebodys", record)
    bench.plant("toolkit-lease.0123456789abcdef.000009", record)
    first = lease("one")
    assert isinstance(bench.take(first), Held)
    assert bench.runs() == {"one": "held"}
    release(bench.host, first)
    assert {file.name for file in bench.engine.volumes.iterdir()} == {
        "somebodys",
        "toolkit-lease.0123456789abcdef.000009",
    }


def test_on_several_hosts_all_or_none(bench: Bench, tmp_path: Path) -> None:
    benches = {name: bench_in(tmp_path / name, bench.host.sh, name) for name in ("b", "a", "c")}
    wanted = [(one.host, lease("two")) for one in benches.values()]
    blocker = lease("one")
    benches["b"].take(blocker)
    answer = acquire_all(wanted)
    assert isinstance(answer, Taken)
    assert (answer.host, answer.holders[0].lease) == ("b", blocker)
    assert not benches["a"].tokens()
    release(benches["b"].host, blocker)
    got = acquire_all(wanted)
    assert isinstance(got, tuple)
    assert [one.host for one in got] == ["a", "b", "c"]
    renew_all(wanted)
    assert release_all(wanted) == {}
    assert not any(one.tokens() for one in benches.values())
    with pytest.raises(ToolkitError, match="no longer has its lease on"):
        renew_all(wanted)


def race(bench: Bench, wanted: Sequence[Lease], grace: int = 120) -> list[Held | Taken]:
    start = threading.Barrier(len(wanted))

    def take(one: Lease) -> Held | Taken:
        start.wait()
        return bench.take(one, grace)

    with ThreadPoolExecutor(len(wanted)) as pool:
        return list(pool.map(take, wanted))


def test_of_racing_runs_exactly_one_gets_the_host(bench: Bench) -> None:
    for number in range(3):  # tests/real has more rounds
        answers = race(bench, [lease(f"run-{number}-{one}") for one in range(8)])
        (one,) = [answer for answer in answers if isinstance(answer, Held)]
        assert bench.runs() == {one.lease.run: "held"}
        release(bench.host, one.lease)


def test_of_racing_heirs_exactly_one_takes_a_dead_runs_lease(bench: Bench) -> None:
    dead = lease("dead")
    bench.take(dead)
    bench.engine.grow_old(dead.token, 10**6)
    answers = race(bench, [lease(f"heir-{one}") for one in range(8)])
    (one,) = [answer for answer in answers if isinstance(answer, Held)]
    assert bench.runs() == {one.lease.run: "held"}


def test_a_taker_that_is_stopped_leaves_nothing(bench: Bench) -> None:
    first, second = lease("one"), lease("two")
    at = int(time.time()) + 5  # asks for ever, so both wait
    record = f"{first.token} 000000 {at} 2026-01-02T03:04:05Z one * ann ann desk"
    bench.plant(f"toolkit-lease.{first.token}.000000", record)
    argv = acquire_argv(second, engine=bench.engine.program, grace=120)
    words = ["busybox", "sh"] if bench.host.sh == "busybox" else [bench.host.sh]
    taker = subprocess.Popen([*words, *argv[1:]], start_new_session=True)
    time.sleep(0.3)
    taker.terminate()
    assert taker.wait(30) == 143
    assert bench.tokens() == {first.token}
