"""What learners that wait for mpirun run: real scripts in a real shell. sshd and the passing of time are stand-ins."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from toolkit.agent.lifecycle import UNHEARD
from toolkit.cluster.model import Deadlines
from toolkit.cluster.reader import read_cluster
from toolkit.manifest.model import Compute
from toolkit.manifest.reader import read_manifest
from toolkit.paths import assets
from toolkit.run.plan.learner_files import learner_entries
from toolkit.run.plan.make_plan import make_plan
from toolkit.run.plan.run_plan import RunImage
from toolkit.run.plan.ssh_keys import new_key_pair

START, SILENT = 5, 3
"""Seconds until learner 1 must have been heard first, and then again."""


@dataclass
class Follower:
    """Learner 2's scripts in a folder of their own."""

    folder: Path

    def run(self, beats: list[str], sshd: str = "exec /bin/sleep 60") -> tuple[int, int]:
        """Its exit status, and how many seconds it has counted; in each second the next of `beats` arrives."""
        (self.folder / "seconds").touch()
        process = self.start(beats, sshd)
        _, errors = process.communicate(timeout=30)
        assert errors.decode() in ("", f"no heartbeat from learner 1 for {self.seconds_silent} s\n")
        return process.returncode, len((self.folder / "seconds").read_text())

    seconds_silent = SILENT + 1

    def start(self, beats: list[str], sshd: str = "exec /bin/sleep 60") -> subprocess.Popen[bytes]:
        (self.folder / "beats").write_text("".join(f"{beat}\n" for beat in beats))
        # A second: the next beat, if there is one, is written down, as `beat.sh` does.
        self._program(
            "sleep",
            "printf . >> seconds; read -r beat < beats || exit 0; sed -i 1d beats; printf '%s\\n' \"$beat\" > beat.2",
        )
        self._program("sshd", f'[ "$1" != -t ] || exit 0; echo $$ > sshd.pid; {sshd}')
        environment = {**os.environ, "PATH": f"{self.folder}:{os.environ['PATH']}"}
        argv = ["/bin/sh", str(self.folder / "entry.sh")]
        return subprocess.Popen(
            argv, cwd=self.folder, env=environment, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL
        )

    def sshd_ends(self) -> bool:
        """It was asked to, which takes effect in a moment."""
        stat = Path("/proc", (self.folder / "sshd.pid").read_text().strip(), "stat")
        return any(not stat.exists() or stat.read_text().split()[2] == "Z" or time.sleep(0.01) for _ in range(500))

    def _program(self, name: str, text: str) -> None:
        (self.folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (self.folder / name).chmod(0o755)


@pytest.fixture
def follower(tmp_path: Path) -> Follower:
    manifest = replace(read_manifest(assets() / "examples" / "mnist" / "manifest.yml"), compute=Compute("p100", 2))
    cluster = read_cluster(assets() / "clusters" / "local.yml")
    cluster = replace(cluster, deadlines=Deadlines(start=START, stop=1, store=1, lost=SILENT + 3))
    plan = make_plan(manifest, cluster, RunImage("i", "sha256:i", ()), "buckets", "training-abcd2345")
    keys = {number: new_key_pair() for number in (1, 2)}
    for entry in learner_entries(plan, "10.0.0.0/24", new_key_pair(), keys, assets() / "templates"):
        folder, _, name = entry.name.partition("/")
        if folder == "learner-2" and name.endswith(".sh"):
            assert isinstance(entry.content, bytes)
            text = entry.content.decode().replace("/run/logs", str(tmp_path)).replace("/run/agent", str(tmp_path))
            (tmp_path / name).write_text(text.replace("/usr/sbin/sshd", str(tmp_path / "sshd")))
    return Follower(tmp_path)


def test_when_learner_1_says_so_it_ends_well_and_takes_its_sshd_with_it(follower: Follower) -> None:
    assert follower.run(["1", "2", "3", "end"]) == (0, 4)
    assert follower.sshd_ends()


def test_a_long_run_is_one_beat_after_the_other(follower: Follower) -> None:
    assert follower.run([*map(str, range(40)), "end"]) == (0, 41)


def test_when_the_beats_stop_it_ends_by_itself(follower: Follower) -> None:
    assert follower.run(["1", "2"]) == (UNHEARD, 2 + SILENT + 1)
    assert follower.sshd_ends()


def test_a_beat_that_is_late_is_in_time(follower: Follower) -> None:
    late = ["1", *["1"] * SILENT, "2", *["2"] * SILENT, "end"]
    assert follower.run(late) == (0, len(late))


def test_until_the_first_beat_it_waits_as_long_as_a_start_may_take(follower: Follower) -> None:
    follower.seconds_silent = START + SILENT + 1
    assert follower.run([]) == (UNHEARD, START + SILENT + 1)


def test_an_sshd_that_ends_is_distinguished_from_a_silent_learner(follower: Follower) -> None:
    status, _ = follower.run(["1"], sshd="exit 1")
    assert status == 72


def test_a_container_that_is_stopped_takes_its_sshd_with_it(follower: Follower) -> None:
    process = follower.start([str(number) for number in range(100_000)])
    while not (follower.folder / "beat.2").exists():
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert (process.returncode, follower.sshd_ends()) == (143, True)


@pytest.mark.parametrize("beats", [["1", "2", "end"], ["end", "7"]])
def test_each_sign_of_life_is_written_down_and_answered_until_the_end(follower: Follower, beats: list[str]) -> None:
    argv = ["/bin/sh", str(follower.folder / "beat.sh")]
    text = "".join(f"{beat}\n" for beat in beats)
    done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=30, check=True)
    heard = beats[: beats.index("end") + 1]
    assert done.stdout.split() == heard
    assert (follower.folder / "beat.2").read_text() == "end\n"


def test_no_sign_of_life_is_answered_where_the_agent_gives_none(follower: Follower) -> None:
    (follower.folder / "heartbeat").write_text("7\n")
    argv = ["/bin/sh", str(follower.folder / "beat.sh")]
    done = subprocess.run(argv, input="1\n2\n3\n4\n5\n", capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout.split() == ["1", "2", "3"]
    assert (follower.folder / "beat.2").read_text() == "5\n"


def test_an_image_without_bash_runs_nothing(follower: Follower) -> None:
    entry = follower.folder / "entry.sh"
    entry.write_text(entry.read_text().replace("/bin/bash", str(follower.folder / "bash")))
    done = subprocess.run(["/bin/sh", str(entry)], capture_output=True, text=True, timeout=30, check=False)
    said = f"the image has no {follower.folder}/bash, in which commands run\n"
    assert (done.returncode, done.stderr) == (127, said)
