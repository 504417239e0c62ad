"""The program that runs in an image, run here as there, with a framework and an mpirun that these tests write."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from toolkit.validation.in_container import prove

INSIDE = Path(prove.__file__).parent
PYTHON = "{}.{}".format(*sys.version_info[:2])
ASKED = {
    "framework": "tensorflow",
    "version": "2.19",
    "python": PYTHON,
    "has_mpi4py": False,
    "rank_program": (INSIDE / "rank.py").read_text(),
    "seconds": 20,
}
TENSORFLOW = """
class Tensor:
    def __init__(self, value): self.value = value
    def numpy(self): return self
    def tolist(self): return self.value
class linalg:
    @staticmethod
    def matmul(a, b):
        return Tensor([[sum(x * y for x, y in zip(row, column)) for column in zip(*b.value)] for row in a.value])
matmul, constant = linalg.matmul, Tensor
"""
OLD_TENSORFLOW = (
    TENSORFLOW.replace("    def numpy(self): return self\n", "")
    + """
class Session:
    def __enter__(self): return self
    def __exit__(self, *rest): pass
    def run(self, tensor): return tensor
"""
)
MPIRUN = """#!/bin/sh
# Starts what comes after the flags twice, as mpirun does: the last three words.
while [ $# -gt 4 ]; do shift; done
for rank in 0 1; do OMPI_COMM_WORLD_RANK=$rank OMPI_COMM_WORLD_SIZE=2 "$@" & done; wait
"""


def said(folder: Path, check: str, bash: str = "/bin/bash", **changes: object) -> dict[str, Any]:
    """The program's reply; it finds modules and commands in `folder`, and looks for bash at `bash`."""
    program = (INSIDE / "prove.py").read_bytes().replace(b'"/bin/bash"', json.dumps(bash).encode())
    done = subprocess.run(
        [sys.executable, "-", check, json.dumps({**ASKED, **changes})],
        input=program,
        capture_output=True,
        timeout=60,
        check=True,
        cwd=folder,
        env={"PATH": f"{folder}:/usr/bin:/bin", "PYTHONPATH": str(folder)},
    )
    reply: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return reply


def put_mpirun(folder: Path, text: str = MPIRUN) -> None:
    (folder / "mpirun").write_text(text)
    (folder / "mpirun").chmod(0o755)


@pytest.mark.parametrize(("version", "text"), [("2.19.1", TENSORFLOW), ("1.5.0", OLD_TENSORFLOW)])
def test_a_right_product_is_said(tmp_path: Path, version: str, text: str) -> None:
    (tmp_path / "tensorflow.py").write_text(f"__version__ = {version!r}\n{text}")
    reply = said(tmp_path, "framework", version=version[:-2])
    assert reply == {"ok": True, "said": f"tensorflow {version} on Python {PYTHON} multiplies two matrices correctly"}


@pytest.mark.parametrize(
    ("text", "changes", "words"),
    [
        (TENSORFLOW.replace("x * y", "x + y"), {}, "multiplies two matrices to [[15.0, 17.0], [19.0, 21.0]]"),
        (TENSORFLOW, {"version": "2.1"}, "tensorflow is 2.19.1, not 2.1"),
        (TENSORFLOW, {"python": "2.6"}, f"Python is {PYTHON}, not 2.6"),
        ("raise ImportError('libfoo.so.1: cannot open')", {}, "ImportError: libfoo.so.1: cannot open"),
        ("raise SystemExit(3)", {}, "SystemExit: 3"),
        ("", {"framework": "json", "version": ""}, "no computation is known for json"),
        ("", {"framework": "no_such_module"}, "No module named"),
    ],
)
def test_what_is_wrong_with_the_framework_is_said(
    tmp_path: Path, text: str, changes: dict[str, object], words: str
) -> None:
    (tmp_path / "tensorflow.py").write_text(f"__version__ = '2.19.1'\n{text}")
    reply = said(tmp_path, "framework", **changes)
    assert not reply["ok"]
    assert words in reply["said"]


def test_what_a_framework_prints_does_no_harm(tmp_path: Path) -> None:
    noise = "import atexit, sys; print('{\"ok\": 1}', end='')"
    (tmp_path / "tensorflow.py").write_text(f"__version__ = '2.19.1'\n{noise}\n{TENSORFLOW}")
    assert said(tmp_path, "framework")["ok"] is True


def test_two_ranks_answer(tmp_path: Path) -> None:
    put_mpirun(tmp_path)
    reply = said(tmp_path, "ranks")
    assert reply == {"ok": True, "said": "mpirun started 2 ranks, each knows its number"}


MPI4PY = """
import os
class MPI:
    class COMM_WORLD:
        rank, size = int(os.environ["OMPI_COMM_WORLD_RANK"]), 2
        allreduce = staticmethod(lambda value: {sum})
"""


@pytest.mark.parametrize(("total", "ok"), [("3", True), ("value", False)])
def test_an_allreduce_must_give_the_sum(tmp_path: Path, total: str, ok: bool) -> None:
    put_mpirun(tmp_path)
    (tmp_path / "mpi4py.py").write_text(MPI4PY.format(sum=total))
    reply = said(tmp_path, "ranks", has_mpi4py=True)
    assert reply["ok"] is ok
    assert ("allreduce is correct" if ok else "an allreduce of mpi4py gave 1 in rank 0, not 3") in reply["said"]


@pytest.mark.parametrize(
    ("mpirun", "words"),
    [
        (MPIRUN.replace("0 1;", "0;"), "ended with status 0; ranks answered (number, of how many): [(0, 2)]"),
        (MPIRUN.replace("SIZE=2", "SIZE=1"), "[(0, 1), (1, 1)]"),
        (MPIRUN.replace("0 1;", "0 0;"), "[(0, 2), (0, 2)]"),
        (MPIRUN + "exit 7\n", "ended with status 7"),
        ("#!/bin/sh\necho 'not enough slots'; exit 1\n", "answered (number, of how many): none\nnot enough slots"),
        ("#!/bin/sh\necho started; exec sleep 60\n", "did not finish in 1 s"),
        # What a killed mpirun leaves behind holds its output open.
        ("#!/bin/sh\nsleep 30 &\nsleep 60\n", "did not finish in 1 s"),
    ],
)
def test_ranks_that_do_not_find_each_other_are_said(tmp_path: Path, mpirun: str, words: str) -> None:
    put_mpirun(tmp_path, mpirun)
    reply = said(tmp_path, "ranks", seconds=1 if "sleep" in mpirun else 20)
    assert not reply["ok"]
    assert words in reply["said"]


def test_an_image_without_mpirun_has_failed(tmp_path: Path) -> None:
    program = "import sys; sys.path[:0] = [sys.argv[1]]; import prove; prove.main('ranks', sys.argv[2])"
    argv = [sys.executable, "-c", program, str(INSIDE), json.dumps(ASKED)]
    done = subprocess.run(argv, capture_output=True, check=True, env={"PATH": str(tmp_path)}, timeout=60)
    reply = json.loads(done.stdout)
    assert not reply["ok"]
    assert "mpirun" in reply["said"]


DDL = """
import os
def rank(): return int(os.environ["OMPI_COMM_WORLD_RANK"])
def size(): return 2 if os.environ.get("DDL_OPTIONS") == "-mode p:1x2" else 1
"""


def test_ddl_connects_its_ranks_by_being_imported(tmp_path: Path) -> None:
    put_mpirun(tmp_path)
    (tmp_path / "ddl.py").write_text(DDL)
    assert said(tmp_path, "ddl") == {"ok": True, "said": f"{tmp_path} connected 2 ranks"}


def test_a_ddl_that_does_not_load_shows_its_own_words(tmp_path: Path) -> None:
    put_mpirun(tmp_path)
    (tmp_path / "ddl.py").write_text("raise RuntimeError('no such symbol: MPI_Init')")
    reply = said(tmp_path, "ddl")
    assert not reply["ok"]
    assert "RuntimeError: no such symbol: MPI_Init" in reply["said"]


def test_an_image_without_bash_is_said_to_lack_it(tmp_path: Path) -> None:
    put_mpirun(tmp_path)
    reply = said(tmp_path, "ranks", bash=str(tmp_path / "bash"))
    assert (reply["ok"], "/bin/bash, which runs a manifest's commands, is missing" in reply["said"]) == (False, True)
