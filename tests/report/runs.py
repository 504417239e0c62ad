"""Runs for tests of the report: values, with everything that a report shows."""

from __future__ import annotations

import math
import random
from dataclasses import replace

from toolkit.agent.host_stages import ClockOffset, HostStage, HostStages
from toolkit.metrics.series import Point, RunMetrics, Series
from toolkit.report.model import LogExcerpt, LogLine, ReportInput, RunInput
from toolkit.run.records.record import Record, State, StepResult

BEGIN = 1_796_053_193.0
_MPIRUN = (
    *("/usr/bin/mpirun", "--noprefix", "--np", "4", "--mca", "pml", "ob1", "--mca", "btl", "self,vader,tcp"),
    *(
        "-x",
        "DATA_DIR",
        "-x",
        "RESULT_DIR",
        "-x",
        "TRAINING_ID",
        "/bin/sh",
        "/run/learner/rank.sh",
        "1",
        "python train.py",
    ),
)


def record(
    training_id: str = "training-abcd2345", hosts: int = 2, ranks_each: int = 2, seconds: float = 1900.0
) -> Record:
    """A completed run on `hosts` hosts."""
    ranks = hosts * ranks_each
    names = tuple(f"p100-{number:02}" for number in range(1, hosts + 1))
    trained = (BEGIN + 62, BEGIN + 62 + seconds)
    steps = (
        StepResult(
            *(1, "python train.py --epochs 40", True, 0, seconds, (0,) * ranks),
            times=tuple((trained[0] + rank * 0.4, trained[1] - rank * 0.3) for rank in range(ranks)),
            started=trained[0],
            ended=trained[1],
            folder="/job/code",
            argv=_MPIRUN,
        ),
        StepResult(
            *(2, "python transform.py", False, 0, 94.0),
            started=trained[1] + 1,
            ended=trained[1] + 95,
            folder="/job/code",
            argv=("/bin/bash", "--norc", "-c", "python transform.py"),
        ),
    )
    states = (("QUEUED", 0.0), ("PENDING", 14.0), ("DOWNLOADING", 17.5), ("PROCESSING", 60.0))
    later = (("STORING", seconds + 158.0), ("COMPLETED", seconds + 181.0))
    return Record(
        *(training_id, "mnist-digits", State.COMPLETED, "tensorflow-ddl-2.19-py3.11-cuda:45e638a9d7c3"),
        *("sha256:e80404aea5dd98934ce68cc96b043d21143463ccf43ea072a8f04c6eff5f1823", "lab-p100", hosts, ranks, False),
        *("https://s3.example.org", "mnist-training-models", "mnist-training-data"),
        *("/home/ada/mnist/manifest.yml", "/home/ada/mnist", " ".join(_MPIRUN)),
        states=tuple((state, BEGIN + at) for state, at in (*states, *later)),
        steps=steps,
        stored_files=31,
        stored_bytes=48_892_653,
        reason="all commands exited with 0; all results verified in the bucket",
        metrics={"ranks": ranks, "loss": 0.142, "accuracy": 0.963889, "digits": 360},
        hosts=names,
        end="completed",
        placement=tuple(
            (number + 1, name, tuple(range(number * ranks_each, (number + 1) * ranks_each)))
            for number, name in enumerate(names)
        ),
        compute="p100x2",
        code_digest="c26c0fda3d561f77b2d6aab134f146e42e34fe060b66f708af0d51e1b5ce66e5",
        checksums="db83470a7159554836bbf1839dec578c8579e99187951e04a9bb9cf35a626192",
    )


def staged(run: Record, ahead: float = 0.0) -> Record:
    """The same run with the stages of its hosts; the last host's clock is `ahead`, and its image was sent for long."""
    begin, marks = run.states[0][1], dict(run.states)
    began, stored, ended = marks["PROCESSING"], marks["STORING"], run.states[-1][1]
    found = []
    for number, host in enumerate(run.hosts or ("",)):
        last = number == max(1, len(run.hosts)) - 1
        early, move = number % 7 * 0.3, ahead if last else 0.0
        operator = (
            HostStage("check", begin, begin + 0.8 + early / 4),
            HostStage("lease", begin + 1.4, begin + 1.9),
            HostStage("image", begin + 1.9, begin + (13 if last else 2.3 + early), "" if last else "already there"),
            HostStage("agent", begin + 17.5, begin + 20 + early),
            HostStage("files", begin + 22, begin + 24 + early),
            HostStage("mounts", begin + 22, begin + 45 - early * 4),
            HostStage("learners", begin + 24 + early, begin + 33 + early),
        )
        own = (
            HostStage("processing", began + move, stored + move),
            HostStage("uploading", stored + move, ended - 9 + early + move),
            HostStage("verifying", ended - 9 + early + move, ended - 5 + early + move),
        )
        own += (HostStage("collecting", ended - 5, ended - 1),) if not number else ()
        found.append(HostStages(host, operator, own, ClockOffset(move, 0.03)))
    return replace(run, host_stages=tuple(found))


def failed(run: Record) -> Record:
    """The same run, ended by a lack of memory."""
    first = replace(run.steps[0], exit_status=137, ranks=(0, 137, 0, 0)[: run.ranks])
    return replace(
        run,
        state=State.FAILED,
        states=(*run.states[:-1], ("FAILED", run.states[-1][1])),
        steps=(first,),
        error_code="C202",
        end="out-of-memory",
        reason="command 1: rank 1 on p100-01 was killed: the learner reached its memory limit of 24 GB",
        evidence="[1] epoch 12/40  loss 0.7427\n[1] W allocation of 2147483648 exceeds 10% of memory\n[1] Killed",
        hint="raise the memory limit in the manifest, or use less memory",
        metrics={},
        stored_files=4,
    )


def metrics(run: Record, seed: int = 1, slow: int | None = None, points: int = 300) -> RunMetrics:
    """Loss, accuracy and step times of each rank, and the load of each host; rank `slow` takes longer per step."""
    chance = random.Random(seed)  # noqa: S311
    begin, seconds = run.steps[0].started or BEGIN, run.steps[0].seconds
    at = [begin + seconds * (number + 1) / points for number in range(points)]
    ranks: list[Series] = []
    for rank in range(run.ranks):
        loss = [
            2.3 * math.exp(-4 * n / points) + 0.05 + chance.gauss(0, 0.025) * math.exp(-n / points)
            for n in range(points)
        ]
        accuracy = [1 - 0.9 * math.exp(-5 * n / points) + chance.gauss(0, 0.006) for n in range(points)]
        longer = 1.24 if rank == slow else 1.0
        times = [longer * (0.21 + abs(chance.gauss(0, 0.006)) + (0.2 if chance.random() < 0.01 else 0)) for _ in at]
        for name, unit, values in (("loss", "", loss), ("accuracy", "", accuracy), ("step_time", "seconds", times)):
            found = tuple(
                Point(moment, value, 30 * (n + 1)) for n, (moment, value) in enumerate(zip(at, values, strict=True))
            )
            ranks.append(Series(name, f"rank {rank}", unit, found))
    return RunMetrics(tuple(ranks), tuple(_host_series(run, chance, points)))


def _host_series(run: Record, chance: random.Random, points: int) -> list[Series]:
    begin, end = run.states[0][1], run.states[-1][1]
    at = [begin + (end - begin) * n / points for n in range(points + 1)]
    found: list[Series] = []
    for host in run.hosts:
        busy = [0.03 < n / points < 0.93 for n in range(points + 1)]
        cpu = [chance.gauss(58, 5) if on else abs(chance.gauss(3, 2)) for on in busy]
        memory = [min(41.0, 4 + n / 3) * 1e9 + chance.random() * 2e8 for n in range(points + 1)]
        network = [chance.gauss(210e6, 3e7) if on else 2e5 for on in busy]
        series = [("cpu", "percent", cpu), ("memory", "bytes", memory), ("network.sent", "bytes/s", network)]
        for gpu in range(2):
            load = [min(100, chance.gauss(93, 4)) if on else 0.0 for on in busy]
            held = [15.2e9 + chance.random() * 1e8 if on else 4e8 for on in busy]
            series += [(f"gpu{gpu}.utilisation", "percent", load), (f"gpu{gpu}.memory", "bytes", held)]
        found += [
            Series(name, host, unit, tuple(Point(moment, value) for moment, value in zip(at, values, strict=True)))
            for name, unit, values in series
        ]
    return found


def log(run: Record, epochs: int = 40) -> LogExcerpt:
    """Keras's lines of each rank."""
    begin, seconds = run.steps[0].started or BEGIN, run.steps[0].seconds
    lines = [LogLine(begin, "toolkit", "command 1 of 2: python train.py --epochs 40")]
    lines += [
        LogLine(begin + 1, str(rank), f"ddl: rank {rank} of {run.ranks}, -mode p:2x2") for rank in range(run.ranks)
    ]
    for epoch in range(1, epochs + 1):
        for rank in range(run.ranks):
            loss = 2.3 * math.exp(-4 * epoch / epochs) + 0.05 + rank / 500
            text = f"epoch {epoch}/{epochs}  loss {loss:.4f}  accuracy {1 - loss / 3:.3f}"
            lines.append(LogLine(begin + seconds * epoch / epochs, str(rank), text))
    return LogExcerpt(tuple(lines), 1284)


def one_run(*, slow: int | None = 3) -> ReportInput:
    """A report of one run on two hosts, one rank of which is slower."""
    run = staged(record())
    return ReportInput((RunInput(run, metrics(run, slow=slow), log(run)),), BEGIN + 3000, "0.1.0")


def many_hosts(hosts: int = 64) -> ReportInput:
    """A report of a run on many hosts, with eight ranks on each."""
    run = staged(record(hosts=hosts, ranks_each=8), ahead=90.0)
    return ReportInput((RunInput(run),), BEGIN + 3000, "0.1.0")


def two_runs() -> ReportInput:
    """A report of two runs that differ in their code and their outcome."""
    old, new = record(), failed(replace(record("training-wxyz6789", seconds=1300.0), code_digest="9f" * 32))
    new = replace(new, image=new.image.replace("2.19", "2.21"))
    return ReportInput(
        (RunInput(old, metrics(old), log(old)), RunInput(new, metrics(new, 2), log(new, 12))), BEGIN + 3000, "0.1.0"
    )
