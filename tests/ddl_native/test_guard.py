"""The divergence guard on TensorFlow and Keras, over real mpirun: what it ends, what it lets pass, what it keeps."""

from __future__ import annotations

import ctypes
import json
import re
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from .conftest import NATIVE, PROGRAMS, Finished, mpirun_argv, run_ranks

UNSYNCHRONISED = 86
Guarding = Callable[..., Finished]


@pytest.fixture(scope="session")
def ops_library(build: ModuleType, libraries: Path, tensorflow: Path) -> Path:
    """The folder with both libraries."""
    build.build_tensorflow_ops(str(libraries), str(tensorflow))
    return libraries


@pytest.fixture
def guarding(ops_library: Path) -> Guarding:
    """Runs `guarding.py WAY WRONG [STEPS]`; ranks compare every 10 steps."""

    def run(*words: str, ranks: int = 2, options: str = "", **variables: str) -> Finished:
        argv = mpirun_argv(ranks, sys.executable, str(PROGRAMS / "guarding.py"), *words)
        environment = {
            "DDL_GUARD": "10",
            "DDL_OPTIONS": f"-mode b:{ranks}x1 {options}",
            "LD_LIBRARY_PATH": str(ops_library),
            "PYTHONPATH": str(NATIVE.parent),
            "TRAINING_ID": "training-x",
            "TF_CPP_MIN_LOG_LEVEL": "2",
        }
        return run_ranks(argv, {**environment, **variables}, 400)

    return run


def diverged(done: Finished) -> dict[str, Any]:
    """What the control line says, which a run's supervisor reads."""
    assert done.returncode == UNSYNCHRONISED, done.stdout + done.stderr
    found = re.search(r"^\x1etoolkit unsynchronised (.*)$", done.stdout, re.MULTILINE)
    assert found, done.stdout
    said: dict[str, Any] = json.loads(found[1])
    assert said["why"].startswith("ranks diverged")
    assert said["why"] in done.stderr
    return said


def went_well(done: Finished, ranks: int = 2) -> None:
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("reached the end") == ranks
    assert "unsynchronised" not in done.stdout


@pytest.mark.parametrize("way", ["function", "two", "mixed", "fit-many", "session"])
def test_weights_that_are_the_same_on_all_ranks_are_no_fault(guarding: Guarding, way: str) -> None:
    done = guarding(way, "nothing")
    went_well(done)
    assert "ranks' weights differ" not in done.stderr


@pytest.mark.parametrize(
    "way", ["function", "nested", "retraced", "mixed", "eager", "two", "fit", "fit-many", "fit-eagerly", "session"]
)
def test_weights_beyond_the_tolerance_end_the_job_with_the_interval_and_the_variable(
    guarding: Guarding, way: str
) -> None:
    said = diverged(guarding(way, "much"))
    steps = (61, 70) if way == "fit-many" else (11, 20)  # five steps in each call; rank 1 is harmed after the 13th call
    assert (said["first_step"], said["last_step"]) == steps
    assert said["variable"].endswith("kernel")
    assert 1e-3 < said["difference"] < 1


@pytest.mark.parametrize("way", ["function", "session"])
def test_last_bits_that_differ_are_reported_once_and_tolerated(guarding: Guarding, way: str) -> None:
    done = guarding(way, "little")
    went_well(done)
    assert done.stderr.count("ranks' weights differ in their last bits since steps 11 to 20: ") == 1


@pytest.mark.parametrize(("option", "variables"), [("-guard-tolerance 0", {}), ("", {"DDL_GUARD_TOLERANCE": "0"})])
def test_without_a_tolerance_the_last_bits_count(guarding: Guarding, option: str, variables: dict[str, str]) -> None:
    said = diverged(guarding("function", "little", options=option, **variables))
    assert 0 < said["difference"] < 1e-4


def test_what_is_not_finite_on_one_rank_alone_is_beyond_any_tolerance(guarding: Guarding) -> None:
    said = diverged(guarding("function", "not-finite", "13", DDL_GUARD_TOLERANCE="1e9"))
    assert "is not finite on some ranks only" in said["why"]
    assert said["difference"] is None


def test_the_rank_that_is_unlike_the_others_is_named(guarding: Guarding) -> None:
    assert "; rank 1 differs from the others" in diverged(guarding("function", "much", ranks=3))["why"]


def test_a_rank_whose_gradients_are_not_averaged_is_found_by_its_first_comparison(guarding: Guarding) -> None:
    said = diverged(guarding("function", "not-averaged"))
    assert "rank 1 has taken 1 steps, but gradients were averaged over all ranks 0 times" in said["why"]
    assert "rank 0 waits for rank 1" in said["why"]
    assert said["last_step"] == 1


def test_an_optimizer_whose_hook_is_gone_is_refused_before_its_first_step(guarding: Guarding) -> None:
    done = guarding("function", "unhooked")
    why = diverged(done)["why"]
    assert "by gradients of this rank alone: ddl did not average them" in why
    assert "RuntimeError: in user code:" in done.stderr  # with the place in the program


@pytest.mark.parametrize("steps", ["20", "1000"])
def test_a_rank_that_trains_by_itself_is_found_while_it_does_or_when_it_ends(guarding: Guarding, steps: str) -> None:
    said = diverged(guarding("function", "alone", steps))
    assert "rank 1 trains by itself" in said["why"]
    assert "gradient of " in said["why"]
    assert "rank 0 waits for rank 1" in said["why"]


@pytest.mark.parametrize("steps", ["20", "1000"])
def test_ranks_that_all_train_by_themselves_do_not_end_well(guarding: Guarding, steps: str) -> None:
    diverged(guarding("function", "all-alone", steps))


def test_what_ranks_end_with_is_compared_too(guarding: Guarding) -> None:
    said = diverged(guarding("function", "at-end", "13"))
    assert (said["first_step"], said["last_step"]) == (11, 13)
    assert said["variable"].endswith("bias")


def test_rank_0_may_restore_a_checkpoint_by_itself_when_all_is_trained(guarding: Guarding) -> None:
    went_well(guarding("function", "rank-0-restores", "13"))


@pytest.mark.parametrize(
    ("wrong", "variables"), [("excluded", {}), ("at-end", {"DDL_GUARD_EXCLUDE": "nothing,*/bias*"})]
)
def test_variables_that_are_meant_to_differ_are_left_out(
    guarding: Guarding, wrong: str, variables: dict[str, str]
) -> None:
    went_well(guarding("function", wrong, "13", **variables))


def test_what_is_excluded_on_one_rank_only_is_reported(guarding: Guarding) -> None:
    assert "guard different variables" in diverged(guarding("function", "excluded-on-one"))["why"]


def test_a_rank_that_has_fewer_steps_is_reported_as_shut_down(guarding: Guarding) -> None:
    done = guarding("function", "more-steps")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "rank 0 waits; rank 1 has shut down" in done.stderr


@pytest.mark.parametrize(("option", "variables"), [("-guard 0", {}), ("", {"DDL_GUARD": "0"})])
def test_it_can_be_switched_off(guarding: Guarding, option: str, variables: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "weights.jsonl"
    went_well(guarding("function", "much", options=option, DDL_GUARD_FILE=str(file), **variables))
    assert not file.exists()


def test_digests_are_stored_at_each_interval_and_at_the_end(guarding: Guarding, tmp_path: Path) -> None:
    files = [tmp_path / "one.jsonl", tmp_path / "another.jsonl"]
    for file in files:
        went_well(guarding("function", "nothing", DDL_GUARD_FILE=str(file)))
    lines = [json.loads(line) for line in files[0].read_text().splitlines()]
    assert [line["kind"] for line in lines] == ["format", "weights", "digest", "digest", "digest"]
    assert [line["step"] for line in lines[2:]] == [10, 20, 25]
    assert [one["shape"] for one in lines[1]["variables"]] == [[4, 6], [6], [6, 1], [1]]
    assert len({line["digest"] for line in lines[2:]}) == 3
    assert files[0].read_text() == files[1].read_text()  # two runs that never part


def test_ranks_with_different_settings_are_refused_at_the_start(ops_library: Path) -> None:
    program = "import os; os.environ['DDL_GUARD'] = os.environ['OMPI_COMM_WORLD_RANK'] + '0'; import ddl"
    argv = mpirun_argv(2, sys.executable, "-c", program)
    variables = {"DDL_OPTIONS": "-mode b:2x1", "LD_LIBRARY_PATH": str(ops_library), "PYTHONPATH": str(NATIVE.parent)}
    done = run_ranks(argv, variables, 60)
    assert done.returncode == 1
    assert "ranks have set the divergence guard differently; rank " in done.stderr


def digest_by_hand(data: bytes) -> int:
    """What engine/digest.cc computes, written down once more."""
    bits, factor = 2**64 - 1, 0x9E3779B97F4A7C15

    def avalanche(value: int) -> int:
        value = (value ^ value >> 33) * 0xFF51AFD7ED558CCD & bits
        value = (value ^ value >> 33) * 0xC4CEB9FE1A85EC53 & bits
        return value ^ value >> 33

    def mix(lane: int, word: int) -> int:
        product = (lane ^ word) * factor & bits
        return (product << 29 | product >> 35) & bits

    lanes = [factor * (lane + 1) & bits for lane in range(8)]
    padded = data + bytes(-len(data) % 64)
    for start in range(0, len(padded), 64):
        words = struct.unpack_from("<8Q", padded, start)
        lanes = [mix(lane, word) for lane, word in zip(lanes, words, strict=True)]
    result = len(data)
    for lane in lanes:
        result = mix(result, avalanche(lane))
    return avalanche(result)


@pytest.fixture(scope="session")
def digest(libraries: Path) -> Callable[[bytes], int]:
    """The engine's."""
    engine = ctypes.CDLL(str(libraries / "libddl_engine.so"))
    engine.ddl_digest.restype, engine.ddl_digest.argtypes = ctypes.c_uint64, [ctypes.c_char_p, ctypes.c_int64]
    return lambda data: engine.ddl_digest(data, len(data))


def test_digests_that_are_kept_for_years_stay_what_they_are(digest: Callable[[bytes], int]) -> None:
    assert digest(b"") == 0x5776C30F3CAAF3F0
    assert digest(bytes(range(200))) == 0xCFC0B16D0C96BA5D


@given(st.binary(max_size=300))
def test_a_digest_is_what_its_definition_says(digest: Callable[[bytes], int], data: bytes) -> None:
    assert digest(data) == digest_by_hand(data)


@given(st.binary(min_size=1, max_size=300), st.data())
def test_a_digest_changes_with_any_bit_and_with_the_length(
    digest: Callable[[bytes], int], data: bytes, draw: st.DataObject
) -> None:
    place = draw.draw(st.integers(0, 8 * len(data) - 1))
    other = bytearray(data)
    other[place // 8] ^= 1 << place % 8
    assert digest(data) != digest(bytes(other))
    assert digest(data) != digest(data + b"\0")
