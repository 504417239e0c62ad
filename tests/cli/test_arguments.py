"""The command line's words: what they are read as, and what the files that they name may get wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from toolkit.cli.main import parser
from toolkit.paths import assets

EXAMPLE = assets() / "examples" / "mnist" / "manifest.yml"


def toolkit(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TOOLKIT_HOME": str(home)}
    argv = [sys.executable, "-m", "toolkit", *words]
    return subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize(
    "words",
    [
        *(["biuld", "m.yml"], ["bucket"], ["bucket", "put", "m.yml"], ["launch", "m.yml", "--nodes", "2"]),
        *(["bucket", "put", "m.yml", ""], ["launch", "m.yml", "--code", ""]),
    ],
)
def test_words_that_are_no_command_are_bad_input(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parser().parse_args(words)
    assert caught.value.code == 2
    assert "usage: toolkit" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "values"),
    [
        (["launch", "m.yml"], {"manifest": "m.yml", "cluster": None, "code": None, "id_file": None, "json": False}),
        (["launch", "m.yml", "--code", "c", "--json"], {"code": "c", "json": True}),
        (["collect", "training-x"], {"training_id": "training-x", "to": "models"}),
        (["collect", "training-x", "--sample", "a.json"], {"sample": "a.json"}),
        (["serve", "training-x"], {"port": None, "host": "127.0.0.1", "name": "", "to": "models"}),
        (["serve", "training-x", "--port", "0"], {"port": 0}),
        (["show"], {"training_id": None}),
        (["bucket", "put", "m.yml", "folder"], {"act": "put", "manifest": "m.yml", "folder": "folder"}),
        (["bucket", "list", "m.yml", "--json"], {"act": "list", "json": True}),
        (["cluster", "connect", "c.yml"], {"act": "connect", "file": "c.yml", "close": False, "json": False}),
        (["cluster", "connect", "--close", "c.yml"], {"close": True}),
    ],
)
def test_words_and_what_they_default_to(words: list[str], values: dict[str, object]) -> None:
    found = vars(parser().parse_args(words))
    assert {name: found[name] for name in values} == values


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("name: tensorflow-ddl", "name: tensorflow-dll", ":11:11: model_definition.framework.name: unknown framework"),
        ('"2.19"', '"2.20"', ":12:14: model_definition.framework.version: no recipe for tensorflow-ddl `2.20`"),
        (
            'version: "3.11"',
            'version: "3.5"',
            ":15:16: model_definition.framework.runtimes.version: tensorflow-ddl 2.19",
        ),
    ],
)
def test_a_framework_that_is_not_there_is_pointed_at(tmp_path: Path, old: str, new: str, words: str) -> None:
    file = tmp_path / "m.yml"
    file.write_text(EXAMPLE.read_text().replace(old, new))
    done = toolkit(tmp_path, "build", "--json", str(file))
    assert done.returncode == 2
    (problem,) = json.loads(done.stdout)["problems"]
    assert words in problem
    assert words in done.stderr


def test_a_folder_with_nothing_in_it_is_not_put(tmp_path: Path) -> None:
    done = toolkit(tmp_path / "home", "bucket", "put", str(EXAMPLE), str(tmp_path))
    assert done.returncode == 2
    assert "toolkit: error C102" in done.stderr
    assert "has no files to upload" in done.stderr


def test_a_cluster_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    done = toolkit(tmp_path, "launch", str(EXAMPLE), "--cluster", str(tmp_path / "none.yml"))
    assert done.returncode == 2
    assert f"toolkit: error C104 {tmp_path / 'none.yml'}: No such file" in done.stderr
