"""What clean takes away, and what it must not touch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from toolkit.cluster.reader import read_cluster
from toolkit.containers.engine import Engine
from toolkit.leases.model import Holder, Lease, new_lease
from toolkit.paths import assets
from toolkit.run.finish import clean as module
from toolkit.run.finish.clean import Cleaned, clean
from toolkit.run.launch.launcher_process import this_process
from toolkit.run.records.record import Record, State
from toolkit.run.records.record_store import Records

from .clients import RECORD
from .engines import StandInHost, things_of

RUN = RECORD.training_id
ENDED = replace(RECORD, end="completed").at(State.COMPLETED, 4.0)
CLUSTER = read_cluster(assets() / "clusters" / "local.yml")
LEARNERS = [f"container toolkit-{RUN}-learner-1", f"container toolkit-{RUN}-learner-2"]


class Cleaning:
    """Hosts of a stand-in cluster, and the records here. What a refresh finds out is given in `refreshed`."""

    def __init__(self, home: Path, patch: pytest.MonkeyPatch) -> None:
        self.records = Records(home)
        self.hosts = [StandInHost("p100-01")]
        self.refreshed: Record | None = None
        self.leases: tuple[Holder, ...] = ()
        self.released: list[Lease] = []

        @contextmanager
        def connect() -> Iterator[Mapping[str, Engine]]:
            yield {host.name: host.engine for host in self.hosts}

        def release(_: Engine, lease: Lease) -> None:
            self.released.append(lease)

        allocator = SimpleNamespace(connect=connect, leases=lambda _: self.leases, release=release)
        patch.setattr(module, "allocator_of", lambda _: allocator)
        patch.setattr(module, "refreshed", lambda record, _: self.refreshed or record)

    def __call__(self, *, orphans: bool = False) -> Cleaned:
        return clean(CLUSTER, self.records, orphans=orphans)

    @property
    def left(self) -> list[str]:
        return [f"{noun} {name}" for host in self.hosts for noun, _, name in host.things]


@pytest.fixture
def cleaning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cleaning:
    return Cleaning(tmp_path, monkeypatch)


def whats(found: Cleaned) -> tuple[list[str], list[str], list[str]]:
    return tuple([one.what for one in ones] for ones in (found.removed, found.kept, found.failed))  # type: ignore[return-value]


def test_a_host_on_which_nothing_is_left_is_clean(cleaning: Cleaning) -> None:
    assert cleaning() == Cleaned((), (), ())


def test_a_volume_without_a_label_belongs_to_the_run_that_it_is_named_after(cleaning: Cleaning) -> None:
    """An engine makes one, when it starts, of the folder of an agent that was killed before it had made it a volume."""
    cleaning.records.save(ENDED)
    strange = "training-zzzz9999"
    names = [f"toolkit-{RUN}", f"toolkit-{strange}", f"my-toolkit-{RUN}", "toolkit-training-NO", "data"]
    cleaning.hosts[0].things = [("volume", "", name) for name in names]
    removed, kept, failed = whats(cleaning())
    assert (removed, failed) == ([f"volume toolkit-{RUN}"], [])
    assert [one.split(",")[0] for one in kept] == [f"volume toolkit-{strange}"], "it may hold another machine's results"
    assert cleaning.left == [f"volume {name}" for name in names[1:]]


def says_images(host: StandInHost, names: list[str], started: list[list[str]]) -> None:
    """The host has an image with these names; a container that it starts unmounts everything."""

    def says(argv: Sequence[str]) -> str | None:
        match argv[1:]:
            case ["image", "ls", *_]:
                return "sha256:abc\n"
            case ["image", "inspect", *_]:
                return json.dumps({"id": "sha256:abc", "names": names, "layers": []})
            case ["volume", "inspect", *_]:
                return "/volumes/v/_data\n"
            case ["run", *_]:
                started.append(list(argv))
                host.stuck = ()
                return ""
        return None

    host.says = says


@pytest.mark.parametrize("name", ["toolkit-buckets:4a70419d9e5f", "localhost/toolkit-buckets:4a70419d9e5f"])
def test_a_mount_of_a_killed_process_keeps_no_volume(cleaning: Cleaning, name: str) -> None:
    cleaning.records.save(ENDED)
    host, started = cleaning.hosts[0], list[list[str]]()
    host.things, host.stuck = [("volume", RUN, f"toolkit-{RUN}")], {f"toolkit-{RUN}"}
    says_images(host, ["other:1", name], started)
    assert whats(cleaning()) == ([f"volume toolkit-{RUN}"], [], [])
    (argv,) = started
    assert argv[-5:] == [name, "python3", "-m", "toolkit.agent", "unmount"]
    assert any("/volumes/v/_data" in word and "rshared" in word for word in argv)


def test_what_a_running_command_has_mounted_stays_mounted(cleaning: Cleaning) -> None:
    cleaning.records.save(ENDED)
    label, host, started = f"{RUN}-abcd2345", cleaning.hosts[0], list[list[str]]()
    host.things = [("container", label, f"toolkit-{label}-buckets"), ("volume", label, f"toolkit-{label}")]
    host.running, host.stuck = {f"toolkit-{label}-buckets"}, {f"toolkit-{label}"}
    says_images(host, ["toolkit-buckets:1"], started)
    assert whats(cleaning())[2] == [f"volume toolkit-{label}"]
    assert started == []


def test_a_volume_that_cannot_be_removed_is_named(cleaning: Cleaning) -> None:
    """Whoever else names an image after the tool's has no part in it."""
    cleaning.records.save(ENDED)
    host, started = cleaning.hosts[0], list[list[str]]()
    host.things, host.stuck = [("volume", RUN, f"toolkit-{RUN}")], {f"toolkit-{RUN}"}
    says_images(host, ["evil/toolkit-buckets:1", "toolkit-buckets-2:1"], started)
    assert whats(cleaning()) == ([], [], [f"volume toolkit-{RUN}"])
    assert started == []


def test_what_an_ended_run_has_left_goes(cleaning: Cleaning) -> None:
    cleaning.records.save(ENDED)
    cleaning.hosts[0].things = things_of(RUN, "learner-1", "learner-2")
    everything = [*LEARNERS, f"network toolkit-{RUN}", f"volume toolkit-{RUN}"]
    assert whats(cleaning()) == (everything, [], [])
    assert cleaning.left == []


@pytest.mark.parametrize("orphans", [False, True])
@pytest.mark.parametrize("recorded", [False, True])
def test_a_run_whose_agent_is_there_goes_on(cleaning: Cleaning, orphans: bool, recorded: bool) -> None:
    if recorded:
        cleaning.records.save(ENDED)
    host = cleaning.hosts[0]
    host.things, host.running = things_of(RUN, "agent", "learner-1"), {f"toolkit-{RUN}-agent"}
    before = cleaning.left
    how = f"toolkit stop --force {RUN}" if recorded else "its launcher can stop it"
    assert whats(cleaning(orphans=orphans)) == ([], [f"the run is still active; {how}"], [])
    assert cleaning.left == before


def test_a_run_that_is_being_launched_goes_on(cleaning: Cleaning) -> None:
    cleaning.records.save(replace(RECORD, launcher=this_process()))
    cleaning.hosts[0].things = things_of(RUN, "learner-1")
    assert whats(cleaning(orphans=True)) == ([], ["the run is being launched"], [])
    assert len(cleaning.left) == 3


def test_a_run_that_goes_on_on_other_hosts_keeps_the_store_that_it_has_here(cleaning: Cleaning) -> None:
    cleaning.records.save(RECORD)
    cleaning.hosts[0].things = [("container", RUN, f"toolkit-store-{RUN}"), ("network", RUN, f"toolkit-{RUN}")]
    before = cleaning.left
    found = whats(cleaning(orphans=True))
    assert found == ([], [f"{thing}, because the run has not ended" for thing in before], [])
    assert cleaning.left == before


@pytest.mark.parametrize(("state", "released"), [("stale", True), ("held", False), ("asked", False)])
def test_a_lease_of_a_run_that_is_not_recorded_here_goes_if_nobody_renews_it(
    cleaning: Cleaning, state: str, released: bool
) -> None:
    lease = new_lease("training-zzzz9999", "bob", "desk")
    cleaning.leases = (Holder(lease, "2026-01-02T03:04:05Z", 200, state),)
    assert whats(cleaning()) == (["its lease, which nobody renews"] if released else [], [], [])
    assert cleaning.released == ([lease] if released else [])


def test_what_is_in_no_bucket_stays_and_how_to_store_it_is_reported(cleaning: Cleaning) -> None:
    cleaning.records.save(replace(ENDED, state=State.FAILED, kept=("p100-01",)))
    cleaning.hosts[0].things = things_of(RUN, "learner-1")
    removed, kept, _ = whats(cleaning(orphans=True))
    assert removed == [LEARNERS[0], f"network toolkit-{RUN}"]
    assert kept == [f"volume toolkit-{RUN}, which may hold results that are in no bucket; toolkit rescue {RUN}"]
    assert cleaning.left == [f"volume toolkit-{RUN}"]


def test_what_has_become_of_a_run_is_asked_before(cleaning: Cleaning) -> None:
    cleaning.records.save(RECORD)
    cleaning.refreshed = replace(RECORD, kept=("p100-01",)).at(State.FAILED, 4.0)
    cleaning.hosts[0].things = things_of(RUN)
    assert whats(cleaning())[0] == [f"network toolkit-{RUN}"]
    assert cleaning.left == [f"volume toolkit-{RUN}"]


@pytest.mark.parametrize("volume", [False, True])
def test_a_stranger_is_left_alone(cleaning: Cleaning, volume: bool) -> None:
    things = things_of("training-strange2", "learner-1")
    cleaning.hosts[0].things = [one for one in things if volume or one[0] != "volume"]
    before = cleaning.left
    removed, kept, failed = whats(cleaning())
    assert (removed, failed, cleaning.left) == ([], [], before)
    assert len(kept) == len(before)
    assert (
        "container toolkit-training-strange2-learner-1, of a run that is not recorded here; toolkit clean" in kept[-2]
    )


def test_a_colleagues_commands_are_left_alone_also_among_orphans(cleaning: Cleaning) -> None:
    host, labels = cleaning.hosts[0], ("training-strange2-wxyz2345", "ship-0123456789ab", "doctor-01234567", "\x1b[2J")
    host.things = [("container", label, f"of-{number}") for number, label in enumerate(labels)]
    host.running = {name for _, _, name in host.things}
    for orphans in (False, True):
        removed, kept, failed = whats(cleaning(orphans=orphans))
        assert (removed, len(kept), failed, len(cleaning.left)) == ([], 4, [], 4)


def test_what_a_command_of_ours_has_left_goes(cleaning: Cleaning) -> None:
    cleaning.records.save(ENDED)
    beside = f"{RUN}-wxyz2345"
    cleaning.hosts[0].things = things_of(beside, "check")
    assert len(whats(cleaning())[0]) == 3
    assert cleaning.left == []


def test_a_command_of_ours_that_runs_goes_only_where_that_is_asked(cleaning: Cleaning) -> None:
    cleaning.records.save(ENDED)
    beside = f"{RUN}-wxyz2345"
    cleaning.hosts[0].things = things_of(beside, "check")[:1]
    cleaning.hosts[0].running = {f"toolkit-{beside}-check"}
    assert [len(found) for found in whats(cleaning())] == [0, 1, 0]
    assert [len(found) for found in whats(cleaning(orphans=True))] == [1, 0, 0]


def test_an_engine_that_stops_in_the_middle_has_not_lost_what_is_on_it(cleaning: Cleaning) -> None:
    cleaning.records.save(ENDED)
    host = cleaning.hosts[0]
    host.things = things_of(RUN, "learner-1")

    def stop(argv: Sequence[str]) -> str | None:
        host.stopped = argv[2] == "inspect"
        return None

    host.says = stop
    assert [len(found) for found in whats(cleaning())] == [0, 0, 1]


def test_of_an_orphan_all_goes_but_its_volume_and_its_store(cleaning: Cleaning) -> None:
    run = "training-strange2"
    store = ("container", run, f"toolkit-store-{run}")
    cleaning.hosts[0].things = [*things_of(run, "learner-1"), store]
    removed, kept, _ = whats(cleaning(orphans=True))
    assert removed == [f"container toolkit-{run}-learner-1", f"network toolkit-{run}"]
    assert kept == [
        f"volume toolkit-{run}, which may hold results that are in no bucket; "
        "toolkit rescue on the machine that launched it",
        "an embedded store, which exits when no run needs it",
    ]
    assert cleaning.left == [f"volume toolkit-{run}", f"container toolkit-store-{run}"]


def test_a_host_that_is_away_keeps_no_other_from_being_cleaned(cleaning: Cleaning) -> None:
    cleaning.records.save(ENDED)
    cleaning.hosts = [StandInHost("p100-01", away=True), StandInHost("p100-02", things_of(RUN, "learner-2"))]
    removed, kept, failed = whats(cleaning())
    assert (len(removed), kept, failed) == (3, [], ["p100-01 does not answer"])


def test_an_engine_that_does_not_answer_has_not_lost_its_things(cleaning: Cleaning) -> None:
    cleaning.hosts = [StandInHost("p100-01", things_of(RUN), stopped=True)]
    assert whats(cleaning(orphans=True)) == ([], [], ["no container engine answers on p100-01"])


def test_what_cannot_be_removed_is_named(cleaning: Cleaning) -> None:
    cleaning.records.save(ENDED)
    cleaning.hosts[0].things = things_of(RUN)
    cleaning.hosts[0].stuck = {f"toolkit-{RUN}"}
    assert whats(cleaning()) == ([], [], [f"network toolkit-{RUN}", f"volume toolkit-{RUN}"])
