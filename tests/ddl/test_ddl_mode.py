import math

import pytest
from ddl.mode import ALGORITHMS, Mode, parse_mode
from hypothesis import given
from hypothesis import strategies as st


@given(st.sampled_from(sorted(ALGORITHMS)), st.lists(st.integers(1, 99), min_size=1, max_size=4))
def test_reads_what_it_writes(algorithm: str, dims: list[int]) -> None:
    mode = Mode(algorithm, tuple(dims))
    assert parse_mode(str(mode), ranks=math.prod(dims)) == mode


def test_dims_are_gpus_per_host_times_hosts() -> None:
    mode = parse_mode("  -mode   b:4x2 ", ranks=8)
    assert mode == Mode("b", (4, 2))
    assert str(mode) == "-mode b:4x2"


@pytest.mark.parametrize("more", ["-wire fp16", "-wire bf16", "-stall 5", "-stall 2.5 -wire fp16", "-explore 0"])
def test_the_engines_own_options_may_come_before_or_behind(more: str) -> None:
    assert parse_mode(f"-mode p:1x2 {more}", ranks=2) == parse_mode(f"{more} -mode p:1x2", 2) == Mode("p", (1, 2))


@pytest.mark.parametrize(
    "options",
    ["", "p:1x2", "-mode", "-mode p", "-mode p:", "-mode x:1x2", "-mode p:1x", "-mode p:0x2", "-mode p:1x2x1x1x1",
     "-mode p:-1x2", "-mode p:1 x2", "-mode P:1x2", "-mode p:1x2 -more", "--mode p:1x2", "-mode p:1x2 -wire fp8",
     "-mode p:1x2 -stall soon", "-mode p:1x2 -explore", "-wire fp16", "-mode p:1x2 -mode p:1x2", "-mode p:1x2 -wire"],
)  # fmt: skip
def test_refuses_other_forms_and_shows_the_right_one(options: str) -> None:
    with pytest.raises(ValueError, match="-mode p:1x2'") as refusal:
        parse_mode(options, ranks=2)
    assert repr(options) in str(refusal.value)


@pytest.mark.parametrize(("options", "ranks"), [("-mode p:1x2", 1), ("-mode p:2x3", 5), ("-mode n:4", 8)])
def test_says_both_numbers_where_they_differ(options: str, ranks: int) -> None:
    stands_for = {"-mode p:1x2": 2, "-mode p:2x3": 6, "-mode n:4": 4}[options]
    with pytest.raises(ValueError, match=f"'{options}' is for {stands_for} ranks, but this job has {ranks}$"):
        parse_mode(options, ranks)
