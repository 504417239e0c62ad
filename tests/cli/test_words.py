"""The command line, as a person and a script meet it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("docker", "boto3", "rich", "pydantic", "yaml", "jinja2", "cryptography", "paramiko", "fabric", "invoke")


def toolkit(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TOOLKIT_HOME": str(home)}
    argv = [sys.executable, "-m", "toolkit", *words]
    return subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize(
    "words", [[], ["build"], ["launch"], ["collect"], ["show"], ["bucket"], ["bucket", "put"], ["bucket", "list"]]
)
def test_every_verb_explains_itself(tmp_path: Path, words: list[str]) -> None:
    done = toolkit(tmp_path, *words, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: {' '.join(['toolkit', *words])}")


def test_no_verb_shows_the_help_and_is_no_success(tmp_path: Path) -> None:
    done = toolkit(tmp_path)
    assert done.returncode == 2
    assert "toolkit launch examples/mnist/manifest.yml" in done.stdout


def test_the_version_is_said(tmp_path: Path) -> None:
    done = toolkit(tmp_path, "--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split()[0] == "toolkit"
    assert done.stdout.split()[1][0].isdigit()


def test_the_help_loads_nothing_heavy() -> None:
    program = (
        "import sys\nfrom toolkit.cli.main import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        f"print('LOADED', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "LOADED []"


def test_no_variable_turns_on_the_debug_lines_of_libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVOKE_DEBUG", "1")
    file = tmp_path / "cluster.yml"
    lines = ["name: c", "engine: ssh", "network: 127.0.0.0/8", "container_engine: docker", "gpu: none", "jump: none"]
    file.write_text("\n".join([*lines, "hosts: [{name: oak, address: 127.0.0.1, port: 1}]", ""]))
    done = toolkit(tmp_path, "cluster", "trust", str(file))
    assert "host oak (127.0.0.1:1): refused the connection" in done.stderr
    assert not [line for line in done.stderr.splitlines() if line.startswith(("invoke", "paramiko", "fabric", "boto"))]


def test_a_wrong_manifest_is_one_error_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "bad.yml").write_text("model_definition: {}\n")
    done = toolkit(tmp_path / "home", "build", str(tmp_path / "bad.yml"))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("toolkit: error C101") == 1
    assert "model_definition.framework: required, but missing" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "home").exists()


def test_an_error_can_be_had_as_json(tmp_path: Path) -> None:
    done = toolkit(tmp_path, "launch", "--json", str(tmp_path / "none.yml"))
    assert done.returncode == 2
    said = json.loads(done.stdout)
    assert (said["error"], "No such file" in said["what"]) == ("C101", True)


def test_a_wrong_manifest_can_be_had_as_json(tmp_path: Path) -> None:
    (tmp_path / "bad.yml").write_text("model_definition: {}\n")
    done = toolkit(tmp_path / "home", "build", "--json", str(tmp_path / "bad.yml"))
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"] == "C101"
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", [["show", "training-none"], ["show", "../../etc/passwd"], ["show"], ["collect", "x"]])
def test_a_run_that_is_not_recorded_is_bad_input(tmp_path: Path, words: list[str]) -> None:
    done = toolkit(tmp_path, *words)
    assert done.returncode == 2
    assert "toolkit: error C101 no run" in done.stderr


@pytest.mark.parametrize(
    ("words", "what"),
    [(["lanch", "--json"], "unknown command `lanch`"), (["images", "lst", "--json"], "images: unknown command `lst`")],
)
def test_mistyped_words_can_be_had_as_json(tmp_path: Path, words: list[str], what: str) -> None:
    done = toolkit(tmp_path, *words)
    assert done.returncode == 2
    said = json.loads(done.stdout)
    assert (said["error"], said["what"]) == ("C101", what)
    assert said["hint"].startswith("did you mean")
    assert f"toolkit: error C101 {what}" in done.stderr


def test_mistyped_words_show_nothing_that_a_terminal_would_obey(tmp_path: Path) -> None:
    done = toolkit(tmp_path, "\x1b[2Jlaunch")
    assert (done.returncode, done.stdout) == (2, "")
    assert "\x1b" not in done.stderr
    assert "unknown command `\\x1b[2Jlaunch`" in done.stderr


def test_completion_loads_nothing_heavy(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom toolkit.cli.main import main\nmain(['completion', 'bash', '--', 'build', '--image', ''])\n"
        f"print('LOADED', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "tensorflow-ddl-2.19-py3.11-cpu" in done.stdout
    assert done.stdout.splitlines()[-1] == "LOADED []"
