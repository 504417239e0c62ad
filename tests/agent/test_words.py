"""The agent's words that an operator has run beside it, and how it takes a host's things away."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from toolkit.agent import __main__ as main_module
from toolkit.agent import cache_recovery, lifetime, requests
from toolkit.agent import cleanup as module
from toolkit.agent.__main__ import main
from toolkit.agent.cleanup import Things, cleanup
from toolkit.agent.docker_api import EngineRefused
from toolkit.agent.end_reasons import Reason
from toolkit.agent.flush import NotStored
from toolkit.agent.job_spec import read_job
from toolkit.agent.requests import ask_to_stop, go

from .jobs import RUN, job

OWN, BUCKETS = f"toolkit-{RUN}-agent", f"toolkit-{RUN}-buckets"
RESULTS = f"toolkit-{RUN}-results"


def test_the_first_who_asks_for_a_stop_is_who_stopped_the_run(tmp_path: Path) -> None:
    file = tmp_path / "stop.json"
    assert ask_to_stop("ada@desk", file) == "ada@desk"
    assert ask_to_stop("bob@lab", file) == "ada@desk"
    assert [one.name for one in tmp_path.iterdir()] == ["stop.json"]


def test_of_many_who_ask_at_once_all_hear_the_same_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests.os, "getpid", threading.get_ident)  # they are processes of their own
    heard: list[str] = []
    asking = [
        threading.Thread(target=lambda who=who: heard.append(ask_to_stop(who, tmp_path / "stop.json")))  # type: ignore[misc]
        for who in map(str, range(8))
    ]
    for one in asking:
        one.start()
    for one in asking:
        one.join()
    assert len(heard) == 8
    assert len(set(heard)) == 1


def test_the_job_is_there_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "JOB", str(tmp_path / "job.json"))
    with pytest.raises((ValueError, KeyError, TypeError)):
        go("{}")
    assert list(tmp_path.iterdir()) == []
    go(job().to_json())
    assert read_job((tmp_path / "job.json").read_text()) == job()


def test_a_word_that_is_none_is_answered_with_those_that_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dance"]) == 2
    assert "follow OFFSET" in capsys.readouterr().err


def test_a_heartbeat_is_recorded_and_answered_with_who_wants_the_run_to_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(requests, "OPERATOR_HEARTBEAT", str(tmp_path / "heartbeat"))
    monkeypatch.setattr(requests, "STOP", str(tmp_path / "stop.json"))
    monkeypatch.setattr(main_module, "STOP", str(tmp_path / "stop.json"))
    assert main(["heartbeat"]) == 0
    assert main(["stop", "ada@desk"]) == 0
    assert main(["heartbeat"]) == 0
    before, stopped, after = capsys.readouterr().out.splitlines()
    assert (float(before) > 0, stopped, after.split(" ")[1:]) == (True, "ada@desk", ["ada@desk"])
    assert (tmp_path / "heartbeat").exists()


def test_a_store_that_does_not_take_what_is_salvaged_is_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(_filesystem: str, local: tuple[str, ...] = ()) -> int:
        raise OSError("AccessDenied")

    monkeypatch.setattr(cache_recovery, "recover", refuse)
    assert main(["recover", "results:bucket"]) == 1
    assert capsys.readouterr().err == "AccessDenied\n"


class AgentHost:
    """A host whose agent never gets its start signal; `cleaned` is whether it was to keep the volume."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.volume = folder / "volume"
        self.volume.mkdir()
        self.cleaned: list[bool] = []
        monkeypatch.setattr(lifetime, "DockerApi", lambda: self)
        for name, place in {"HOST": "", "AGENT": "agent", "CONTROL": "control", "BEAT": "agent/heartbeat"}.items():
            for one in (lifetime, requests):
                if hasattr(one, name):
                    monkeypatch.setattr(one, name, str(self.volume / place))
        monkeypatch.setattr(lifetime, "OPERATOR_HEARTBEAT", str(folder / "heartbeat"))
        monkeypatch.setattr(lifetime, "wait_for_word", lambda: None)
        monkeypatch.setattr(lifetime, "cleanup", lambda *_, keep_volume: self.cleaned.append(keep_volume))

    def create_volume(self, _name: str, _run: str) -> None:
        """It is there."""

    def labelled_volumes(self, _label: str) -> dict[str, str]:
        """It has no leases."""
        return {}

    def settings(self, _container: str) -> dict[str, object]:
        return {}


def test_what_a_learner_is_given_is_there_however_slowly_the_agent_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, became = AgentHost(tmp_path, monkeypatch), list[tuple[str, ...]]()
    monkeypatch.setattr(requests.os, "execvp", lambda _file, argv: became.append(argv))
    assert main(["unpack"]) == 0
    assert became == [("tar", "--extract", "--directory", str(host.volume))]
    assert sorted(one.name for one in host.volume.iterdir()) == ["agent", "control"]


def test_a_launch_that_never_gives_its_word_leaves_no_volume_and_a_rescue_takes_none_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = AgentHost(tmp_path, monkeypatch)
    monkeypatch.setattr(requests.os, "execvp", lambda _file, _argv: (host.volume / "code").mkdir())
    assert main(["unpack"]) == 0  # a launch puts its files in place before its agent has come up
    assert main(["keep", RUN, "volume"]) == 0
    assert main(["rescue", RUN, "volume"]) == 0
    assert host.cleaned == [False, True]


class StandInEngine:
    """A host's things; each that is in `busy` is gone only after so many tries. It refuses the first `away` lists."""

    def __init__(self, busy: dict[str, int] | None = None, away: int = 0) -> None:
        self.things = [f"toolkit-{RUN}-learner-1", OWN, BUCKETS, RESULTS]
        self.things += [f"network {RUN}", f"volume {RUN}", f"volume {RUN}-export"]
        self.mounts, self.done = ["mount"], list[str]()
        self.busy, self._away = busy or {}, away

    def containers(self, _run: str) -> list[str]:
        self._away -= 1
        if self._away >= 0:
            raise EngineRefused("starting")
        return [name for name in self.things if name.startswith("toolkit-")]

    def networks(self, _run: str) -> list[str]:
        return [name for name in self.things if name.startswith("network")]

    def volumes(self, _run: str) -> list[str]:
        return [name for name in self.things if name.startswith("volume")]

    def settings(self, name: str) -> dict[str, str]:
        return {"like": name} if name in self.things else {}

    def run_like(self, settings: dict[str, str], name: str, command: tuple[str, ...], _seconds: int) -> None:
        assert (settings, name, command[-1]) == ({"like": BUCKETS}, f"{BUCKETS}-cleanup", "unmount")
        self.mounts.clear()

    def remove_container(self, name: str) -> bool:
        self.done.append(f"{name} with {len(self.mounts)} mounts")
        if name not in self.things:
            return True
        if self.busy.get(name, 0) > 0:
            self.busy[name] -= 1
            return False
        self.things.remove(name)
        return True

    def remove_network(self, name: str) -> bool:
        return self.remove_container(name)

    def remove_volume(self, name: str) -> bool:
        return name not in self.things or self.remove_container(name)


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAUSE_SECONDS", 0)
    monkeypatch.setattr(module, "BucketClient", lambda: StandInClient)


class StandInClient:
    """The container with the mounts, which answers."""

    engine: StandInEngine

    @classmethod
    def unmount(cls) -> None:
        cls.engine.mounts.clear()


def left_by(engine: StandInEngine, *, keep_volume: bool = False) -> list[str]:
    StandInClient.engine = engine
    cleanup(engine, Things(RUN, OWN, BUCKETS, f"volume {RUN}", RESULTS), keep_volume=keep_volume)  # type: ignore[arg-type]
    return engine.things


def test_all_goes_but_the_agents_own_container_which_goes_with_it() -> None:
    assert left_by(StandInEngine()) == [OWN]


def test_mounts_are_taken_down_before_the_container_that_serves_them_goes() -> None:
    engine = StandInEngine()
    left_by(engine)
    assert f"{BUCKETS} with 0 mounts" in engine.done
    assert f"{RESULTS} with 0 mounts" in engine.done


def test_what_a_container_that_was_killed_has_mounted_is_taken_down_by_another_like_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unmount() -> None:
        raise NotStored(Reason.SYSTEM, "nobody answers")

    engine = StandInEngine()
    monkeypatch.setattr(StandInClient, "unmount", unmount)
    assert left_by(engine) == [OWN]
    assert engine.mounts == []


def test_a_volume_that_holds_what_no_bucket_has_stays() -> None:
    assert left_by(StandInEngine(), keep_volume=True) == [OWN, f"volume {RUN}"]


def test_what_is_busy_is_tried_again_and_an_engine_that_is_away_too() -> None:
    assert left_by(StandInEngine({f"volume {RUN}": 3, f"network {RUN}": 1}, away=2)) == [OWN]


def test_what_cannot_be_removed_is_not_tried_for_ever() -> None:
    assert left_by(StandInEngine({f"network {RUN}": 1 << 30})) == [OWN, f"network {RUN}"]
