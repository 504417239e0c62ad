"""`toolkit lock MANIFEST` and `launch --dry-run`, of the files that ask for packages, as a person's shell sees them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from toolkit.paths import assets

EXAMPLE = assets() / "examples" / "mnist" / "manifest.yml"


def toolkit(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """The command in `folder`, with a home of its own, no engine to ask, and no network."""
    environment = {
        **os.environ,
        "TOOLKIT_HOME": str(folder / "home"),
        "DOCKER_HOST": f"unix://{folder}/no-engine",
        "UV_OFFLINE": "1",
        "UV_NO_CACHE": "1",
    }
    argv = [sys.executable, "-m", "toolkit", *map(str, words)]
    return subprocess.run(
        argv, env=environment, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A folder with a manifest and a program."""
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "manifest.yml").write_text(EXAMPLE.read_text())
    (folder / "train.py").write_text("print(1)\n")
    return folder


def test_what_the_image_answers_is_reported_by_lock_and_by_a_dry_run(code: Path, tmp_path: Path) -> None:
    (code / "requirements.txt").write_text("tensorflow>=2.10\nnumpy\n")
    (code / "setup.py").write_text("setup(install_requires=['six'])\n")
    locked = toolkit(tmp_path, "lock", code / "manifest.yml")
    dry = toolkit(tmp_path, "launch", "--dry-run", code / "manifest.yml")
    for done in (locked, dry):
        assert done.returncode == 0, done.stderr
        assert "toolkit: requirements.txt:1: tensorflow>=2.10 is satisfied by the image's tensorflow-cpu" in done.stderr
        assert "toolkit: already in the image: numpy" in done.stderr
        assert "toolkit: requirements.txt is read; not read: setup.py" in done.stderr
    assert "nothing to lock" in locked.stderr


def test_a_version_that_the_image_excludes_ends_both_before_anything_is_asked(code: Path, tmp_path: Path) -> None:
    (code / "requirements.txt").write_text("six\nkeras==2.1.0\n")
    for words in (("lock",), ("launch", "--dry-run")):
        done = toolkit(tmp_path, *words, code / "manifest.yml")
        assert done.returncode == 2
        assert f"{code / 'requirements.txt'}:2:1: requires keras==2.1.0; the image's tensorflow-cpu" in done.stderr
        assert "Traceback" not in done.stderr


def test_who_asks_is_named_where_the_index_has_no_answer(code: Path, tmp_path: Path) -> None:
    (code / "requirements.txt").write_text("leaf-of-nowhere\npywin32; sys_platform == 'win32'\n")
    refused = toolkit(tmp_path, "lock", code / "manifest.yml")
    assert refused.returncode == 3
    assert "requirements.txt:1 requires leaf-of-nowhere" in refused.stderr
    assert "skipped: pywin32 (requirements.txt:2)" in refused.stderr


def test_files_that_powershell_wrote_are_read(code: Path, tmp_path: Path) -> None:
    (code / "requirements.txt").write_bytes("numpy\r\n".encode("utf-16"))
    done = toolkit(tmp_path, "lock", "--json", code / "manifest.yml")
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    assert "already in the image: numpy" in done.stderr


def test_json_is_printed_where_nothing_is_to_lock_or_nothing_is_written(code: Path, tmp_path: Path) -> None:
    """One object on standard output, of the same fields, whatever there was to do."""
    image = "tensorflow-ddl-2.19-py3.11-cpu"
    facts = {"image": image, "lock": None, "written": False, "stale": "", "wheels": [], "packages": [], "notes": []}
    for words in ((), ("--check",)):
        done = toolkit(tmp_path, "lock", "--json", *words, code / "manifest.yml")
        assert (done.returncode, json.loads(done.stdout)) == (0, facts)
    (code / "requirements.txt").write_text("leaf-of-nowhere\nnumpy\n")
    done = toolkit(tmp_path, "lock", "--json", "--check", code / "manifest.yml")
    found = json.loads(done.stdout)
    assert (done.returncode, Path(found["lock"]).parent, found["stale"]) == (2, code, "there is no lock yet")
    assert [note.partition(":")[0] for note in found["notes"]] == ["already in the image"]
    assert found.keys() == facts.keys()
