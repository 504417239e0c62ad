"""Faults that were found by trying odd things, each fixed and kept from coming back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from toolkit.agent.metrics import read_metrics
from toolkit.catalogue.model import DistributionBase, Recipe, Tree
from toolkit.catalogue.suites import read_suites
from toolkit.cli.console import rank_line
from toolkit.cli.output import human_size
from toolkit.errors import ToolkitError
from toolkit.image.version import read_inputs
from toolkit.lock.file import write_lock
from toolkit.lock.model import DebPin, Lock
from toolkit.manifest.commands import read_commands
from toolkit.paths import assets
from toolkit.process import CommandFailed, feed, run
from toolkit.run.follow.events import Line
from toolkit.run.follow.view import Unbreakable
from toolkit.run.in_container import supervise
from toolkit.run.plan.source_files import read_code
from toolkit.run.records.record_store import Records


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "run.sh").write_text("x")
    (tmp_path / "t.j2").write_text("t")
    write_lock(
        Lock("a" * 64, "b" * 64, (DebPin("x", "1", "all", "debian", "x.deb", "c" * 64, 1),), ()),
        tmp_path / "x.lock",
        "x",
    )
    base = DistributionBase(read_suites(assets() / "images")["bookworm"], ("python3",), "apt")
    trees = (Tree(tmp_path / "src", "/opt"),)
    return Recipe("name", "title", base, tmp_path / "t.j2", tmp_path / "x.lock", trees, "facts")


# catalogue/version.py
def test_an_executable_is_another_image(tmp_path: Path, recipe: Recipe) -> None:
    before = read_inputs(recipe)
    (tmp_path / "src" / "run.sh").chmod(0o755)
    assert read_inputs(recipe) != before


@pytest.mark.parametrize("change", [{"title": "other"}, {"facts": "other"}])
def test_a_label_is_part_of_the_version(recipe: Recipe, change: dict[str, str]) -> None:
    assert read_inputs(replace(recipe, **change)) != read_inputs(recipe)


def test_a_tree_that_is_not_there_is_an_error(tmp_path: Path, recipe: Recipe) -> None:
    with pytest.raises(ToolkitError):
        read_inputs(replace(recipe, trees=(Tree(tmp_path / "nope", "/opt"),)))


def test_a_template_that_is_not_there_is_an_error(tmp_path: Path, recipe: Recipe) -> None:
    with pytest.raises(ToolkitError):
        read_inputs(replace(recipe, template=tmp_path / "nope.j2"))


# run/records.py
@pytest.mark.parametrize("text", ["{", "{}", "[]", '{"state": "DONE"}'])
def test_a_record_that_cannot_be_read_is_an_error(tmp_path: Path, text: str) -> None:
    records = Records(tmp_path)
    (tmp_path / "runs" / "training-x.json").write_text(text)
    with pytest.raises(ToolkitError):
        records.find("training-x")


# agent/metrics.py: at that point everything is stored, and the run ends in a traceback, its record in STORING
@pytest.mark.parametrize("text", [b"[" * 60_000, b'{"loss": NaN}'])
def test_metrics_that_are_no_json_are_none(text: bytes) -> None:
    assert read_metrics(text) == {}


# run/code.py
def test_a_linked_folder_is_not_left_out_in_silence(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "t.py").write_text("import lib.net")
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "net.py").write_text("x")
    (tmp_path / "code" / "lib").symlink_to(tmp_path / "lib")
    with pytest.raises(ToolkitError, match="lib: a link that leads out of the folder"):
        read_code(tmp_path / "code", tmp_path / "m.yml")


def test_a_link_to_nothing_is_not_left_out_in_silence(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text("x")
    (tmp_path / "broken").symlink_to(tmp_path / "none")
    with pytest.raises(ToolkitError):
        read_code(tmp_path, tmp_path / "m.yml")


# run/view.py: PYTHONIOENCODING=ascii or a Latin-1 locale, a rank prints a dash: results are not stored
def test_a_terminal_without_a_letter_stops_no_run() -> None:
    class Ascii:
        def line(self, line: Line) -> None:
            line.text.encode("ascii")

    Unbreakable(Ascii()).line(Line("[0] \N{EN DASH}", 0.0))


# cli/screen.py
@pytest.mark.parametrize("text", ["[5, 6]", "[\N{SUPERSCRIPT TWO}] x"])
def test_a_line_that_is_no_ranks_is_shown_as_it_is(text: str) -> None:
    assert rank_line(text).plain == text


def test_a_thousand_is_shown_in_the_next_unit() -> None:
    assert human_size(999_999) == "1.0 MB"


# manifest/commands.py: a comment's line becomes the parallel command, and the training runs once, on one rank, with 0
@pytest.mark.parametrize("text", ["# first train\npython t.py", "python t.py # twice ; python x.py"])
def test_a_comment_is_no_command(text: str) -> None:
    assert [command.text for command in read_commands(text)] == ["python t.py"]


@pytest.mark.parametrize("text", ["a &&\nb", "a |\n  b", "a ||\nb"])
def test_a_line_that_goes_on_is_not_cut(text: str) -> None:
    assert [command.text for command in read_commands(text)] == [text]


@pytest.mark.parametrize("text", ["case.py x", "if.sh", "for.py"])
def test_a_program_with_a_shells_word_in_its_name_is_a_program(text: str) -> None:
    assert [command.text for command in read_commands(text)] == [text]


# process.py
def test_a_deadline_holds_though_a_child_keeps_the_pipe() -> None:
    began = time.monotonic()
    assert run(["sh", "-c", "sleep 4; true"], check=False, timeout=0.2).status == 124
    assert time.monotonic() - began < 2


def test_a_command_that_talks_while_it_is_fed_is_heard() -> None:
    program = (
        "import subprocess, sys\nfrom toolkit.process import feed\n"
        "talk = 'import sys; sys.stdout.write(\"x\" * 1_000_000); sys.stdout.flush(); sys.stdin.read()'\n"
        "feed([sys.executable, '-c', talk], (b'y' * 65536 for _ in range(16)))\n"
    )
    subprocess.run([sys.executable, "-c", program], timeout=5, check=True)


def test_a_feed_that_breaks_ends_its_command(tmp_path: Path) -> None:
    def pieces():
        yield b"x"
        while not (tmp_path / "pid").exists():
            time.sleep(0.01)
        raise OSError("changed while it was read")

    kept: Exception | None = None
    try:
        feed(["sh", "-c", f"echo $$ > {tmp_path / 'pid'}; exec cat"], pieces())
    except (OSError, CommandFailed) as error:
        kept = error  # as a traceback that is being handled keeps it
    time.sleep(0.3)
    pid = int((tmp_path / "pid").read_text())
    alive = Path(f"/proc/{pid}").exists() and " Z " not in Path(f"/proc/{pid}/stat").read_text()
    if alive:
        os.kill(pid, signal.SIGKILL)
    assert kept is not None
    assert not alive


# run/inside/supervise.py
def supervised(folder: Path, argv: list[str]) -> subprocess.CompletedProcess[str]:
    learners = [{"number": 1, "hostname": "learner-1", "ranks": [0]}]
    steps = [{"number": 1, "command": "c", "argv": argv, "parallel": False}]
    plan = {
        "logs": str(folder),
        "control": str(folder),
        "port": 1,
        "open_mpi": 4,
        "start_deadline": 1,
        "learners": learners,
        "steps": steps,
    }
    plan |= {"agent": ["false"], "lost": 10, "grace": 1}
    (folder / "run.json").write_text(json.dumps(plan))
    (folder / "go").touch()
    program = [sys.executable, "-E", "-m", "in_container.supervise", str(folder / "run.json")]
    place = Path(supervise.__file__).parent.parent
    return subprocess.run(program, cwd=place, capture_output=True, text=True, timeout=5, check=False)


def test_a_program_that_is_not_in_the_image_is_127(tmp_path: Path) -> None:
    done = supervised(tmp_path, ["/usr/bin/no-mpirun"])
    assert (done.returncode, "Traceback" in done.stderr) == (127, False)
    assert json.loads((tmp_path / "status.json").read_text())["steps"][0]["exit_status"] == 127


def test_a_program_that_was_left_in_the_background_does_not_hold_the_run(tmp_path: Path) -> None:
    assert supervised(tmp_path, ["/bin/sh", "-c", "sleep 8 & echo done"]).returncode == 0


# cli/dispatch.py
def test_a_home_that_is_no_folder_is_no_traceback() -> None:
    environment = {**os.environ, "TOOLKIT_HOME": "/dev/null"}
    argv = [sys.executable, "-m", "toolkit", "show"]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert "Traceback" not in done.stderr


def test_nohup_holds() -> None:
    program = (
        "import argparse, os, signal, sys, types\nimport toolkit.cli.dispatch as d\n"
        "verb = types.ModuleType('toolkit.cli.probe')\n"
        "verb.run = lambda _: os.kill(os.getpid(), signal.SIGHUP) or 0\n"
        "sys.modules['toolkit.cli.probe'] = verb\n"
        "sys.exit(d.dispatch(argparse.Namespace(verb='probe', json=False)))\n"
    )
    argv = ["nohup", sys.executable, "-c", program]
    assert subprocess.run(argv, capture_output=True, timeout=30, check=False).returncode == 0
