"""Validates an image: programs run inside it, its files are read from outside, and all findings are kept.

Programs are passed on standard input, so neither the image nor the engine's machine needs a file of ours; the container
has no network, no capabilities, and can write only to its own /tmp.
"""

from __future__ import annotations

import json
import secrets
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.catalogue.model import LEARNER_UID
from toolkit.containers.engine import LOCAL
from toolkit.image.store import ImageStore
from toolkit.process import Result
from toolkit.progress import Progress, Report
from toolkit.runtimes.docker_run import confined
from toolkit.runtimes.specs import RUN_LABEL, Argv
from toolkit.validation import gpu_code
from toolkit.validation.file_checks import judge_files
from toolkit.validation.file_scan import Seen, seen_in
from toolkit.validation.model import Expectation, Finding, Proof

_INSIDE = Path(__file__).parent / "in_container"
_STAGE = "proof"
_RANK_SECONDS = 120
"""Until both ranks of a very short program have answered: Open MPI itself has no deadline."""
_TIMED_OUT, _NOT_STARTED, _FROM_SIGNAL = 124, (126, 127), 128
_FROM_DOCKER = 125
_LINES_OF_EVIDENCE = 12


@dataclass(frozen=True)
class Check:
    """One program to run in the image: `name` for its finding, its file, its arguments, its deadline in seconds.

    `answer` are the required keys of the object that it prints: a framework may print objects of its own.
    """

    name: str
    program: str
    arguments: tuple[str, ...]
    seconds: int
    answer: str = "said"


def prove(image: str, expectation: Expectation, report: Report, store: ImageStore | None = None) -> Proof:
    """Check `image`, a name or an ID, in every way that `expectation` requires.

    Raises `ToolkitError` if it could not be checked: S100 no engine, S103 no such image or no way to read it.
    """
    store = store or ImageStore()
    settings = store.get(image).config.settings
    findings = list(skipped(expectation))
    for check in checks(expectation):
        report(Progress(_STAGE, check.name))
        findings += carry_out(check, image, expectation)
    report(Progress(_STAGE, "reading every file"))
    with store.exported(image) as tar:
        findings += judge_files(_with_progress(seen_in(tar), report), settings)
    return Proof(image, tuple(findings))


def checks(expectation: Expectation) -> Iterator[Check]:
    """The programs to run in the image. Pure, except for the programs' own texts."""
    if not expectation.framework:
        return
    asked = {
        "framework": expectation.framework,
        "version": expectation.version,
        "python": expectation.python,
        "has_mpi4py": expectation.has_mpi4py,
        "rank_program": _text("rank.py"),
        "seconds": _RANK_SECONDS,
    }
    said = json.dumps(asked, sort_keys=True)
    yield Check("framework", "prove.py", ("framework", said), 300)
    yield Check("ranks", "prove.py", ("ranks", said), _RANK_SECONDS + 30)
    if expectation.has_ddl:
        yield Check("ddl", "prove.py", ("ddl", said), _RANK_SECONDS + 30)
    if expectation.has_ops:
        yield Check("ddl ops", "prove.py", ("ops", said), _RANK_SECONDS + 30)
    if expectation.architectures:
        yield Check(gpu_code.CHECK, "fatbin.py", ("/",), 300, "libraries")


def skipped(expectation: Expectation) -> Iterator[Finding]:
    """The checks that the recipe does not need, and why."""
    if not expectation.framework:
        for name in ("framework", "ranks", "ddl", "ddl ops", gpu_code.CHECK):
            yield Finding(name, "skipped", "a tool image has no framework")
        return
    if not expectation.has_ddl:
        yield Finding("ddl", "skipped", "the recipe has no ddl")
    if not expectation.has_ops:
        yield Finding("ddl ops", "skipped", "the recipe has no native library")
    if not expectation.architectures:
        yield Finding(gpu_code.CHECK, "skipped", "the recipe names no GPU: its image is for the CPU")


def run_inside(image: str, name: str, arguments: tuple[str, ...], library_path: str = "") -> Argv:
    """The container `name`, in which `image`'s Python runs the program on its standard input as the learners' user."""
    return [
        *("docker", "run", "--rm", "--interactive", "--init", "--pull", "never"),
        *("--name", name, "--label", f"{RUN_LABEL}={name}", "--user", f"{LEARNER_UID}:{LEARNER_UID}"),
        *("--network", "none", *confined()),
        # Open MPI keeps its session and the ranks' shared memory there.
        *("--read-only", "--tmpfs", "/tmp:mode=1777,size=1g", "--shm-size", "1g"),
        # Validation must give the same result on every machine: one with a GPU must not see it.
        *("--env", "HOME=/tmp", "--env", "CUDA_VISIBLE_DEVICES=", "--workdir", "/tmp"),
        *(("--env", f"LD_LIBRARY_PATH={library_path}") if library_path else ()),
        *("--entrypoint", "python", image, "-", *arguments),
    ]


def read_reply(check: Check, result: Result) -> dict[str, Any] | str:
    """The program's reply, or why there is none. Pure."""
    status = result.status
    if status == _TIMED_OUT:
        return _with_evidence(f"no answer in {check.seconds} s", result)
    if status in _NOT_STARTED:
        return _with_evidence("the image's `python` could not be started", result)
    if status > _FROM_SIGNAL:
        return _with_evidence(f"Python was ended by {_signal_name(status - _FROM_SIGNAL)}", result)
    for line in reversed(result.output.splitlines()):
        if line.startswith("{"):
            try:
                reply = json.loads(line)
            except ValueError:
                continue
            if isinstance(reply, dict) and check.answer in reply:
                return reply
    return _with_evidence(f"Python ended with status {status} (no output)", result)


def finding_of(check: Check, reply: dict[str, Any] | str, expectation: Expectation) -> tuple[Finding, ...]:
    """The reply as findings. Pure."""
    if isinstance(reply, str):
        return (Finding(check.name, "fail", reply),)
    if check.name == gpu_code.CHECK:
        return gpu_code.judge(gpu_code.libraries_of(reply), expectation)
    return (Finding(check.name, "ok" if reply.get("ok") is True else "fail", str(reply["said"])),)


def carry_out(check: Check, image: str, expectation: Expectation) -> tuple[Finding, ...]:
    """Run one check in the image; its container is removed afterwards in any case.

    Raises `ToolkitError` (S100) if the engine did not start it.
    """
    name = f"toolkit-proof-{secrets.token_hex(6)}"
    program = _text(check.program).encode()
    try:
        argv = run_inside(image, name, check.arguments, expectation.library_path)
        result = LOCAL.run(argv, data=program, check=False, timeout=check.seconds)
    finally:
        # A client that was killed leaves its container running.
        LOCAL.remove("container", name)
    if result.status == _FROM_DOCKER:
        raise LOCAL.failed(result)
    return finding_of(check, read_reply(check, result), expectation)


def _with_progress(files: Iterator[Seen], report: Report) -> Iterator[Seen]:
    done = 0
    for count, file in enumerate(files, 1):
        done += file.size
        if count % 1000 == 0:
            report(Progress(_STAGE, "reading every file", done, 0, "bytes"))
        yield file


def _text(name: str) -> str:
    return (_INSIDE / name).read_text("ascii")


def _with_evidence(what: str, result: Result) -> str:
    lines = [line for line in (result.output + "\n" + result.errors).splitlines() if line.strip()]
    return "\n".join([what, *lines[-_LINES_OF_EVIDENCE:]])


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
