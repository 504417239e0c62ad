import pytest
from ddl.environment import ScalingState
from ddl.learning_rate import looks_unscaled, scale_learning_rate, warmup_factor
from hypothesis import given
from hypothesis import strategies as st

RANKS = st.integers(1, 256)


@given(RANKS, st.floats(0.1, 20))
def test_a_warm_up_goes_from_one_ranks_rate_to_all_ranks_and_never_down(ranks: int, epochs: float) -> None:
    factors = [warmup_factor(epochs * step / 10, epochs, ranks) for step in range(13)]
    assert factors[0] == 1 / ranks
    assert factors[10:] == pytest.approx([1.0] * 3)
    assert factors == sorted(factors)


def test_no_warm_up_is_the_whole_rate_at_once() -> None:
    assert warmup_factor(0, 0, 8) == 1


@pytest.mark.parametrize(
    ("rate", "default", "asked", "unscaled"),
    [
        (0.001, 0.001, True, True),  # an optimizer as it comes
        (0.004, 0.001, True, False),
        (0.004, 0.001, False, True),  # a program that does not know how many ranks there are
        (None, 0.001, True, False),  # a schedule
        (0.1, None, True, False),
        (0.001, 0.001, None, False),  # it had ddl scale it
    ],
)
def test_what_looks_unscaled(rate: float | None, default: float | None, asked: bool | None, unscaled: bool) -> None:
    program = ScalingState(scaled=True) if asked is None else ScalingState(size=asked)
    assert looks_unscaled(rate, default, program) == unscaled


def test_alone_a_rate_is_as_it_was() -> None:
    assert scale_learning_rate(0.1) == 0.1
