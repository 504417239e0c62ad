"""The supervisor inside learner 1: its functions, and itself as a program."""

from __future__ import annotations

import io
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.run.inside import supervise
from toolkit.run.inside.supervise import Logs, split_tagged

TWO = [{"number": 1, "hostname": "learner-1", "ranks": [0]}, {"number": 2, "hostname": "learner-2", "ranks": [1]}]


def say(text: str, status: int = 0) -> list[str]:
    return [sys.executable, "-c", f"import sys; sys.stdout.write({text!r}); sys.stdout.flush(); sys.exit({status})"]


def supervised(
    folder: Path,
    steps: list[dict[str, Any]],
    learners: list[dict[str, Any]] = TWO[:1],
    port: int = 1,
    more: dict[str, Any] | None = None,
) -> tuple[int, str]:
    """Run the supervisor as a program: its status and what it printed."""
    plan = {"logs": str(folder), "port": port, "start_deadline": 0.3, "learners": learners, "steps": steps}
    plan |= {"open_mpi": 4, **(more or {})}
    (folder / "run.json").write_text(json.dumps(plan))
    argv = [sys.executable, supervise.__file__, str(folder / "run.json")]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    return done.returncode, done.stdout


def step(number: int, argv: list[str], *, parallel: bool = False) -> dict[str, Any]:
    return {"number": number, "command": f"command-{number}", "argv": argv, "parallel": parallel}


@pytest.mark.parametrize(
    ("line", "pieces"),
    [
        (b"[1,0]<stdout>:hello", [(0, "stdout", b"hello")]),
        (b"[12,34]<stderr>:x", [(34, "stderr", b"x")]),
        (b"mpirun speaks", [(None, "", b"mpirun speaks")]),
        (b"[1,0]<stdout>:ab[1,1]<stdout>:cd", [(0, "stdout", b"ab"), (1, "stdout", b"cd")]),
        (b"before[1,1]<stdout>:", [(None, "", b"before"), (1, "stdout", b"")]),
    ],
)
def test_a_line_is_split_at_its_tags(line: bytes, pieces: list[tuple[int | None, str, bytes]]) -> None:
    assert split_tagged(line) == pieces


def test_open_mpi_5_sets_a_space_behind_its_tags_and_the_programs_own_stay() -> None:
    assert split_tagged(b"[1,0]<stdout>:  indented", 5) == [(0, "stdout", b" indented")]
    assert split_tagged(b"[1,0]<stdout>:  indented", 4) == [(0, "stdout", b"  indented")]


def test_partial_lines_of_two_ranks_are_put_together(tmp_path: Path) -> None:
    screen = io.BytesIO()
    logs = Logs(str(tmp_path), TWO, screen)
    logs.tagged(b"[1,0]<stdout>:ab[1,1]<stdout>:whole")
    logs.tagged(b"[1,0]<stdout>:cd")
    logs.tagged(b"[1,1]<stdout>:no end[1,0]<stderr>:loud")
    logs.finish()
    assert (tmp_path / "learner-1" / "training-log.txt").read_bytes() == b"[0] abcd\n[0] loud\n"
    assert (tmp_path / "learner-2" / "training-log.txt").read_bytes() == b"[1] whole\n[1] no end\n"
    assert screen.getvalue() == b"[1] whole\n[0] abcd\n[0] loud\n[1] no end\n"


@given(st.lists(st.tuples(st.integers(0, 1), st.binary(max_size=20)), max_size=30))
def test_no_byte_of_a_rank_is_lost_or_given_to_another(
    tmp_path_factory: pytest.TempPathFactory, lines: list[tuple[int, bytes]]
) -> None:
    folder = tmp_path_factory.mktemp("logs")
    clean = [(rank, text.translate(None, b"\r\n[")) for rank, text in lines]
    logs = Logs(str(folder), TWO, io.BytesIO())
    for rank, text in clean:
        logs.tagged(b"[1,%d]<stdout>:%s[1,%d]<stdout>:" % (rank, text, rank))
    logs.finish()
    for rank in (0, 1):
        log = (folder / f"learner-{rank + 1}" / "training-log.txt").read_bytes()
        assert log == b"".join(b"[%d] %s\n" % (rank, text) for owner, text in clean if owner == rank)


def test_steps_run_in_order_and_leave_their_status(tmp_path: Path) -> None:
    status, printed = supervised(tmp_path, [step(1, say("one\n")), step(2, say("two\n"))])
    record = json.loads((tmp_path / "status.json").read_text())
    assert status == 0
    assert (tmp_path / "learner-1" / "training-log.txt").read_text() == "[0] one\n[0] two\n"
    assert [(entry["number"], entry["exit_status"]) for entry in record["steps"]] == [(1, 0), (2, 0)]
    assert printed.splitlines() == [
        "[toolkit] command 1 of 2: command-1",
        "[0] one",
        "[toolkit] command 2 of 2: command-2",
        "[0] two",
    ]


def test_the_first_failure_stops_the_rest(tmp_path: Path) -> None:
    status, printed = supervised(tmp_path, [step(1, say("one\n", 7)), step(2, say("two\n"))])
    record = json.loads((tmp_path / "status.json").read_text())
    assert status == 7
    assert [entry["exit_status"] for entry in record["steps"]] == [7]
    assert "two" not in printed


def test_a_signal_is_told_as_a_shell_does(tmp_path: Path) -> None:
    killed = [sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"]
    assert supervised(tmp_path, [step(1, killed)])[0] == 137


def test_tagged_output_goes_to_each_learners_own_log(tmp_path: Path) -> None:
    tagged = "[1,0]<stdout>:zero\n[1,1]<stderr>:one\nmpirun: noticed\n"
    logs = Logs(str(tmp_path), TWO, io.BytesIO())
    assert supervise.run_step(step(1, say(tagged), parallel=True), logs) == 0
    assert (tmp_path / "learner-1" / "training-log.txt").read_text() == "[0] zero\n[mpirun] mpirun: noticed\n"
    assert (tmp_path / "learner-2" / "training-log.txt").read_text() == "[1] one\n"


def test_a_learner_that_never_answers_is_named(tmp_path: Path) -> None:
    silent = [TWO[0], {"number": 2, "hostname": "127.0.0.1", "ranks": [1]}]
    status, _ = supervised(tmp_path, [step(1, say("never\n"))], silent)
    assert status == supervise.NOT_STARTED
    assert json.loads((tmp_path / "status.json").read_text()) == {"silent_learners": ["127.0.0.1"], "steps": []}


def test_it_is_readable_by_python_3_5() -> None:
    """Old images have old Pythons: nothing newer than 3.5's grammar may stand in that file."""
    import ast

    ast.parse(Path(supervise.__file__).read_text(), feature_version=(3, 5))


@pytest.fixture
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    """A port of this machine that greets everyone with the words it is given."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            for _ in range(50):
                try:
                    with server.accept()[0] as connection:
                        connection.sendall(request.param)
                except OSError:
                    return

        threading.Thread(target=greet, daemon=True).start()
        yield int(server.getsockname()[1])
        server.shutdown(socket.SHUT_RDWR)


ANSWERING = [TWO[0], {"number": 2, "hostname": "127.0.0.1", "ranks": [1]}]


@pytest.mark.parametrize("port", [b"SSH-2.0-OpenSSH_9.2\r\n"], indirect=True)
def test_a_run_of_two_learners_keeps_a_log_for_each(tmp_path: Path, port: int) -> None:
    tagged = say("[1,1]<stdout>:one\n[1,0]<stderr>:zero\n")
    status, printed = supervised(tmp_path, [step(1, tagged, parallel=True), step(2, say("once\n"))], ANSWERING, port)
    assert status == 0
    assert (tmp_path / "learner-1" / "training-log.txt").read_text() == "[0] zero\n[0] once\n"
    assert (tmp_path / "learner-2" / "training-log.txt").read_text() == "[1] one\n"
    assert [line for line in printed.splitlines() if "toolkit" not in line] == ["[1] one", "[0] zero", "[0] once"]


@pytest.mark.parametrize("port", [b"HTTP/1.1 400 Bad Request\r\n", b""], indirect=True)
def test_a_port_that_is_no_ssh_is_no_learner(tmp_path: Path, port: int) -> None:
    assert supervised(tmp_path, [step(1, say("never\n"))], ANSWERING, port)[0] == 75


def test_a_step_has_its_folder_and_its_variables(tmp_path: Path) -> None:
    program = "import os; print(os.getcwd(), os.environ['OWN'])"
    own = {**step(1, [sys.executable, "-c", program]), "folder": str(tmp_path), "environment": {"OWN": "a b"}}
    assert supervise.run_step(own, Logs(str(tmp_path), TWO, io.BytesIO())) == 0
    assert (tmp_path / "learner-1" / "training-log.txt").read_text() == f"[0] {tmp_path} a b\n"


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    own = {**step(1, ["true"]), "folder": str(tmp_path / "none")}
    assert supervise.run_step(own, Logs(str(tmp_path), TWO, io.BytesIO())) == 127
    assert "none: No such file" in (tmp_path / "learner-1" / "training-log.txt").read_text()


SLEEPS = [sys.executable, "-u", "-c", "import time; print('begun'); time.sleep(600)"]


def test_a_step_is_stopped_when_its_time_is_over(tmp_path: Path) -> None:
    status, printed = supervised(tmp_path, [{**step(1, SLEEPS), "timeout": 1}, step(2, say("never\n"))])
    assert status == supervise.TIMED_OUT
    assert printed.splitlines()[1:] == ["[0] begun", "[toolkit] command 1 was stopped: its 1 s are over"]
    assert [one["exit_status"] for one in json.loads((tmp_path / "status.json").read_text())["steps"]] == [124]


def test_all_steps_together_have_a_limit_and_are_not_tried_again(tmp_path: Path) -> None:
    status, printed = supervised(
        tmp_path, [step(1, say("one\n")), step(2, SLEEPS)], more={"time_limit": 1, "retries": 3}
    )
    assert status == supervise.TIMED_OUT
    assert printed.splitlines()[-1] == "[toolkit] command 2 was stopped: the run's time limit is over"


def test_what_a_stopped_step_had_started_is_stopped_with_it(tmp_path: Path) -> None:
    program = "import subprocess, time; print(subprocess.Popen(['sleep', '600']).pid, flush=True); time.sleep(600)"
    status, printed = supervised(tmp_path, [{**step(1, [sys.executable, "-c", program]), "timeout": 2}])
    assert status == supervise.TIMED_OUT
    state = Path("/proc", printed.splitlines()[1].removeprefix("[0] "), "stat")
    assert not state.exists() or state.read_text().split()[2] == "Z"


def test_a_step_that_fails_is_run_again(tmp_path: Path) -> None:
    program = f"import os, sys; f = {str(tmp_path / 'n')!r}; open(f, 'a').write('x'); sys.exit(os.path.getsize(f) < 3)"
    status, printed = supervised(tmp_path, [step(1, [sys.executable, "-c", program])], more={"retries": 2})
    assert status == 0
    assert printed.splitlines()[1:] == [
        "[toolkit] command 1 ended with 1; attempt 2 of 3",
        "[toolkit] command 1 ended with 1; attempt 3 of 3",
    ]


def test_a_step_that_fails_for_good_keeps_its_status(tmp_path: Path) -> None:
    assert supervised(tmp_path, [step(1, say("", 7))], more={"retries": 1})[0] == 7


def test_a_very_long_line_and_bytes_that_are_no_text_arrive_whole(tmp_path: Path) -> None:
    program = r"import sys; sys.stdout.buffer.write(b'\xff' * 3_000_000 + b'\r\nlast')"
    assert supervised_bytes(tmp_path, program) == b"[0] " + b"\xff" * 3_000_000 + b"\n[0] last\n"


def supervised_bytes(folder: Path, program: str) -> bytes:
    logs = Logs(str(folder), TWO, io.BytesIO())
    assert supervise.run_step(step(1, [sys.executable, "-c", program]), logs) == 0
    return (folder / "learner-1" / "training-log.txt").read_bytes()


def test_a_command_reads_nothing_from_the_terminal(tmp_path: Path) -> None:
    assert supervised_bytes(tmp_path, "import sys; print(repr(sys.stdin.read()))") == b"[0] ''\n"


def test_errors_and_output_are_one_log_in_their_order(tmp_path: Path) -> None:
    program = "import os; os.write(1, b'a\\n'); os.write(2, b'b\\n'); os.write(1, b'c\\n')"
    assert supervised_bytes(tmp_path, program) == b"[0] a\n[0] b\n[0] c\n"
