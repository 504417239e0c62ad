"""One run of a soak: launched, disturbed, ended, and judged by what is in the bucket."""

from __future__ import annotations

import json
import random
import re
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..faults.program import closed, stored
from ..faults.shell import Shell, record_of, wait_for_end
from ..faults.store import S3Server
from ..real.bench import Bench
from . import fault as faulty
from .fault import Fault
from .shape import Shape

_END_SECONDS = 300
_NOTICED_SECONDS = 25
"""Longer than the cluster file's `lost` and `store`: by then the other hosts have judged."""
REFUSED = "REFUSED"


@dataclass(frozen=True)
class Ground:
    """Where runs of a soak run: a lab's hosts without the steady run's, the cluster file of those, a store."""

    bench: Bench
    cluster: Path
    hosts: list[str]
    server: S3Server


@dataclass(frozen=True)
class Outcome:
    """How a run ended. `wrong` says what is not as it must be, with what was on the screen; empty where all is well."""

    run: str
    shape: Shape
    fault: Fault | None
    state: str
    reason: str
    wrong: str = ""


class Attempt:
    """A run of `shape`, to which `fault` is done at a moment that `chance` chooses."""

    def __init__(self, ground: Ground, folder: Path, shape: Shape, fault: Fault | None, chance: random.Random) -> None:
        self._ground, self._folder, self._shape, self._fault = ground, folder, shape, fault
        self._chance = chance
        self._host = chance.choice(ground.hosts[: shape.nodes])

    def run(self) -> Outcome:
        """Launch, disturb, wait for the end, undo what was done, judge."""
        bench, ground = self._ground.bench, self._ground
        manifest = ground.server.manifest(self._shape.manifest(bench, self._folder))
        detached = ("--detach",) if self._shape.way == "detached" else ()
        shell = Shell(bench, "launch", manifest, "--cluster", ground.cluster, *detached)
        self._disturb(shell)
        if self._fault and (detached or self._shape.nodes == 1):
            # Of a run on one host nobody else can tell the end: its follower waits until the host answers again.
            time.sleep(_NOTICED_SECONDS)
            if self._shape.nodes == 1:
                faulty.undo(self._host)
        status = shell.end(_END_SECONDS)
        run = _run_of(shell)
        for host in ground.hosts:
            faulty.undo(host)  # a host that no one reaches may go on with its run: nothing else could tell its end
        if "toolkit clean --cluster" in shell.said:  # its host did not answer when the launch cleaned up
            bench.ok("clean", "--cluster", ground.cluster)
        record = wait_for_end(bench, run, _END_SECONDS) if (bench.home / "runs" / f"{run}.json").exists() else None
        if record is None:
            return self._refused(run, status, shell.said)
        if record["kept"]:
            bench.run("rescue", run, timeout=_END_SECONDS)
            record = record_of(bench, run)
        wrong = self._wrong(record)
        said = f"{wrong}\n{shell.said[-3000:]}\n{record}" if wrong else ""
        return Outcome(run, self._shape, self._fault, record["state"], record["reason"], said)

    def _disturb(self, shell: Shell) -> None:
        """The fault, at any time of the run; or what the shape has in mind, once the commands run."""
        if self._fault:
            time.sleep(self._chance.uniform(0, self._shape.seconds))
            self._fault.do(self._host, _run_of(shell) or "none")
        elif self._shape.way in ("stopped", "launcher killed"):
            shell.until("command 1 of 1")
            time.sleep(self._chance.uniform(0, 3))
            shell.kill() if self._shape.way == "launcher killed" else self._ground.bench.run("stop", shell.run)

    def _refused(self, run: str, status: int, said: str) -> Outcome:
        """The launch ended before there was a run: right where a fault had made the host useless, and says so."""
        expected = bool(self._fault) and status == 3 and "Traceback" not in said and self._host in said
        return Outcome(run, self._shape, self._fault, REFUSED, "", "" if expected else f"status {status}\n{said}")

    def _wrong(self, record: dict[str, Any]) -> str:
        """What is not as it must be; empty where all is well."""
        if wrong := wrong_bytes(self._ground, self._shape, record):
            return wrong
        if record["state"] == "COMPLETED":
            return ""
        if record["state"] == "HALTED":
            return "" if self._shape.way == "stopped" and not self._fault else "halted, though nobody stopped it"
        if not self._fault or not self._fault.reason:
            return "not COMPLETED, though nothing was done to it that it must not survive"
        pattern = self._fault.reason.format(host=re.escape(self._host))
        return "" if re.search(pattern, record["reason"]) else f"the reason does not have {pattern!r}"


def follow_up(ground: Ground, outcome: Outcome, folder: Path) -> Outcome:
    """A COMPLETED run is collected, any other one resumed: the outcome, with what went wrong."""
    wrong = ""
    if outcome.state == "COMPLETED":
        done = ground.bench.run("collect", outcome.run, "--to", folder, "--what", "all", timeout=_END_SECONDS)
        files = list((folder / outcome.run / "model").glob("part-*"))
        if (done.returncode, len(files)) != (0, outcome.shape.total):
            wrong = f"collect: status {done.returncode}, {len(files)} files\n{done.stderr}"
    elif outcome.state in ("FAILED", "HALTED"):
        done = ground.bench.run("resume", outcome.run, "--json", timeout=_END_SECONDS)
        if done.returncode == 2 and "the run did not start, and left nothing" in done.stderr:
            return outcome
        wrong = done.stderr if done.returncode else wrong_bytes(ground, outcome.shape, json.loads(done.stdout))
    return replace(outcome, wrong=wrong and f"{outcome.run} afterwards: {wrong}")


def wrong_bytes(ground: Ground, shape: Shape, record: dict[str, Any]) -> str:
    """What its bucket lacks of a run: of the files that it said it had closed; and of all, where it is COMPLETED."""
    results = ground.server.results(record["training_id"])
    log = results / "_run" / "output.log"
    files = closed(log.read_text()) if log.exists() else {}
    if lacking := [name for name, digest in files.items() if stored(results, [name]).get(name) != digest]:
        return f"closed, but not in the bucket as they were: {lacking[:5]}"
    whole = record["state"] != "COMPLETED" or len(files) == shape.total
    return "" if whole else f"COMPLETED with {len(files)} files instead of {shape.total}"


def _run_of(shell: Shell) -> str:
    match = re.search(r"training-[a-z0-9]{8}", shell.said)
    return match[0] if match else ""
