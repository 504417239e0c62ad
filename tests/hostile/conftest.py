"""An operator whose bucket anyone can write to: a real S3 server, the real command, and canaries on his machine.

The container engine is a stand-in, a script that has no container: what is shown here happens where a run's agent is
gone, and needs no engine.
"""

from __future__ import annotations

import io
import os
import re
import signal
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from toolkit.agent.signed import signed
from toolkit.cli.main import main
from toolkit.run.plan.training_id import parse_training_id
from toolkit.run.records.record import Record, State
from toolkit.run.records.record_store import Records, new_run_key

from ..faults.store import BUCKETS, S3Server
from ..real.bench import MANIFEST

RUN = "training-abcd2345"
DOCKER = """#!/bin/sh
echo "$@" >> "$0.called"
case "$1 $2" in
  "container inspect") echo "Error: No such container: $5" >&2; exit 1 ;;
  "run --rm") echo '{"signatures": {"serving_default": {}}, "said": []}' ;;
  "volume ls" | "container ls" | "network ls") ;;
  *) exit 0 ;;
esac
"""


@dataclass(frozen=True)
class Done:
    """What a command left."""

    returncode: int
    stdout: str
    stderr: str

    @property
    def said(self) -> str:
        return self.stdout + self.stderr


class Operator:
    """His home, his folder, his canaries; `toolkit` runs as his command."""

    def __init__(self, folder: Path, store: S3Server) -> None:
        self.store, self.home, self.work = store, folder / "home", folder / "work"
        self.victim = folder / "victim"
        for one in (self.work, self.victim / "important", folder / "bin"):
            one.mkdir(parents=True)
        (self.victim / "settings.json").write_text('{"precious": true}')
        (self.victim / "important" / "thesis.txt").write_text("CANARY years of work")
        docker = folder / "bin" / "docker"
        docker.write_text(DOCKER)
        docker.chmod(0o755)
        self.manifest = self.work / "manifest.yml"
        self.manifest.write_text(MANIFEST.read_text())
        store.manifest(self.manifest)
        (self.work / "train.py").write_text("print(1)\n")
        self.record = Record(
            *(RUN, "digits", State.QUEUED, "tensorflow:1", "sha256:abc", "local", 2, 2, True, store.url),
            *(BUCKETS[1], BUCKETS[0], str(self.manifest), str(self.work)),
        ).at(State.PROCESSING, 1_764_100_000.0)
        Records(self.home).save(self.record)
        self.run_key = new_run_key(self.home, parse_training_id(RUN))
        self.bin = folder / "bin"

    def toolkit(self, *words: str, colours: bool = False) -> Done:
        """One command, in this process: it raises what would be a traceback. Nothing that a terminal obeys comes out
        of it; with `colours`, but for those."""
        out, errors = io.StringIO(), io.StringIO()
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.work)
            patch.setenv("TOOLKIT_HOME", str(self.home))
            patch.setenv("PATH", f"{self.bin}:{os.environ['PATH']}")
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", errors)
            try:
                status = main(list(words))
            except SystemExit as end:
                status = int(str(end.code))
            finally:
                for number, handler in handlers.items():
                    signal.signal(number, handler)
        done = Done(status, out.getvalue(), errors.getvalue())
        said = re.sub("\x1b\\[[0-9;]*m", "", done.said) if colours else done.said
        assert not {character for character in said if ord(character) < 32} - {"\n", "\t"}, said
        assert not set("\x7f\x9b\u202e\u200b") & set(said), said
        return done

    @property
    def known(self) -> Record:
        """The record in his home."""
        return Records(self.home).find(RUN)

    def put(self, key: str, content: bytes | str) -> None:
        """Whoever can write to the bucket writes."""
        file = self.store.folder / BUCKETS[1] / key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())

    def put_end(self, key: str = "", **facts: Any) -> None:
        """The end of the run, as its agent writes it, but for `facts`; authenticated with `key`, or the run's."""
        end = replace(self.record, end="completed", reason="all is well", stored_files=1)
        body = asdict(end.at(State.COMPLETED, 1_764_100_060.0)) | facts
        self.put(f"_toolkit/{RUN}/record.json", signed(body, key or self.run_key, "record.json"))

    def canaries(self) -> dict[str, str]:
        """Everything on his machine that no bucket may touch."""
        files = [*self.victim.rglob("*"), self.manifest, self.work / "train.py"]
        return {str(file): file.read_text() for file in files if file.is_file()}


@pytest.fixture
def operator(tmp_path: Path) -> Iterator[Operator]:
    store = S3Server(tmp_path / "buckets", tmp_path / "keys")
    store.start()
    try:
        found = Operator(tmp_path, store)
        before = found.canaries()
        yield found
        assert found.canaries() == before, "a canary was touched"
    finally:
        store.stop()
