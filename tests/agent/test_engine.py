"""The host's engine over its socket: real HTTP, an engine that is a stand-in."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from toolkit.agent.docker_api import ContainerState, DockerApi, EngineRefused

from .engine_stand_in import Answer, StandInEngine, engine_that_answers


@pytest.fixture
def stand_in(tmp_path: Path) -> Iterator[StandInEngine]:
    with engine_that_answers(tmp_path / "engine.sock", {}) as engine:
        yield engine


@pytest.fixture
def engine(stand_in: StandInEngine) -> DockerApi:
    return DockerApi(str(stand_in.place))


def said(value: Any) -> bytes:
    return json.dumps(value).encode()


def question(stand_in: StandInEngine) -> dict[str, str]:
    """Of the last thing that was asked."""
    return {name: values[0] for name, values in parse_qs(urlsplit(stand_in.asked[-1][0].split()[1]).query).items()}


@pytest.mark.parametrize(
    ("state", "seen"),
    [
        ({"Running": True, "ExitCode": 0}, ContainerState(True, True, None)),
        ({"Running": False, "ExitCode": 3}, ContainerState(True, False, 3)),
        ({"Running": False, "ExitCode": 137, "OOMKilled": True}, ContainerState(True, False, 137, True)),
        ({}, ContainerState(True, False, -1)),
    ],
)
@pytest.mark.parametrize("chunked", [0, 7])
def test_a_container_is_seen_as_the_engine_tells(
    stand_in: StandInEngine, engine: DockerApi, state: dict[str, Any], seen: ContainerState, chunked: int
) -> None:
    stand_in.answers["GET /containers/c/json"] = Answer(200, said({"State": state}), chunked)
    assert engine.state("c") == seen


def test_a_container_that_is_gone_is_no_error(engine: DockerApi) -> None:
    assert engine.state("c") == ContainerState(there=False)


def test_an_engine_in_trouble_is_reported_in_its_own_words(stand_in: StandInEngine, engine: DockerApi) -> None:
    stand_in.answers["GET /containers/c/json"] = Answer(500, b'{"message": "cannot read the disk"}')
    with pytest.raises(EngineRefused, match="cannot read the disk"):
        engine.state("c")


@pytest.mark.parametrize("chunked", [0, 4])
def test_an_answer_that_is_cut_is_no_answer(stand_in: StandInEngine, engine: DockerApi, chunked: int) -> None:
    stand_in.answers["GET /containers/c/json"] = Answer(200, said({"State": {}}), chunked, cut=True)
    with pytest.raises(EngineRefused, match="GET /containers/c/json"):
        engine.state("c")


CALLS: list[Callable[[DockerApi], object]] = [
    lambda engine: engine.state("c"),
    lambda engine: engine.oom_since("c", 1.0, 2.0),
    lambda engine: engine.stop("c", 10),
    lambda engine: engine.output("c"),
    lambda engine: engine.create_volume("v", "r"),
    lambda engine: engine.remove_container("c"),
    lambda engine: engine.containers("r"),
]


@pytest.mark.parametrize("call", CALLS)
def test_an_engine_that_does_not_listen_has_refused(tmp_path: Path, call: Callable[[DockerApi], object]) -> None:
    with pytest.raises(EngineRefused):
        call(DockerApi(str(tmp_path / "none.sock")))


def test_a_name_stays_one_word_of_the_path(stand_in: StandInEngine, engine: DockerApi) -> None:
    engine.remove_volume("a?b c#d")
    assert stand_in.asked[-1][0] == "DELETE /v1.40/volumes/a%3Fb%20c%23d?force=1"


@pytest.mark.parametrize(("events", "met"), [(b"", False), (b"\n", False), (b'{"status": "oom"}\n', True)])
def test_the_events_tell_whether_any_process_was_killed_for_memory(
    stand_in: StandInEngine, engine: DockerApi, events: bytes, met: bool
) -> None:
    stand_in.answers["GET /events"] = Answer(200, events, chunked=5)
    assert engine.oom_since("c", 10.25, 20.5) is met
    asked = question(stand_in)
    assert (asked["since"], asked["until"]) == ("10.250", "20.500")
    assert json.loads(asked["filters"]) == {"container": ["c"], "event": ["oom"]}


def test_an_engine_that_no_longer_speaks_the_version_is_asked_in_its_oldest(
    stand_in: StandInEngine, engine: DockerApi
) -> None:
    """Docker Engine 29 answers from 1.44 on."""
    stand_in.oldest = "1.44"
    stand_in.answers["GET /containers/c/json"] = Answer(200, said({"State": {"Running": True}}))
    assert engine.state("c").running
    engine.remove_volume("v")
    assert [asked for asked, _ in stand_in.asked] == [
        *("GET /v1.40/containers/c/json", "GET /v1.44/containers/c/json"),
        "DELETE /v1.44/volumes/v?force=1",
    ]


def test_a_stop_leaves_the_container_its_time(stand_in: StandInEngine, engine: DockerApi) -> None:
    engine.stop("c", 10)
    assert stand_in.asked[-1][0] == "POST /v1.40/containers/c/stop?t=10"


def test_a_volume_carries_the_runs_label(stand_in: StandInEngine, engine: DockerApi) -> None:
    stand_in.answers["POST /volumes/create"] = Answer(201, b"{}")
    engine.create_volume("v", "r")
    assert json.loads(stand_in.asked[-1][1]) == {"Name": "v", "Labels": {"toolkit.run": "r"}}


def test_a_volume_that_cannot_be_made_is_reported(stand_in: StandInEngine, engine: DockerApi) -> None:
    stand_in.answers["POST /volumes/create"] = Answer(500, b"no space")
    with pytest.raises(EngineRefused, match="no space"):
        engine.create_volume("v", "r")


@pytest.mark.parametrize(("status", "gone"), [(204, True), (404, True), (409, False), (500, False)])
@pytest.mark.parametrize(
    ("noun", "verb"), [("containers", "container"), ("networks", "network"), ("volumes", "volume")]
)
def test_what_is_removed_or_was_not_there_is_gone(
    stand_in: StandInEngine, engine: DockerApi, noun: str, verb: str, status: int, gone: bool
) -> None:
    stand_in.answers[f"DELETE /{noun}/x"] = Answer(status)
    assert getattr(engine, f"remove_{verb}")("x") is gone


def test_the_runs_own_are_listed_by_their_label(stand_in: StandInEngine, engine: DockerApi) -> None:
    stand_in.answers["GET /containers/json"] = Answer(200, said([{"Names": ["/a"]}, {"Names": ["/b"]}]))
    assert engine.containers("r") == ["a", "b"]
    assert (question(stand_in)["all"], json.loads(question(stand_in)["filters"])) == ("1", {"label": ["toolkit.run=r"]})
    stand_in.answers["GET /networks"] = Answer(200, b"null")
    assert engine.networks("r") == []
    stand_in.answers["GET /networks"] = Answer(500, b"broken")
    with pytest.raises(EngineRefused, match="broken"):
        engine.networks("r")


def frame(stream: int, text: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(text).to_bytes(4, "big") + text


@pytest.mark.parametrize("chunked", [0, 1, 5])
def test_a_containers_last_words_are_taken_out_of_their_frames(
    stand_in: StandInEngine, engine: DockerApi, chunked: int
) -> None:
    body = frame(1, b"out\n") + frame(2, b"error\n") + frame(1, b"") + frame(1, b"\xff end")
    stand_in.answers["GET /containers/c/logs"] = Answer(200, body, chunked)
    assert engine.output("c", 5) == "out\nerror\n\N{REPLACEMENT CHARACTER} end"
    assert question(stand_in)["tail"] == "5"


def test_a_container_that_is_gone_has_no_words(engine: DockerApi) -> None:
    assert engine.output("c") == ""


@pytest.mark.parametrize(
    ("reported", "seen"),
    [
        ({"pids_stats": {"current": 70, "limit": 64}}, (70, 64)),
        ({"pids_stats": {"current": 5}}, (5, 0)),
        ({"pids_stats": {}}, (0, 0)),
        ({"pids_stats": None}, (0, 0)),
        ({}, (0, 0)),
    ],
)
def test_how_many_processes_a_container_has_and_may_have(
    stand_in: StandInEngine, engine: DockerApi, reported: dict[str, Any], seen: tuple[int, int]
) -> None:
    stand_in.answers["GET /containers/c/stats"] = Answer(200, said(reported))
    usage = engine.usage("c")
    assert (usage.processes, usage.limit) == seen
    assert question(stand_in) == {"stream": "false"}


@pytest.mark.parametrize(
    ("memory", "bytes_used"),
    [
        ({"usage": 900, "stats": {"inactive_file": 300}}, 600),
        ({"usage": 900, "stats": {"total_inactive_file": 200}}, 700),
        ({"usage": 900}, 900),
        ({"usage": 1, "stats": {"inactive_file": 300}}, 0),
        (None, 0),
    ],
)
def test_what_a_container_uses_is_without_the_files_that_the_kernel_may_forget(
    stand_in: StandInEngine, engine: DockerApi, memory: object, bytes_used: int
) -> None:
    reported = {"memory_stats": memory, "cpu_stats": {"cpu_usage": {"total_usage": 2_500_000_000}}}
    stand_in.answers["GET /containers/c/stats"] = Answer(200, said(reported))
    usage = engine.usage("c")
    assert (usage.cpu, usage.memory) == (2.5, bytes_used)


@pytest.mark.parametrize(
    ("settings", "has"), [({"DeviceRequests": [{"Count": -1}]}, True), ({"DeviceRequests": None}, False), ({}, False)]
)
def test_whether_a_container_was_given_gpus(
    stand_in: StandInEngine, engine: DockerApi, settings: object, has: bool
) -> None:
    stand_in.answers["GET /containers/c/json"] = Answer(200, said({"HostConfig": settings}))
    assert engine.has_gpus("c") is has


@pytest.mark.parametrize("chunked", [0, 3])
def test_a_program_in_a_container_is_heard_piece_by_piece(
    stand_in: StandInEngine, engine: DockerApi, chunked: int
) -> None:
    stand_in.answers["POST /containers/c/exec"] = Answer(201, said({"Id": "e1"}))
    stand_in.answers["POST /exec/e1/start"] = Answer(200, frame(1, b"a line\nand") + frame(1, b" more\n"), chunked)
    assert b"".join(engine.execute("c", ["/usr/bin/nvidia-smi", "-L"], "65534", 5.0)) == b"a line\nand more\n"
    asked = json.loads(stand_in.asked[0][1])
    assert (asked["Cmd"], asked["User"]) == (["/usr/bin/nvidia-smi", "-L"], "65534")


def test_a_program_that_is_not_in_the_container_is_refused_by_the_engine(
    stand_in: StandInEngine, engine: DockerApi
) -> None:
    stand_in.answers["POST /containers/c/exec"] = Answer(201, said({"Id": "e1"}))
    stand_in.answers["POST /exec/e1/start"] = Answer(400, said({"message": "no such file"}))
    with pytest.raises(EngineRefused, match="no such file"):
        list(engine.execute("c", ["/usr/bin/nvidia-smi"], "65534", 5.0))
    with pytest.raises(EngineRefused, match="no such thing"):
        list(engine.execute("gone", ["/usr/bin/nvidia-smi"], "65534", 5.0))


def test_volumes_are_found_by_a_label_and_reported_with_its_value(stand_in: StandInEngine, engine: DockerApi) -> None:
    volumes = [{"Name": "a", "Labels": {"toolkit.lease": "a record"}}, {"Name": "b", "Labels": None}]
    stand_in.answers["GET /volumes"] = Answer(200, said({"Volumes": volumes}))
    assert engine.labelled_volumes("toolkit.lease") == {"a": "a record", "b": ""}
    assert question(stand_in) == {"filters": '{"label": ["toolkit.lease"]}'}
    stand_in.answers["GET /volumes"] = Answer(200, said({"Volumes": None}))
    assert engine.labelled_volumes("toolkit.lease") == {}
