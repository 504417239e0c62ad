"""The engine under ThreadSanitizer, AddressSanitizer with UndefinedBehaviorSanitizer, and valgrind.

They see one process each: what ranks do to each other's shared memory is for the tests of values. Open MPI itself is
not compiled with them, so what is reported of its inside is left out.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from . import stand_in
from .conftest import NATIVE, PROGRAMS, mpirun_argv, run_ranks

MODES = ["b:2x2", "r:1x4", "m:1x4", "n:4x1 gpu", "b:4x1 gpu"]
MPIS_OWN = "/usr/share/openmpi/openmpi-valgrind.supp"


def stress(build: ModuleType, folder: Path, headers: list[str], *flags: str) -> Path:
    """The program, the engine and its NCCL library, compiled with `flags`; in `gpu/` the stand-in for one."""
    ours = ["-g", "-O1", *flags]
    build.build_engine(str(folder), ["-DDDL_ONE_VERSION", *ours], list(flags))
    build.build_nccl(str(folder), headers, ours, list(flags))
    (folder / "gpu").mkdir()
    stand_in.compile_stand_in(build, headers, folder / "gpu", ours)
    program = folder / "stress"
    words = ["g++", "-std=c++11", *ours, "-I", str(NATIVE), str(PROGRAMS / "stress.cc"), "-o", str(program)]
    words += ["-L", str(folder), "-lddl_engine", f"-Wl,-rpath,{folder}", "-pthread", "-ldl"]
    subprocess.run(words, check=True)
    return program


@pytest.fixture(scope="module")
def with_thread_sanitizer(build: ModuleType, headers: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stress(build, tmp_path_factory.mktemp("threads"), headers, "-fsanitize=thread")


@pytest.fixture(scope="module")
def with_address_sanitizer(build: ModuleType, headers: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stress(build, tmp_path_factory.mktemp("addresses"), headers, "-fsanitize=address,undefined")


@pytest.fixture(scope="module")
def plain(build: ModuleType, headers: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stress(build, tmp_path_factory.mktemp("plain"), headers)


def stress_argv(program: Path, mode: str, rounds: str) -> list[str]:
    """Four ranks of it; where `mode` ends in `gpu`, with tensors there."""
    options, _, place = mode.partition(" ")
    return mpirun_argv(4, str(program), f"-mode {options}", "3", rounds, "9000", *([place] if place else ()))


@pytest.mark.parametrize("mode", MODES)
def test_no_thread_races_with_another(with_thread_sanitizer: Path, mode: str) -> None:
    options = {
        "LD_LIBRARY_PATH": str(with_thread_sanitizer.parent / "gpu"),
        "TSAN_OPTIONS": "ignore_noninstrumented_modules=1 exitcode=66",
    }
    done = run_ranks(stress_argv(with_thread_sanitizer, mode, "12"), options, 300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("RIGHT") == 4
    assert "ThreadSanitizer" not in done.stderr


def leaks_of_ours(report: str) -> list[str]:
    """The leaks that our own functions made, not Open MPI where they call it: it leaks by design."""
    lost = []
    for leak in re.findall(r"leak of .*\n((?: +#\d+ .*\n)+)", report):
        frames = re.findall(r"#\d+ 0x\w+ +(?:in )?(.*)", leak)
        makers = [frame for frame in frames if not re.match(r"__interceptor_|operator new|(void )?std::", frame)]
        if makers and makers[0].startswith(("ddl::", "ddl_", "(anonymous namespace)")):
            lost.append(leak)
    return lost


@pytest.mark.parametrize("mode", MODES)
def test_no_byte_is_touched_that_is_not_ours(with_address_sanitizer: Path, mode: str, tmp_path: Path) -> None:
    options = {
        "ASAN_OPTIONS": f"log_path={tmp_path}/report",
        "LSAN_OPTIONS": "exitcode=0",
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }
    there = stand_in.variables(with_address_sanitizer.parent / "gpu", **options)
    done = run_ranks(stress_argv(with_address_sanitizer, mode, "12"), there, 300)
    report = "".join(file.read_text(errors="replace") for file in sorted(tmp_path.glob("report.*")))
    assert done.returncode == 0, done.stdout + done.stderr + report
    assert done.stdout.count("RIGHT") == 4
    assert "ERROR: AddressSanitizer" not in report
    assert "runtime error" not in report + done.stderr
    assert "ERROR: LeakSanitizer" in report  # that leaks are looked for shows in Open MPI's
    assert not leaks_of_ours(report)


def test_valgrind_finds_nothing_of_ours(plain: Path) -> None:
    argv = ["valgrind", "--quiet", "--error-exitcode=0", f"--suppressions={MPIS_OWN}", str(plain)]
    done = run_ranks(mpirun_argv(2, *argv, "-mode b:2x1", "2", "3", "2000"), {}, 400)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("RIGHT") == 2
    assert "ddl::" not in done.stderr, done.stderr
