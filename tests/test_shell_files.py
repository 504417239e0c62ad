"""Programs in sh and bash are files: with the tool wherever it is installed, and whole without their comments."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from toolkit.containers.programs import receive_file, start_when_there
from toolkit.paths import assets
from toolkit.shell_files import shell_line, shell_program

TOOLKIT = assets() / "toolkit"
PROGRAMS = sorted(file for suffix in ("sh", "bash") for file in TOOLKIT.rglob(f"*.{suffix}"))
LINES = [
    ("toolkit.hosts.ssh", "start.sh"),
    ("toolkit.hosts.ssh", "start_merged.sh"),
    ("toolkit.hosts.ssh", "signal.sh"),
    ("toolkit.manifest", "pipeline_status.bash"),
    ("toolkit.manifest", "stop_if_failed.bash"),
]


def loaded(file: Path) -> str:
    return shell_program(".".join(file.parent.relative_to(assets()).parts), file.name)


def test_a_wheel_has_every_program() -> None:
    included = {Path(file.path) for file in WheelBuilder(str(assets())).recurse_included_files()}
    assert len(PROGRAMS) > 20
    assert set(PROGRAMS) - included == set()


@pytest.mark.parametrize("file", PROGRAMS, ids=lambda file: str(file.relative_to(TOOLKIT)))
def test_without_its_comments_a_program_is_one_that_its_shell_reads(file: Path) -> None:
    shell = "bash" if file.suffix == ".bash" else "sh"
    text = loaded(file)
    done = subprocess.run([shell, "-n"], input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert text.strip() != ""
    assert [line for line in text.splitlines() if line.lstrip().startswith("#")] == []


@pytest.mark.parametrize(("package", "name"), LINES, ids=lambda word: word)
def test_a_line_does_what_its_file_does(package: str, name: str) -> None:
    line = shell_line(package, name)
    assert "\n" not in line
    assert line.split() == shell_program(package, name).split()
    assert subprocess.run(["bash", "-n"], input=line, capture_output=True, text=True, check=True).stderr == ""


def test_a_file_is_received_whole_and_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "a 'key'"
    subprocess.run(receive_file(str(file)), input=b"one\ntwo", check=True)
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (b"one\ntwo", 0o600)
    assert [one.name for one in tmp_path.iterdir()] == [file.name]


def test_a_command_starts_when_its_file_has_something_in_it(tmp_path: Path) -> None:
    file = tmp_path / "a file"
    file.touch()
    argv = start_when_there(str(file), ("printf", "%s|", "it's", "$HOME"))
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as waiting:
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(timeout=0.3)
        file.write_text("now")
        assert waiting.communicate(timeout=10)[0] == "it's|$HOME|"


def literal_programs(file: Path) -> list[int]:
    """The lines where a list or tuple of `file` has `sh -c` or `bash -c` with a text behind it."""
    found = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.List | ast.Tuple | ast.Call):
            words = node.args if isinstance(node, ast.Call) else node.elts
            for shell, option, text in zip(words, words[1:], words[2:], strict=False):
                named = [one.value for one in (shell, option) if isinstance(one, ast.Constant)]
                if named in (["sh", "-c"], ["bash", "-c"]) and isinstance(text, ast.Constant | ast.JoinedStr):
                    found.append(text.lineno)
    return found


def test_no_program_for_a_shell_is_a_text_in_the_code() -> None:
    found = {str(file.relative_to(TOOLKIT)): literal_programs(file) for file in TOOLKIT.rglob("*.py")}
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_such_a_text_would_be_seen(tmp_path: Path) -> None:
    file = tmp_path / "code.py"
    file.write_text('A = ("sh", "-c", f"cat > {x}")\nB = ["sh", "-c", PROGRAM, "sh"]\nrun("bash", "-c", "rm x", y)\n')
    assert literal_programs(file) == [1, 3]
