"""Inside learner 1: run the steps one after another, keep every learner's log, record each step's own status.

It lives in the container, so a run goes on when the operator's terminal is gone. It is one file and needs
nothing but Python 3.5: the image is the user's choice, and an old one shall do.

Files that it leaves below `logs`: `learner-<n>/training-log.txt` and `status.json`. What it prints is the same
lines, each with its rank in front.
"""

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from typing import Any, BinaryIO, Dict, Iterator, List, Optional, Tuple

# What mpirun puts in front of each piece of a rank's output: Open MPI 4.1 `[1,0]<stdout>:`, 5.0 a space behind it.
TAGS = {
    4: re.compile(rb"\[\d+,(\d+)\]<(stdout|stderr|stddiag)>:"),
    5: re.compile(rb"\[\d+,(\d+)\]<(stdout|stderr|stddiag)>: ?"),
}
TIMED_OUT = 124  # as timeout(1) has it
STOP_SECONDS = 10.0  # between asking a command to end and killing it
NOT_STARTED = 75  # EX_TEMPFAIL of sysexits.h: the learners did not answer in time

Piece = Tuple[Optional[int], str, bytes]


def split_tagged(line: bytes, open_mpi: int = 4) -> List[Piece]:
    """One line of mpirun's output as (rank, stream, text) pieces; rank None is mpirun's own word.

    Several ranks may share a line where one of them wrote without a line end; only the last piece ends one.
    """
    pieces = []  # type: List[Piece]
    position, rank, stream = 0, None, ""  # type: int, Optional[int], str
    for match in TAGS[open_mpi].finditer(line):
        if match.start() > position:
            pieces.append((rank, stream, line[position : match.start()]))
        rank, stream, position = int(match.group(1)), match.group(2).decode(), match.end()
    pieces.append((rank, stream, line[position:]))
    return pieces


class Logs:
    """Each learner's log file, and the same lines on this process's output."""

    def __init__(self, folder: str, learners: List[Dict[str, Any]], screen: BinaryIO, open_mpi: int = 4) -> None:
        self._screen, self._open_mpi = screen, open_mpi
        self._learner_of = {rank: learner["number"] for learner in learners for rank in learner["ranks"]}
        self._files = {}  # type: Dict[int, BinaryIO]
        self._open = {}  # type: Dict[Tuple[Optional[int], str], bytes]
        for learner in learners:
            place = os.path.join(folder, "learner-%d" % learner["number"])
            os.makedirs(place, exist_ok=True)
            self._files[learner["number"]] = open(os.path.join(place, "training-log.txt"), "ab", buffering=0)

    def line(self, rank: Optional[int], text: bytes) -> None:
        """Write one whole line of a rank; what mpirun itself says goes to learner 1's log."""
        prefix = b"[mpirun] " if rank is None else b"[%d] " % rank
        whole = prefix + text + b"\n"
        self._files[self._learner_of.get(rank, 1) if rank is not None else 1].write(whole)
        self._screen.write(whole)
        self._screen.flush()

    def say(self, text: str) -> None:
        """A word of the tool's own, for the screen alone."""
        self._screen.write(("[toolkit] %s\n" % text).encode())
        self._screen.flush()

    def tagged(self, line: bytes) -> None:
        """Take one line of mpirun's output."""
        pieces = split_tagged(line, self._open_mpi)
        for index, (rank, stream, text) in enumerate(pieces):
            key = (rank, stream)
            whole = self._open.pop(key, b"") + text
            if index == len(pieces) - 1:
                self.line(rank, whole)
            else:
                self._open[key] = whole

    def finish(self) -> None:
        """Write what was left without a line end."""
        for (rank, _), text in sorted(self._open.items(), key=lambda item: str(item[0])):
            self.line(rank, text)
        self._open.clear()


def wait_for_learners(learners: List[Dict[str, Any]], port: int, seconds: float) -> List[str]:
    """Wait until sshd answers on every other learner; the names of those that did not in time."""
    deadline = time.time() + seconds
    waiting = [learner["hostname"] for learner in learners if learner["number"] != 1]
    while waiting and time.time() < deadline:
        waiting = [hostname for hostname in waiting if not answers(hostname, port)]
        if waiting:
            time.sleep(0.1)
    return waiting


def answers(hostname: str, port: int) -> bool:
    """Whether a connection to `hostname` is taken and the first bytes are ssh's."""
    try:
        with socket.create_connection((hostname, port), timeout=2) as connection:
            connection.settimeout(2)
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def lines_of(process: Any, deadline: float = float("inf")) -> Iterator[bytes]:
    """Each line of a process's output until it has ended and is silent: what it left running holds the pipe open.

    At `deadline` it is asked to end, and killed some seconds later.
    """
    descriptor, rest, asked = process.stdout.fileno(), b"", False
    while True:
        if time.time() > deadline and process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL if asked else signal.SIGTERM)
            asked, deadline = True, time.time() + STOP_SECONDS
        if select.select([descriptor], [], [], 0.5)[0]:
            data = os.read(descriptor, 1 << 16)
            if not data:
                break
            lines = (rest + data).split(b"\n")
            rest = lines.pop()
            for line in lines:
                yield line
        elif process.poll() is not None:
            break
    if rest:
        yield rest


def run_step(step: Dict[str, Any], logs: Logs, deadline: float = float("inf")) -> int:
    """Run one step to its end; its exit status, 128 + the signal's number where a signal ended it, 124 at `deadline`.

    It is the first of a group of its own, so that a deadline ends whatever it started.
    """
    try:
        process = subprocess.Popen(
            step["argv"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=step.get("folder"),
            env=dict(os.environ, **step.get("environment", {})),
            start_new_session=True,
        )
    except OSError as error:
        logs.line(None, ("%s: %s" % (error.filename or step["argv"][0], error.strerror)).encode())
        return 127
    assert process.stdout is not None
    for raw in lines_of(process, deadline):
        line = raw.rstrip(b"\r")
        if step["parallel"]:
            logs.tagged(line)
        else:
            logs.line(0, line)
    logs.finish()
    status = process.wait()
    if time.time() > deadline:
        return TIMED_OUT
    return status if status >= 0 else 128 - status


def run_with_retries(step: Dict[str, Any], logs: Logs, retries: int, limit: float) -> int:
    """Run one step, up to `retries` times again where it fails by itself; at `limit` the whole run must be over."""
    timeout = step.get("timeout") or float("inf")
    for attempt in range(retries + 1):
        deadline = min(time.time() + timeout, limit)
        status = run_step(step, logs, deadline)
        if status == TIMED_OUT and time.time() > deadline:
            what = "the run's time limit is over" if deadline == limit else "its %d s are over" % timeout
            logs.say("command %d was stopped: %s" % (step["number"], what))
            return status
        if status == 0 or attempt == retries:
            return status
        logs.say("command %d ended with %d; attempt %d of %d" % (step["number"], status, attempt + 2, retries + 1))
    return status


def save(path: str, record: Dict[str, Any]) -> None:
    """Replace the status file in one move, so that a reader never sees half of it."""
    with open(path + ".new", "w") as file:
        json.dump(record, file, indent=1)
    os.rename(path + ".new", path)


def main(plan_file: str) -> int:
    """Run the plan; stops at the first step that fails and returns its status."""
    with open(plan_file) as file:
        plan = json.load(file)
    logs = Logs(plan["logs"], plan["learners"], sys.stdout.buffer, plan["open_mpi"])
    record = {"silent_learners": [], "steps": []}  # type: Dict[str, Any]
    status_file = os.path.join(plan["logs"], "status.json")
    record["silent_learners"] = wait_for_learners(plan["learners"], plan["port"], plan["start_deadline"])
    save(status_file, record)
    if record["silent_learners"]:
        return NOT_STARTED
    limit = time.time() + (plan.get("time_limit") or float("inf"))
    for step in plan["steps"]:
        entry = {"number": step["number"], "command": step["command"], "started": time.time()}
        record["steps"].append(entry)
        save(status_file, record)
        logs.say("command %d of %d: %s" % (step["number"], len(plan["steps"]), step["command"]))
        entry["exit_status"] = run_with_retries(step, logs, plan.get("retries", 0), limit)
        entry["ended"] = time.time()
        save(status_file, record)
        if entry["exit_status"] != 0:
            return int(entry["exit_status"])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
