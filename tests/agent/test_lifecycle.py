"""The story of a run on one host, as its agent tells it. Engine and bucket are stand-ins; the files are real."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from toolkit.agent import host_reports as hosts_module
from toolkit.agent import host_samples as samples_module
from toolkit.agent import learners as learners_module
from toolkit.agent import lifecycle as module
from toolkit.agent import run_state as state_module
from toolkit.agent.checksums import sha256_of, write_list
from toolkit.agent.docker_api import ContainerState, EngineRefused, Usage
from toolkit.agent.end_reasons import Reason
from toolkit.agent.facts import Facts, HostReport, LearnerEnd
from toolkit.agent.flush import NotStored
from toolkit.agent.heartbeat import heartbeat
from toolkit.agent.host_stages import HostStage, HostStages
from toolkit.agent.job_spec import Job
from toolkit.agent.lifecycle import UNHEARD, RunLifecycle, last_lines
from toolkit.agent.requests import read_json, stopped_by
from toolkit.agent.signed import signed, verified
from toolkit.agent.step_results import step_result
from toolkit.agent.traffic import Traffic
from toolkit.agent.upload_progress import Waiting

from .jobs import ALL_RANKS, KEY, RUN, facts, job, step

LIST = write_list({f"{RUN}/model/weights": "a" * 64})
ENDED = ContainerState(there=True, exit_status=0)
RUNNING = ContainerState(there=True, running=True)


class StandInEngine:
    """Containers are what `states` says, one after the other, the last one for ever; a stop ends them."""

    def __init__(self) -> None:
        self.states: list[ContainerState | EngineRefused] = [RUNNING, ENDED]
        self.stops: list[str] = []
        self.refuses_stops = 0
        self.on_stop: Callable[[], object] = lambda: None

    def state(self, _container: str) -> ContainerState:
        found = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if isinstance(found, EngineRefused):
            raise found
        return found

    def stop(self, container: str, _seconds: int) -> None:
        if self.refuses_stops:
            self.refuses_stops -= 1
            raise EngineRefused("the engine is starting")
        self.stops.append(container)
        if self.states[-1] is RUNNING:
            self.states = [ENDED]
        self.on_stop()

    def usage(self, _container: str) -> Usage:
        return Usage(3, 4096)

    def has_gpus(self, _container: str) -> bool:
        return False

    def oom_since(self, *_: object) -> bool:
        return False

    def output(self, _container: str) -> str:
        return "the mount's own words"


class StandInBucket:
    """Objects in memory. `fault` is raised where results are flushed."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.fault: Exception | None = None
        self.differ = ""
        self.replaced: tuple[str, ...] = ()
        self.aborted = False
        self.refuses: tuple[str, ...] = ()
        self.others: tuple[str, ...] = ()

    def unstorable(self) -> tuple[str, ...]:
        return self.others

    def put(self, name: str, data: bytes, **_: object) -> bool:
        if name.rpartition("/")[2] in self.refuses:
            return False
        self.objects[name] = data
        return True

    def get(self, name: str, _most: int = 0) -> bytes | None:
        return self.objects.get(name)

    def put_logs(self) -> tuple[str, ...]:
        self.objects["logs"] = b""
        return self.replaced

    def waiting(self) -> Waiting:
        return Waiting()

    def differences(self, folder: str, **_: object) -> str:
        return self.differ if folder == RUN else ""

    def put_checksums(self, name: str) -> str:
        self.objects[name] = LIST
        return sha256_of(LIST)

    def size(self) -> tuple[int, int]:
        return 3, 4200

    def abort(self) -> None:
        self.aborted = True

    def traffic(self) -> Traffic:
        return {"received": 5, "sent": 6, "mounts": 7}


class Host:
    """What the agent has around it."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.engine, self.bucket = folder, StandInEngine(), StandInBucket()
        (folder / "logs" / "ranks").mkdir(parents=True)
        (folder / "logs" / "weights").mkdir()
        places = {"HOST": "", "LOGS": "logs", "OUTPUT": "logs/output.log", "GO": "go"}
        places |= {"STOP": "stop.json", "VIEWS": "views", "WEIGHTS": "logs/weights"}
        for name, place in places.items():
            patch.setattr(module, name, str(folder / place))
        patch.setattr(learners_module, "STOP", str(folder / "stop.json"))
        patch.setattr(learners_module, "LOGS", str(folder / "logs"))
        (folder / "control").mkdir()
        patch.setattr(samples_module, "HOST", str(folder))
        patch.setattr(samples_module, "CONTROL", str(folder / "control"))
        patch.setattr(module, "BucketClient", lambda: self.bucket)
        patch.setattr(module, "flush", self._flush)
        patch.setattr(module, "RunState", lambda record: state_module.RunState(record, folder / "state.json"))
        for one in (module, learners_module):
            patch.setattr(one, "_POLL_SECONDS", 0.001)

    def _flush(self, bucket: StandInBucket, _patience: float, on_state: Callable[[Waiting], None]) -> None:
        on_state(Waiting(2, 1, 0))
        if bucket.fault:
            raise bucket.fault

    def keep(self, one: Job) -> bool:
        return RunLifecycle(one, self.engine).run()  # type: ignore[arg-type]

    @property
    def state(self) -> dict[str, Any]:
        return read_json(self.folder / "state.json")

    def object(self, name: str) -> dict[str, Any]:
        return verified(self.bucket.objects[f"_toolkit/{RUN}/{name}"], KEY, name)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A host on which both learners ran well."""
    host = Host(tmp_path, monkeypatch)
    (tmp_path / "logs" / "status.json").write_text(json.dumps({"steps": [step(1), step(2)]}))
    (tmp_path / "logs" / "output.log").write_text("1.000 [0] loss 0.5\n2.000 [0] the last line\n")
    for name in ALL_RANKS:
        (tmp_path / "logs" / "ranks" / name).write_text("0\n")
    return host


HERE = ("",)


def test_a_run_that_goes_well_is_reported_state_by_state_and_leaves_nothing_to_keep(host: Host) -> None:
    host.bucket.objects[f"{RUN}/metrics.json"] = b'{"loss": 0.5}'
    assert host.keep(job(HERE)) is False
    assert [state for state, _ in host.state["states"]] == ["PROCESSING", "STORING", "COMPLETED"]
    assert (host.state["stored_files"], host.state["stored_bytes"], host.state["metrics"]) == (3, 4200, {"loss": 0.5})
    assert host.object("record.json") == host.state
    assert host.object("began.json")["state"] == "PROCESSING"
    assert (host.folder / "go").exists()


def test_every_hosts_stages_are_in_the_record_each_by_its_own_clock(host: Host) -> None:
    other = HostReport(1, (LearnerEnd(2, 0),), stages=(HostStage("processing", 5.0, 7.0),))
    host.bucket.objects[f"_toolkit/{RUN}/host-1.json"] = signed({**asdict(other), "number": 1}, KEY, "host-1.json")
    mounts = {"name": "mounts", "start": 1.0, "end": 2.0, "note": ""}
    prepared = [asdict(HostStages(name)) | {"operator_clock": [mounts]} for name in job().hosts]
    host.keep(job(record={"host_stages": prepared}))
    first, second = host.state["host_stages"]
    assert [one["operator_clock"] for one in (first, second)] == [[mounts], [mounts]]
    assert [one["name"] for one in first["host_clock"]] == ["processing", "uploading", "verifying", "collecting"]
    assert second["host_clock"] == [{"name": "processing", "start": 5.0, "end": 7.0, "note": ""}]
    times = [time for one in first["host_clock"] for time in (one["start"], one["end"])]
    assert times == sorted(times)


def test_a_host_that_does_not_lead_reports_its_stages(host: Host) -> None:
    host.keep(job(host=1))
    assert [one["name"] for one in host.object("host-1.json")["stages"]] == ["processing", "uploading", "verifying"]


DOCUMENT = {"schema": "urn:toolkit:run-record:1"}


def test_the_public_record_is_there_before_anyone_hears_of_the_end(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    put = host.bucket.put

    def note(name: str, data: bytes, **more: object) -> bool:
        seen.append((name, host.state["state"]))
        return put(name, data, **more)

    monkeypatch.setattr(host.bucket, "put", note)
    assert host.keep(job(HERE, document=DOCUMENT)) is False
    assert seen[-2:] == [(f"{RUN}/record.json", "STORING"), (f"_toolkit/{RUN}/record.json", "COMPLETED")]
    document = json.loads(host.bucket.objects[f"{RUN}/record.json"])
    assert document["end"]["state"] == "COMPLETED"
    assert document["results"]["files"] == [{"path": "model/weights", "sha256": "a" * 64}]
    assert document["stages"][-1] == {"state": "COMPLETED", "at": host.state["states"][-1][1]}
    assert KEY not in json.dumps(document)


@pytest.mark.parametrize(
    ("status", "stopped", "state"), [(1, False, "FAILED"), (143, True, "HALTED"), (0, False, "COMPLETED")]
)
def test_every_end_leaves_a_public_record(host: Host, status: int, stopped: bool, state: str) -> None:
    if stopped:
        (host.folder / "stop.json").write_text('{"by": "ada@desk"}')
    if status:
        said = {"steps": [step(1, status, why="stopped" if stopped else "")]}
        (host.folder / "logs" / "status.json").write_text(json.dumps(said))
    assert host.keep(job(HERE, document=DOCUMENT)) is False
    assert json.loads(host.bucket.objects[f"{RUN}/record.json"])["end"]["state"] == host.state["state"] == state


def test_results_are_complete_without_a_public_record(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    put = host.bucket.put
    monkeypatch.setattr(host.bucket, "put", lambda name, data, **_: name != f"{RUN}/record.json" and put(name, data))
    assert host.keep(job(HERE, document=DOCUMENT)) is False
    assert (host.state["state"], host.state["kept"]) == ("COMPLETED", [])


def test_a_public_record_waits_for_the_rescue_of_results_that_the_store_refused(host: Host) -> None:
    host.bucket.fault = NotStored(Reason.BUCKET_FULL, "3 files could not be stored", "507")
    assert host.keep(job(HERE, document=DOCUMENT)) is True
    assert not [name for name in host.bucket.objects if name.startswith(RUN) and name.endswith("record.json")]


def test_the_digests_of_each_commands_weights_are_stored_beside_the_record(host: Host) -> None:
    (host.folder / "logs" / "weights" / "1.jsonl").write_bytes(b"digests\n")
    assert host.keep(job(HERE)) is False
    assert host.bucket.objects[f"{RUN}/_run/weights.1.jsonl"] == b"digests\n"
    assert f"{RUN}/_run/weights.2.jsonl" not in host.bucket.objects


def test_the_samples_of_a_host_are_stored_with_the_run_also_by_a_rescue(host: Host) -> None:
    (host.folder / "control" / "host-metrics.1.jsonl").write_bytes(b"samples\n")
    assert host.keep(job(("p100-01",), learners=(), steps=(), rescue=True)) is False
    assert host.bucket.objects[f"{RUN}/_run/host-metrics.1.jsonl"] == b"samples\n"
    host.bucket.refuses = ("host-metrics.1.jsonl",)
    assert host.keep(job(("p100-01",), learners=(), steps=(), rescue=True)) is True
    assert "host-metrics.1.jsonl could not be stored" in host.state["reason"]


def test_what_a_program_plants_in_the_place_of_digests_is_not_followed(host: Host) -> None:
    (host.folder / "secret").write_bytes(b"a key of the tool's")
    (host.folder / "logs" / "weights" / "1.jsonl").symlink_to(host.folder / "secret")
    assert host.keep(job(HERE)) is False
    assert f"{RUN}/_run/weights.1.jsonl" not in host.bucket.objects
    assert (host.state["end"], host.state["error_code"]) == ("tampered", "C201")
    assert "weights/1.jsonl is a symbolic link" in host.state["reason"]


def test_what_no_try_can_store_keeps_no_volume_and_everything_else_is_stored(host: Host) -> None:
    host.bucket.fault = NotStored(Reason.BUCKET_WRITE, "sparse files were not stored: x", final=True)
    assert host.keep(job(HERE)) is False
    assert (host.state["end"], host.state["kept"]) == ("bucket write", [])
    assert "logs" in host.bucket.objects


@pytest.mark.parametrize("replaced", ["output.log", "status.json", "ranks/1.0"])
def test_a_run_whose_own_files_were_replaced_is_never_completed(host: Host, replaced: str) -> None:
    file = host.folder / "logs" / replaced
    file.unlink()
    os.mkfifo(file)
    assert host.keep(job(HERE)) is False
    assert (host.state["state"], host.state["end"]) == ("FAILED", "tampered")
    assert f"{replaced} is a FIFO" in host.state["reason"]


def test_commands_end_once_the_runs_own_files_are_replaced(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learners_module, "_STORE_SECONDS", 0)
    host.engine.states = [RUNNING]
    (host.folder / "logs" / "ranks" / "1.0").unlink()
    os.mkfifo(host.folder / "logs" / "ranks" / "1.0")
    assert host.keep(job(HERE)) is False
    assert set(host.engine.stops) == {one.container for one in job().learners}
    assert host.state["end"] == "tampered"


def test_a_report_that_no_agent_of_the_run_wrote_makes_completed_impossible(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosts_module, "_SILENT_SECONDS", 0)
    forged = signed({"host": 1, "learners": [], "final": True}, "another key", "host-1.json")
    host.bucket.objects[f"_toolkit/{RUN}/host-1.json"] = forged
    host.keep(job(lost=0))
    assert (host.state["state"], host.state["end"]) == ("FAILED", "forged report")
    assert f"_toolkit/{RUN}/host-1.json" in host.state["reason"]


def test_a_stop_is_handed_on_to_every_learner(host: Host) -> None:
    host.engine.states = [RUNNING]
    (host.folder / "stop.json").write_text('{"by": "ada@desk"}')
    (host.folder / "logs" / "status.json").write_text(json.dumps({"steps": [step(1, 143, why="stopped")]}))
    assert host.keep(job(HERE)) is False
    assert set(host.engine.stops) == {one.container for one in job().learners}
    assert (host.state["state"], host.state["reason"]) == (
        "HALTED",
        "stopped by ada@desk; its results are in the bucket",
    )


def test_an_engine_that_is_away_when_a_learner_shall_stop_is_asked_again(host: Host) -> None:
    host.engine.states = [RUNNING]
    host.engine.refuses_stops = 1
    (host.folder / "stop.json").write_text('{"by": "ada@desk"}')
    host.keep(job(HERE))
    assert host.engine.stops
    assert not host.bucket.aborted


def test_what_no_bucket_can_have_is_named_and_keeps_no_volume(host: Host) -> None:
    host.bucket.others = (f"{RUN}/latest is a symbolic link",)
    assert host.keep(job(HERE)) is False
    assert (host.state["state"], host.state["end"], host.state["kept"]) == ("FAILED", "bucket write", [])
    assert host.state["reason"].endswith(f"a bucket has regular files only: {RUN}/latest is a symbolic link")


def test_what_the_store_refuses_is_kept(host: Host) -> None:
    host.bucket.fault = NotStored(Reason.BUCKET_FULL, "3 files could not be stored", "507")
    assert host.keep(job(HERE)) is True
    assert (host.state["end"], host.state["error_code"], host.state["kept"]) == (
        *("bucket full", "S303"),
        ["this machine"],
    )
    assert "waiting" not in host.state


def test_a_difference_between_folder_and_bucket_is_a_fault_though_every_upload_went_well(host: Host) -> None:
    host.bucket.differ = "* model/weights"
    assert host.keep(job(HERE)) is True
    assert (host.state["end"], host.state["evidence"]) == ("bucket write", "* model/weights")


def test_a_fault_of_the_agents_own_ends_the_run_and_keeps_what_it_wrote(host: Host) -> None:
    host.bucket.fault = ValueError("a mistake of ours")
    assert host.keep(job(HERE)) is True
    assert (host.state["state"], host.state["end"], host.state["kept"]) == ("FAILED", "system", ["this machine"])
    assert "a mistake of ours" in host.state["reason"]
    assert host.object("record.json")["end"] == "system"


def test_elsewhere_a_fault_of_the_agents_own_is_reported_to_the_first_one(host: Host) -> None:
    host.bucket.fault = ValueError("a mistake of ours")
    assert host.keep(job(host=1)) is True
    report = host.object("host-1.json")
    assert (report["failure"], report["final"]) == ("system", True)


def test_a_record_that_no_bucket_took_stays_with_the_volume(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts_module, "_TELL_SECONDS", 0)
    host.bucket.refuses = ("record.json",)
    assert host.keep(job(HERE)) is True
    assert (host.state["state"], host.state["end"], host.state["kept"]) == ("COMPLETED", "completed", ["this machine"])
    assert host.state["hint"] == f"toolkit rescue {RUN}"


def test_elsewhere_a_report_that_no_bucket_took_keeps_the_volume(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts_module, "_TELL_SECONDS", 0)
    host.bucket.refuses = ("host-1.json",)
    assert host.keep(job(host=1)) is True


def test_the_record_vouches_for_the_list_of_checksums(host: Host) -> None:
    assert host.keep(job(HERE)) is False
    assert host.bucket.objects[f"{RUN}/_run/SHA256SUMS"] == LIST
    assert host.object("record.json")["checksums"] == sha256_of(LIST)


@pytest.mark.parametrize(("status", "unheard"), [(UNHEARD, True), (0, False), (137, False)])
def test_a_learner_that_did_not_hear_the_first_one_is_reported(host: Host, status: int, unheard: bool) -> None:
    host.engine.states = [RUNNING, ContainerState(there=True, exit_status=status)]
    assert host.keep(job(host=1)) is False
    assert bool(host.state.get("unheard")) is unheard
    assert host.state["state"] == "STORING"
    assert host.object("host-1.json")["learners"][0]["exit_status"] == status


@pytest.mark.parametrize("fault", [None, NotStored(Reason.BUCKET_WRITE, "still away")])
def test_a_rescue_stores_and_runs_nothing(host: Host, fault: Exception | None) -> None:
    host.bucket.fault = fault
    rescue = job(("p100-01",), learners=(), steps=(), rescue=True)
    assert host.keep(rescue) is bool(fault)
    assert host.state["end"] == ("bucket write" if fault else "completed")
    assert host.engine.stops == []
    assert f"_toolkit/{RUN}/record.json" not in host.bucket.objects, "the operator writes it, who knows the other hosts"


@pytest.mark.parametrize(
    ("one", "reported"),
    [
        (step(1), {"parallel": True, "exit_status": 0, "seconds": 2.5, "ranks": [0, 0, 0, 0]}),
        (step(2, 9), {"parallel": False, "exit_status": 9, "seconds": 2.5, "ranks": []}),
        (step(2, None, ended=10.0), {"parallel": False, "exit_status": None, "seconds": 0.0, "ranks": []}),
    ],
)
def test_a_step_as_the_record_has_it(one: dict[str, Any], reported: dict[str, Any]) -> None:
    found = step_result(job(), facts(), one)
    assert {key: found[key] for key in reported} == reported
    assert (found["number"], found["command"], found["started"]) == (one["number"], one["command"], 10.0)


def test_a_step_has_what_was_started_and_each_ranks_times() -> None:
    span = {"1.0": (11.0, 12.0), "1.3": (11.5, 12.5)}
    report = HostReport(0, (LearnerEnd(1, 0),), ALL_RANKS, times=span)
    started = step(1, attempts=2, folder="/job/code/src", argv=["mpirun", "x"])
    found = step_result(job(), Facts({"steps": [started]}, (report,)), started)
    assert found["times"] == [(11.0, 12.0), None, None, (11.5, 12.5)]
    assert (found["attempts"], found["folder"], found["argv"]) == (2, "/job/code/src", ["mpirun", "x"])
    assert (found["started"], found["ended"]) == (10.0, 12.5)


@pytest.mark.parametrize(("text", "who"), [('{"by": "ada"}', "ada"), ("{", ""), ("[]", ""), ("{}", "")])
def test_who_asked_for_a_stop_is_read_or_nobody_did(tmp_path: Path, text: str, who: str) -> None:
    (tmp_path / "stop.json").write_text(text)
    assert stopped_by(tmp_path / "stop.json") == who
    assert stopped_by(tmp_path / "none") == ""


def test_the_last_lines_are_whole_and_without_their_times(tmp_path: Path) -> None:
    file = tmp_path / "output.log"
    file.write_bytes(
        b"".join(b"%d.000 [0] line %d\x0b\xe2\x80\xa8 end\n" % (at, at) for at in range(20)) + b"20.000 [0] ha"
    )
    found = last_lines(file, 3).split("\n")
    assert [line.partition("\x0b")[0] for line in found] == ["[0] line 17", "[0] line 18", "[0] line 19"]
    assert last_lines(tmp_path / "none") == ""


def test_of_lines_that_are_very_long_none_is_cut(tmp_path: Path) -> None:
    (tmp_path / "output.log").write_text("".join(f"{at}.000 {'x' * 30_000}\n" for at in range(9)))
    assert last_lines(tmp_path / "output.log") == "\n".join(["x" * 30_000] * 2)


def test_a_sign_of_life_changes_and_ends(tmp_path: Path) -> None:
    seen: set[bytes] = set()
    with heartbeat(tmp_path / "agent", every=0.001):
        while len(seen) < 3:
            seen.add((tmp_path / "agent").read_bytes() if (tmp_path / "agent").exists() else b"")
    last = (tmp_path / "agent").read_bytes()
    time.sleep(0.01)
    assert (tmp_path / "agent").read_bytes() == last


@pytest.mark.filterwarnings("error")  # a thread that fails is but a warning otherwise
def test_a_disk_that_is_full_ends_no_agent() -> None:
    """/dev/full stands in for it: what is written to it fails."""
    with heartbeat(Path("/dev/full"), every=0.001):
        time.sleep(0.01)
