"""The words of the verbs that ship images, and what is bad input before anything is done."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from toolkit.cli.main import parser


def toolkit(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TOOLKIT_HOME": str(folder / "home"), "DOCKER_HOST": f"unix://{folder}/no-engine"}
    argv = [sys.executable, "-m", "toolkit", *words]
    return subprocess.run(argv, env=environment, cwd=folder, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize("verb", ["save", "load", "bundle", "bundle load", "push", "pull"])
def test_every_verb_explains_itself(tmp_path: Path, verb: str) -> None:
    done = toolkit(tmp_path, *verb.split(), "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: toolkit {verb}")


@pytest.mark.parametrize(
    ("words", "values"),
    [
        (["save", "a:1", "b:2", "-o", "f"], {"image": ["a:1", "b:2"], "output": "f", "apptainer": False}),
        (["load", "f"], {"file": "f"}),
        (["bundle", "m.yml", "load", "-o", "site.tar"], {"manifest": ["m.yml", "load"], "output": "site.tar"}),
        (["bundle", "load", "site.tar"], {"verb": "bundle", "act": "load", "file": "site.tar", "no_images": False}),
        (["bundle", "load", "--no-images", "site.tar"], {"file": "site.tar", "no_images": True, "json": False}),
        (["bundle", "m.yml", "-o", "f", "--python", "3.11", "--python", "3.13"], {"python": ["3.11", "3.13"]}),
        (["push", "m.yml", "--to", "h:5/x"], {"image": "m.yml", "to": "h:5/x", "flavour": "cpu"}),
        (["pull", "h:5/x:1"], {"address": "h:5/x:1"}),
    ],
)
def test_words_and_what_they_default_to(words: list[str], values: dict[str, object]) -> None:
    found = vars(parser().parse_args(words))
    assert {name: found[name] for name in values} == values


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["bundle", "load"], "toolkit: error C101 bundle load: the following arguments are required: FILE"),
        (["bundle", "load", "a", "b"], "bundle load: unexpected argument `b`"),
        (["bundle", "m.yml"], "the following arguments are required: -o/--output"),
        (["bundle", "none.yml", "-o", "f"], "none.yml: No such file"),
        (["save", "--apptainer", "a:1", "b:1", "-o", "f"], "a SIF file holds one image"),
        (["save", "none.yml", "-o", "f"], "none.yml: No such file"),
        (["push", "a:1", "--to", "x"], "`x` is not a registry address"),
        (["pull", "h:5/x"], "`h:5/x` has no tag"),
    ],
)
def test_bad_input_is_reported_before_an_engine_is_asked(tmp_path: Path, words: list[str], said: str) -> None:
    done = toolkit(tmp_path, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [["load", "x.tar"], ["bundle", "load", "x.tar"]])
def test_a_damaged_file_is_refused_before_an_engine_is_asked(tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "x.tar").write_bytes(b"no tar" * 1000)
    done = toolkit(tmp_path, *words)
    assert done.returncode == 3
    assert "toolkit: error S103 x.tar is damaged" in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["x.tar"]


@pytest.mark.parametrize("words", [["save", "a:1", "-o", "f"], ["push", "a:1", "--to", "h:5/x"], ["pull", "h:5/x:1"]])
def test_no_engine_is_one_error_and_no_file(tmp_path: Path, words: list[str]) -> None:
    done = toolkit(tmp_path, *words)
    assert done.returncode == 3
    assert "toolkit: error S100 no container engine answers" in done.stderr
    assert list(tmp_path.iterdir()) == []
