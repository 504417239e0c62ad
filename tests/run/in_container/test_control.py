"""What a rank tells the supervisor on its own output."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.run.in_container.control import LONGEST, UNSYNCHRONISED, read_unsynchronised

from .supervising import BOTH_HERE, say, status_of, step, supervised

SAID = {
    "why": "ranks diverged in steps 101 to 200: dense/kernel differs by 0.2 of its size",
    "first_step": 101,
    "last_step": 200,
    "variable": "dense/kernel",
    "difference": 0.2,
}
STARTED = "[1,0]<stdout>:\x1etoolkit started\n[1,1]<stdout>:\x1etoolkit started\n"


def line(said: Any, rank: int = 1) -> str:
    return f"[1,{rank}]<stdout>:{UNSYNCHRONISED.decode()}{json.dumps(said)}\n"


@pytest.mark.parametrize("status", [86, 0])
def test_ranks_that_diverged_end_the_run_whatever_its_status(tmp_path: Path, status: int) -> None:
    text = f"{STARTED}[1,1]<stdout>:before\n{line(SAID)}{line({'why': 'a second one'}, 0)}[1,0]<stdout>:after\n"
    steps = [step(1, say(text, status), parallel=True), step(2, say("never\n"))]
    code, lines = supervised(tmp_path, steps, BOTH_HERE, start_deadline=60)
    assert code == 86
    (entry,) = status_of(tmp_path)["steps"]
    assert entry["unsynchronised"] == {**SAID, "rank": 1}
    assert entry["exit_status"] == status
    assert not any("unsynchronised" in one for one in lines if one.startswith("[0]") or one.startswith("[1]"))
    assert {"[1] before", "[0] after"} <= set(lines)


def test_an_attempt_that_goes_well_is_not_blamed_for_an_earlier_one(tmp_path: Path) -> None:
    mark = tmp_path / "again"
    first, second = STARTED + line(SAID), STARTED
    program = f"import os,sys; t={second!r} if os.path.exists({str(mark)!r}) else {first!r}; open({str(mark)!r},'w'); "
    argv = ["python3", "-c", program + "sys.stdout.write(t)"]
    code, _ = supervised(tmp_path, [step(1, argv, parallel=True)], BOTH_HERE, retries=1, start_deadline=60)
    assert code == 0
    assert status_of(tmp_path)["steps"][0]["unsynchronised"] is None


def test_a_program_that_goes_on_after_it_said_so_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from toolkit.run.in_container import supervise
    from toolkit.run.in_container.logs import Logs

    logs = Logs(str(tmp_path), BOTH_HERE)
    plan = {"learners": BOTH_HERE, "logs": str(tmp_path), "control": str(tmp_path), "start_deadline": 60, "lost": 60}
    watch = supervise.Watch(plan, logs, type("Beats", (), {"lost": lambda _: []})())
    watch.begin(step(1, [], parallel=False))
    assert not watch.asked()
    logs.tagged(line(SAID).encode().rstrip())
    assert not watch.asked()
    monkeypatch.setattr(supervise, "_UNSYNCHRONISED_SECONDS", -1)
    assert watch.asked()
    assert watch.reason == "ranks diverged"


def test_a_control_line_that_came_in_parts_is_one(tmp_path: Path) -> None:
    whole = line(SAID)
    text = STARTED + whole[:60] + f"[1,0]<stdout>:other\n[1,1]<stdout>:{whole[60:]}"
    supervised(tmp_path, [step(1, say(text), parallel=True)], BOTH_HERE, start_deadline=60)
    assert status_of(tmp_path)["steps"][0]["unsynchronised"]["why"] == SAID["why"]


@given(st.binary(max_size=200))
def test_any_bytes_behind_the_mark_are_harmless(data: bytes) -> None:
    found = read_unsynchronised(UNSYNCHRONISED + data, 0)
    assert found is None or found["why"].isprintable()


@given(
    st.dictionaries(
        st.sampled_from(sorted(SAID)), st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=300)
    )
)
def test_any_values_are_bounded_and_printable(said: dict[str, Any]) -> None:
    data = UNSYNCHRONISED + json.dumps(said).encode()
    found = read_unsynchronised(data, 3)
    why = said.get("why")
    readable = isinstance(why, str) and "".join(c if c.isprintable() else " " for c in why).strip()
    assert (found is None) == (not readable or len(data) > LONGEST)
    if found:
        assert found["rank"] == 3
        assert all(one.isprintable() for one in (found["why"], found["variable"]))
        for name in ("first_step", "last_step", "difference"):
            assert found[name] is None or 0 <= found[name] <= 2**53


@pytest.mark.parametrize("text", [b"x" * LONGEST, b"[" * 4000, b'"why"', b"null", b"[1]", b'{"why": 3}'])
def test_what_is_no_such_object_is_an_ordinary_line(text: bytes) -> None:
    assert read_unsynchronised(UNSYNCHRONISED + text, 0) is None
