"""Inside learner 1: run the steps one after another, keep every learner's log, record each step's own status.

It lives in the container, so a run goes on when the operator's terminal is gone. It is a few files and needs
nothing but Python 3.5: the image is the user's choice, and an old one shall do.

Files that it leaves below `logs`: `learner-<n>/training-log.txt`, `output.log` and `status.json`.
"""

import json
import os
import select
import shlex
import signal
import subprocess
import sys
import time
from typing import Any, Dict, Iterator, List, Optional, Tuple

from .learners import Beats, wait_for_learners
from .logs import LONG, Logs, where_to_cut
from .process_limit import limit_met
from .reserve import Reserve

NOT_STARTED = 75  # EX_TEMPFAIL of sysexits.h: the learners did not answer in time
LOST = 76
STOPPED = 128 + signal.SIGTERM
UNSYNCHRONISED = 86  # ddl's own
_LOOK_SECONDS = 0.25
_UNSYNCHRONISED_SECONDS = 15
"""So long a program that has said that its ranks diverged may take to end by itself."""


class Watch:
    """What may end a step before its own end. `reason` says which, once `asked` has been true."""

    def __init__(self, plan: Dict[str, Any], logs: Logs, beats: Beats) -> None:
        self._plan, self._logs, self._beats = plan, logs, beats
        self._run_began = self._agent_at = time.monotonic()
        self._agent_beat = ""
        self.stop, self.attempts = False, 1
        self.lost = []  # type: List[str]
        self.begin({})

    def begin(self, step: Dict[str, Any]) -> None:
        """A step begins now."""
        self._step, self._began, self.reason, self.limit = step, time.monotonic(), "", 0
        self._logs.begin(step.get("each") == "learner")
        self._unsynchronised_at = None  # type: Optional[float]

    @property
    def missing_ranks(self) -> List[int]:
        """Ranks (or the learners' processes, from 0) of a parallel step that have not started."""
        return sorted(self._logs.expected - self._logs.started) if self._step.get("parallel") else []

    def asked(self) -> bool:
        """Whether the step must end now."""
        now = time.monotonic()
        self.look_for_lost()
        checks = (
            ("stopped", 0, self.stop),
            ("host lost", 0, bool(self.lost)),
            ("agent gone", 0, self._agent_gone(now)),
            ("start deadline", self._plan["start_deadline"], self._late(now)),
            ("ranks diverged", 0, self._goes_on_unsynchronised(now)),
            ("time limit", self._step.get("timeout"), self._over(now - self._began, self._step.get("timeout"))),
            ("time limit", self._plan.get("limit"), self._over(now - self._run_began, self._plan.get("limit"))),
            ("no progress", self._plan.get("quiet"), self._over(now - self._logs.last_line, self._plan.get("quiet"))),
        )
        for reason, limit, true in checks:
            if true:
                self.reason, self.limit = reason, limit or 0
                return True
        return False

    def look_for_lost(self) -> None:
        """Is a learner lost? Followers see it at once: ending what the others do may take a while."""
        if not self.lost:
            self.lost = self._beats.lost()
            for name in self.lost:
                host = next((one.get("host") for one in self._plan["learners"] if one["hostname"] == name), "")
                where = "%s on %s" % (name, host) if host else name
                self._logs.say("%s is lost: no answer for %d s" % (where, self._plan["lost"]))

    def _agent_gone(self, now: float) -> bool:
        """Whether the host's agent is no more: then nobody stores what is written, and nobody would end the run."""
        try:
            with open(os.path.join(self._plan["control"], "heartbeat")) as file:
                beat = file.read()
        except OSError:
            return False
        if beat != self._agent_beat:
            self._agent_beat, self._agent_at = beat, now
        return self._over(now - self._agent_at, self._plan["lost"])

    def _goes_on_unsynchronised(self, now: float) -> bool:
        if self._logs.unsynchronised is None:
            return False
        if self._unsynchronised_at is None:
            self._unsynchronised_at = now
        return now - self._unsynchronised_at > _UNSYNCHRONISED_SECONDS

    def _late(self, now: float) -> bool:
        return bool(self.missing_ranks) and now - self._began > self._plan["start_deadline"]

    @staticmethod
    def _over(seconds: float, limit: Optional[float]) -> bool:
        return bool(limit) and seconds > (limit or 0)


def lines_of(process: Any, watch: Watch, grace: float) -> Iterator[List[Tuple[bytes, bool]]]:
    """The lines of a process's output as they come: each with true; of a long one its parts, with false until the last.

    It goes on until the process has ended and is silent: what it left running holds the pipe open.

    Where `watch` asks for it, the process is ended, and killed after `grace` seconds.
    """
    descriptor, rest = process.stdout.fileno(), b""
    kill_at = None  # type: Optional[float]
    while True:
        if select.select([descriptor], [], [], _LOOK_SECONDS)[0]:
            data = os.read(descriptor, 1 << 16)
            if not data:
                break
            *whole, rest = (rest + data).split(b"\n")
            lines = [(line, True) for line in whole]
            if len(rest) > LONG:
                cut = where_to_cut(rest)
                lines.append((rest[:cut], False))
                rest = rest[cut:]
            yield lines
        elif process.poll() is not None:
            break
        if kill_at is None and watch.asked():
            kill_at = time.monotonic() + grace
            os.killpg(process.pid, signal.SIGTERM)
        elif kill_at is not None and time.monotonic() > kill_at:
            os.killpg(process.pid, signal.SIGKILL)
            break
    if rest:
        yield [(rest, True)]


def run_step(step: Dict[str, Any], logs: Logs, watch: Watch, grace: float = 10) -> int:
    """Run one step to its end; its exit status, 128 + the signal's number where a signal ended it."""
    watch.begin(step)
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
        logs.flush()
        return 127
    for lines in lines_of(process, watch, grace):
        for text, ended in lines:
            if step["parallel"]:
                logs.tagged(text, ended)
            else:
                logs.add(0, "", text, ended)
        logs.flush()
    logs.finish()
    status = int(process.wait())
    return status if status >= 0 else 128 - status


def run_with_retries(step: Dict[str, Any], logs: Logs, watch: Watch, retries: int, grace: float) -> int:
    """Run one step, up to `retries` times again where it fails by itself."""
    for attempt in range(retries + 1):
        watch.attempts = attempt + 1
        status = run_step(step, logs, watch, grace)
        if (status == 0 and not logs.unsynchronised) or watch.asked() or attempt == retries:
            break
        logs.say("command %d ended with %d; attempt %d of %d" % (step["number"], status, attempt + 2, retries + 1))
    return status


class Status:
    """`status.json` in a folder: what is known of each step."""

    def __init__(self, folder: str) -> None:
        self._file = os.path.join(folder, "status.json")
        self._reserve = Reserve(os.path.join(folder, ".reserve.status"))

    def save(self, record: Dict[str, Any]) -> None:
        """Replace the file in one move, so that a reader never sees half of it; a full disk has room kept for that."""
        try:
            self._write(record)
        except OSError:
            if not self._reserve.release():
                raise
            self._write(record)

    def _write(self, record: Dict[str, Any]) -> None:
        with open(self._file + ".new", "w") as file:
            json.dump(record, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.rename(self._file + ".new", self._file)


def doubt(beats: Beats, watch: Watch) -> None:
    """After a failure: was it a host that is going? Wait until each learner has answered since, or is lost."""
    failed = time.monotonic()
    while beats.silent_since(failed) and not watch.lost and not watch.stop:
        time.sleep(_LOOK_SECONDS)
        watch.look_for_lost()


def main(plan_file: str) -> int:
    """Run the plan; stops at the first step that fails and returns its status."""
    with open(plan_file) as file:
        plan = json.load(file)
    logs = Logs(plan["logs"], plan["learners"], plan["open_mpi"])
    status = Status(plan["logs"])
    record = {"silent_learners": [], "lost_learners": [], "steps": []}  # type: Dict[str, Any]
    record["start_deadline"], record["lost_seconds"] = plan["start_deadline"], plan["lost"]
    beats = Beats(plan["learners"], plan["port"], plan["agent"], plan["lost"])
    try:
        while not os.path.exists(os.path.join(plan["control"], "go")):
            time.sleep(0.05)  # the agent's word; where it does not come, the agent removes this container
        record["silent_learners"] = wait_for_learners(plan["learners"], plan["port"], plan["start_deadline"])
        status.save(record)
        if record["silent_learners"]:
            return NOT_STARTED
        beats.begin()
        watch = Watch(plan, logs, beats)

        def on_stop(_number: int, _frame: Any) -> None:
            watch.stop = True

        signal.signal(signal.SIGTERM, on_stop)
        return run_steps(plan, logs, beats, watch, record, status)
    finally:
        beats.end()


def run_steps(
    plan: Dict[str, Any], logs: Logs, beats: Beats, watch: Watch, record: Dict[str, Any], status: Status
) -> int:
    """Each step to its end, its status saved at once."""
    for step in plan["steps"]:
        if watch.stop:
            return STOPPED
        entry = {"number": step["number"], "command": step["command"], "started": time.time()}
        entry.update(argv=step["argv"], folder=step.get("folder", ""))
        record["steps"].append(entry)
        status.save(record)
        logs.say("command %d of %d: %s" % (step["number"], len(plan["steps"]), step["command"]))
        if step["parallel"]:
            logs.say(" ".join(shlex.quote(word) for word in step["argv"]))
        code = run_with_retries(step, logs, watch, plan.get("retries", 0), plan.get("grace", 10))
        failed = code != 0 or watch.reason or logs.unsynchronised
        if failed or plan["open_mpi"] >= 5:  # 5.0 was seen to lose a host and exit with 0
            doubt(beats, watch)
        entry.update(exit_status=code, ended=time.time(), why=watch.reason, limit=watch.limit, attempts=watch.attempts)
        entry["missing_ranks"] = watch.missing_ranks
        entry["unsynchronised"] = logs.unsynchronised
        record["lost_learners"] = watch.lost
        record["processes_met"] = limit_met() if failed else 0
        status.save(record)
        if watch.lost:
            return LOST
        if watch.reason:
            return STOPPED
        if code != 0 or logs.unsynchronised:
            return code or UNSYNCHRONISED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
