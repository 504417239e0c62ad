"""A run's events as its agent tells them: each line once, wherever one goes on from, the end last."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.agent import event_stream
from toolkit.agent.event_stream import events, lines_from, parse_line

TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=40), max_size=20)


def no_pause() -> None:
    """A reader never waits."""


def log_of(folder: Path, texts: list[str]) -> Path:
    file = folder / "output.log"
    file.write_bytes(b"".join(b"%.3f %s\n" % (place, text.encode()) for place, text in enumerate(texts)))
    return file


def write(file: Path, record: dict[str, Any]) -> Path:
    file.write_text(json.dumps(record))
    return file


@given(TEXTS)
def test_every_line_comes_with_its_time_and_where_the_next_one_is(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    file = log_of(tmp_path_factory.mktemp("log"), texts)
    found = list(lines_from(file, 0))
    assert [(line["line"], line["at"]) for line in found] == [(text, float(at)) for at, text in enumerate(texts)]
    assert [line["next"] for line in found][-1:] == [file.stat().st_size][: len(texts)]


@given(TEXTS, st.lists(st.integers(0, 5), max_size=30))
def test_however_often_a_connection_is_cut_no_line_comes_twice_and_none_is_missing(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], taken: list[int]
) -> None:
    file = log_of(tmp_path_factory.mktemp("log"), texts)
    offset, found = 0, list[dict[str, Any]]()
    for count in [*taken, len(texts)]:  # each connection is cut after so many lines
        for line, _ in zip(lines_from(file, offset), range(count), strict=False):
            found.append(line)
            offset = line["next"]
    assert found == list(lines_from(file, 0))


@settings(deadline=None)
@given(st.lists(st.integers(0, 3000), min_size=1, max_size=40), st.integers(1, 4096))
def test_lines_longer_than_a_piece_are_whole(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], piece: int
) -> None:
    texts = ["x" * length for length in lengths]
    file = log_of(tmp_path_factory.mktemp("log"), texts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(event_stream, "_PIECE", piece)
        assert [line["line"] for line in lines_from(file, 0)] == texts


def test_a_line_without_an_end_is_left_for_later(tmp_path: Path) -> None:
    file = tmp_path / "output.log"
    file.write_bytes(b"1.000 whole\n2.000 hal")
    assert [line["line"] for line in lines_from(file, 0)] == ["whole"]
    file.write_bytes(b"1.000 whole\n2.000 half\n")
    assert [line["line"] for line in lines_from(file, len(b"1.000 whole\n"))] == ["half"]


def test_a_log_that_is_not_there_yet_has_no_line(tmp_path: Path) -> None:
    assert list(lines_from(tmp_path / "none", 0)) == []


@pytest.mark.parametrize(
    ("line", "at", "text"),
    [
        (b"1764100000.125 [0] loss 0.5", 1764100000.125, "[0] loss 0.5"),
        (b"1.000 ", 1.0, ""),
        (b"1.000  indented", 1.0, " indented"),
        (b"1.000 \xff", 1.0, "\N{REPLACEMENT CHARACTER}"),
        (b"cut by a full disk", 0.0, "cut by a full disk"),
        (b"176410", 0.0, "176410"),
        (b"", 0.0, ""),
        (b"nan nothing", 0.0, "nan nothing"),
    ],
)
def test_what_has_no_time_is_shown_as_it_is(line: bytes, at: float, text: str) -> None:
    assert parse_line(line, 7) == {"line": text, "at": at, "next": 7}


def kinds(found: Iterator[dict[str, Any]]) -> list[str]:
    return [next(iter(event)) for event in found]


@pytest.mark.parametrize("state", ["COMPLETED", "FAILED", "HALTED"])
def test_after_the_last_line_comes_the_final_record_and_then_the_end(tmp_path: Path, state: str) -> None:
    output, record = log_of(tmp_path, ["a", "b"]), write(tmp_path / "state.json", {"state": state})
    assert kinds(events(0, output, record, no_pause)) == ["line", "line", "record", "end"]


def test_a_run_that_goes_on_is_reported_as_it_goes(tmp_path: Path) -> None:
    output, record = log_of(tmp_path, ["a"]), write(tmp_path / "state.json", {"state": "PROCESSING"})
    stream = events(0, output, record, no_pause)
    assert [next(stream) for _ in range(3)] == [
        {"record": {"state": "PROCESSING"}},
        {"line": "a", "at": 0.0, "next": 8},
        {"beat": 1},
    ]
    log_of(tmp_path, ["a", "b"])
    assert next(stream) == {"line": "b", "at": 1.0, "next": 16}
    write(record, {"state": "STORING"})
    assert next(stream) == {"record": {"state": "STORING"}}
    log_of(tmp_path, ["a", "b", "c"])
    write(record, {"state": "FAILED"})
    assert list(stream) == [{"line": "c", "at": 2.0, "next": 24}, {"record": {"state": "FAILED"}}, {"end": True}]


def test_a_record_is_reported_once(tmp_path: Path) -> None:
    output, record = log_of(tmp_path, []), write(tmp_path / "state.json", {"state": "STORING", "waiting": 1})
    stream = events(0, output, record, no_pause)
    assert [next(stream) for _ in range(2)] == [{"record": {"state": "STORING", "waiting": 1}}, {"beat": 1}]
    write(record, {"state": "COMPLETED"})
    assert kinds(stream) == ["record", "end"]


def test_before_there_is_a_record_the_agent_says_that_it_lives(tmp_path: Path) -> None:
    assert next(events(0, tmp_path / "none", tmp_path / "none", no_pause)) == {"beat": 1}


def test_a_follower_is_known_until_it_has_seen_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    monkeypatch.setattr(event_stream, "VIEWS", str(tmp_path / "views"))
    monkeypatch.setattr(event_stream, "OUTPUT", str(log_of(tmp_path, ["a"])))
    monkeypatch.setattr(event_stream, "STATE", str(write(tmp_path / "state.json", {"state": "HALTED"})))
    seen = []

    class Screen(io.StringIO):
        def write(self, text: str) -> int:
            seen.append(len(list((tmp_path / "views").iterdir())))
            return super().write(text)

    screen = Screen()
    event_stream.follow(0, screen)
    assert set(seen) == {1}
    assert list((tmp_path / "views").iterdir()) == []
    assert kinds(map(json.loads, screen.getvalue().splitlines())) == ["line", "record", "end"]


def test_a_follower_has_all_that_was_written_before_the_agent_waits_for_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rank's line must not stay in a buffer until the next beat."""
    output, record = log_of(tmp_path, ["a", "b"]), write(tmp_path / "state.json", {"state": "PROCESSING"})
    monkeypatch.setattr(event_stream, "VIEWS", str(tmp_path / "views"))
    monkeypatch.setattr(event_stream, "OUTPUT", str(output))
    monkeypatch.setattr(event_stream, "STATE", str(record))
    received = tmp_path / "received"
    texts = ["a", "b", "c"]

    def wait(_seconds: float) -> None:
        lines = [json.loads(line) for line in received.read_text().splitlines()]
        assert [line["line"] for line in lines if "line" in line] == texts[: len(lines) - 2]
        if record.read_text() == '{"state": "PROCESSING"}' and len(lines) == 4:
            log_of(tmp_path, texts)
        else:
            write(record, {"state": "COMPLETED"})

    monkeypatch.setattr(event_stream.time, "sleep", wait)
    with received.open("w") as out:
        event_stream.follow(0, out)
    assert kinds(map(json.loads, received.read_text().splitlines())) == [
        *("record", "line", "line", "beat", "line", "record", "end"),
    ]
