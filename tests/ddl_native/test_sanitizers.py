"""The engine under ThreadSanitizer, AddressSanitizer with UndefinedBehaviorSanitizer, and valgrind.

They see one process each: what ranks do to each other's shared memory is for the tests of values. Open MPI itself is
not compiled with them, so what is reported of its inside is left out.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from .conftest import NATIVE, PROGRAMS, mpirun_argv, run_ranks

MODES = ["b:2x2", "r:1x4", "m:1x4"]
MPIS_OWN = "/usr/share/openmpi/openmpi-valgrind.supp"


def stress(build: ModuleType, folder: Path, *flags: str) -> Path:
    """The program and the engine, compiled with `flags`."""
    build.build_engine(str(folder), ["-g", "-O1", "-DDDL_ONE_VERSION", *flags], list(flags))
    program = folder / "stress"
    words = [
        "g++",
        "-std=c++11",
        "-g",
        "-O1",
        *flags,
        "-I",
        str(NATIVE),
        str(PROGRAMS / "stress.cc"),
        "-o",
        str(program),
    ]
    words += ["-L", str(folder), "-lddl_engine", f"-Wl,-rpath,{folder}", "-pthread"]
    subprocess.run(words, check=True)
    return program


@pytest.fixture(scope="module")
def of_threads(build: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stress(build, tmp_path_factory.mktemp("threads"), "-fsanitize=thread")


@pytest.fixture(scope="module")
def of_addresses(build: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stress(build, tmp_path_factory.mktemp("addresses"), "-fsanitize=address,undefined")


@pytest.fixture(scope="module")
def plain(build: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stress(build, tmp_path_factory.mktemp("plain"))


@pytest.mark.parametrize("mode", MODES)
def test_no_thread_races_with_another(of_threads: Path, mode: str) -> None:
    options = {"TSAN_OPTIONS": "ignore_noninstrumented_modules=1 exitcode=66"}
    done = run_ranks(mpirun_argv(4, str(of_threads), f"-mode {mode}", "3", "12", "9000"), options, 300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("RIGHT") == 4
    assert "ThreadSanitizer" not in done.stderr


@pytest.mark.parametrize("mode", MODES)
def test_no_byte_is_touched_that_is_not_ours(of_addresses: Path, mode: str) -> None:
    # Open MPI leaks by design; what is lost of ours is in the report by name.
    options = {"LSAN_OPTIONS": "exitcode=0", "UBSAN_OPTIONS": "print_stacktrace=1"}
    done = run_ranks(mpirun_argv(4, str(of_addresses), f"-mode {mode}", "3", "12", "9000"), options, 300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("RIGHT") == 4
    assert "AddressSanitizer:" not in done.stderr.replace("SUMMARY: AddressSanitizer: ", "").replace("leaked", "")
    assert "runtime error" not in done.stderr
    assert "in ddl::" not in done.stderr


def test_valgrind_finds_nothing_of_ours(plain: Path) -> None:
    argv = ["valgrind", "--quiet", "--error-exitcode=0", f"--suppressions={MPIS_OWN}", str(plain)]
    done = run_ranks(mpirun_argv(2, *argv, "-mode b:2x1", "2", "3", "2000"), {}, 400)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("RIGHT") == 2
    assert "ddl::" not in done.stderr, done.stderr
