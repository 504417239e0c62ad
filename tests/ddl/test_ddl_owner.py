"""Which process of a rank has the engine: what is recorded, and who gets which error. Real processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from ddl import owner
from ddl.environment import Place

HERE = Place(rank=1, size=2, local_rank=1, local_size=2)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """mpirun's, as far as it matters."""
    return {"PMIX_NAMESPACE": "job/1", "PMIX_SERVER_TMPDIR": str(tmp_path)}


def own() -> owner.Process:
    process = owner.running(os.getpid())
    assert process is not None
    return process


def ended() -> owner.Process:
    """A process that was, and is no more."""
    child = subprocess.Popen(["sleep", "60"])
    process = owner.running(child.pid)
    child.kill()
    child.wait()
    assert process is not None and not process.lives
    return process


def test_the_first_process_has_it_and_says_so_to_all_that_it_starts(environ: dict[str, str]) -> None:
    assert owner.claim(HERE, environ) is None
    assert environ[owner.VARIABLE] == f"{os.getpid()} {own().started} job/1.1"
    replaced = owner.claim(HERE, environ)  # the same process, in which another program begins
    assert replaced is not None and replaced.owner == own()
    assert "replaced its program" in replaced.why


def test_a_process_below_is_a_worker_with_or_without_the_environment(environ: dict[str, str]) -> None:
    assert owner.claim(HERE, environ) is None
    program = (
        "import os; from ddl import owner; from ddl.environment import Place\n"
        "worker = owner.claim(Place(rank=1, size=2), os.environ); print(worker.owner.pid)"
    )
    handed_down = {**os.environ, **environ, "PYTHONPATH": str(Path(owner.__file__).parents[1])}
    for removed in ("", owner.VARIABLE):
        kept = {name: value for name, value in handed_down.items() if name != removed}
        said = subprocess.run([sys.executable, "-c", program], env=kept, check=True, capture_output=True, text=True)
        assert said.stdout == f"{os.getpid()}\n"


def test_ranks_of_another_job_and_other_ranks_are_their_own(environ: dict[str, str]) -> None:
    assert owner.claim(HERE, environ) is None
    assert owner.claim(HERE, {**environ, "PMIX_NAMESPACE": "job/2"}) is None
    assert owner.claim(Place(rank=0, size=2), environ) is None


def test_where_the_engine_could_not_be_started_another_may_have_it(environ: dict[str, str], tmp_path: Path) -> None:
    assert owner.claim(HERE, environ) is None
    owner.release(HERE, environ)
    assert list(tmp_path.iterdir()) == []
    assert owner.claim(HERE, environ) is None


def record(environ: dict[str, str], process: owner.Process) -> Path:
    owner.claim(HERE, environ)
    del environ[owner.VARIABLE]
    (file,) = Path(environ["PMIX_SERVER_TMPDIR"]).iterdir()
    file.write_text(f"{process.pid} {process.started} job/1.1")
    return file


def test_a_process_that_runs_beside_is_named(environ: dict[str, str]) -> None:
    with subprocess.Popen(["sleep", "60"]) as beside:
        while not Path(f"/proc/{beside.pid}/cmdline").read_bytes():
            pass  # in the midst of its exec, of which Popen has heard already
        process = owner.running(beside.pid)
        assert process is not None
        record(environ, process)
        with pytest.raises(RuntimeError, match=rf"process {beside.pid}, sleep 60, has already started ddl for rank 1"):
            owner.claim(HERE, environ)
        beside.kill()


def test_after_one_that_has_ended_only_a_newer_open_mpi_starts_again(environ: dict[str, str]) -> None:
    record(environ, ended())
    with pytest.raises(RuntimeError, match="this Open MPI can be initialised only once per rank"):
        owner.claim(HERE, environ)
    assert owner.claim(HERE, {**environ, "OMPI_VERSION": "5.0.7"}) is None


@pytest.mark.parametrize("text", ["", "1", "x 2 job/1.1", "1 2 job/2.1", "1 2", "\0" * 9000])
def test_a_record_that_cannot_be_read_is_no_record(environ: dict[str, str], text: str) -> None:
    record(environ, own()).write_text(text)
    assert owner.claim(HERE, environ) is None
    assert owner.claim(HERE, {**environ, owner.VARIABLE: text.replace("\0", "")}) is None


def test_a_link_in_the_place_of_the_record_is_not_followed(environ: dict[str, str], tmp_path: Path) -> None:
    file = record(environ, ended())
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    before = (tmp_path / "elsewhere").read_text()
    assert owner.claim(HERE, environ) is None
    assert (tmp_path / "elsewhere").read_text() == before


def test_a_process_of_the_same_number_that_started_later_is_another() -> None:
    assert own().lives
    assert not owner.Process(os.getpid(), own().started - 1).lives
