"""Where two trainings part, by the files that ddl's guard itself writes; anything else in their place is refused."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.paths import assets
from toolkit.run.comparison.weights import Followed, Parting, followed, read_histories

sys.path.insert(0, str(assets() / "images" / "ddl"))
from ddl.guard.history import Entry, History

VARIABLES = ("dense/kernel", "dense/bias", "dense/kernel")
NAMES = ("dense/kernel [4, 2]", "dense/bias [4, 2]", "dense/kernel [4, 2]")


def written(
    file: Path, digests: dict[int, tuple[int, ...]], interval: int = 100, names: tuple[str, ...] = VARIABLES
) -> bytes:
    """What ddl writes of a training whose variables have these digests after these steps."""
    history = History(file)
    number = history.begin(interval, "weights", [{"name": name, "shape": [4, 2], "dtype": "float32"} for name in names])
    chain = 0
    for step, variables in digests.items():
        chain = hash((chain, variables)) & (2**64 - 1)
        history.add(number, Entry(step, hash(variables) & (2**64 - 1), chain, variables), last=step % interval != 0)
    return file.read_bytes()


def parted(tmp_path: Path, one: dict[int, tuple[int, ...]], other: dict[int, tuple[int, ...]], **more: Any) -> Followed:
    first, second = written(tmp_path / "1", one), written(tmp_path / "2", other, **more)
    return followed(1, read_histories(first), read_histories(second))


TRAINING = {100: (1, 2, 3), 200: (4, 5, 6), 300: (7, 8, 9), 350: (10, 11, 12)}


def test_a_training_is_the_same_as_itself_to_its_last_step(tmp_path: Path) -> None:
    assert parted(tmp_path, TRAINING, TRAINING) == Followed(350)


@pytest.mark.parametrize(
    ("change", "expected", "said"),
    [
        ({100: (1, 2, 0)}, Parting(1, 1, 0, 100, NAMES[2], 1), "steps 1 to 100, first in dense/kernel [4, 2]"),
        (
            {200: (4, 0, 0), 300: (0, 0, 0)},
            Parting(1, 1, 100, 200, NAMES[1], 2),
            "steps 101 to 200, first in dense/bias [4, 2] (and 1 more)",
        ),
        ({350: (0, 11, 12)}, Parting(1, 1, 300, 350, NAMES[0], 1), "steps 301 to 350, first in"),
    ],
)
def test_the_first_interval_and_variable_where_two_trainings_part(
    tmp_path: Path, change: dict[int, tuple[int, ...]], expected: Parting, said: str
) -> None:
    found = parted(tmp_path, TRAINING, TRAINING | change)
    assert found == Followed(350, expected)
    assert said in str(expected)


def test_trainings_that_were_apart_between_two_kept_entries_are_told_by_their_chain() -> None:
    def data(chain: str) -> bytes:
        about = {"kind": "weights", "weights": 1, "name": "w", "interval": 100}
        entry = {"kind": "digest", "weights": 1, "step": 200, "digest": "0" * 16, "chain": chain}
        variables = base64.b64encode(bytes(4)).decode()
        lines = [about | {"variables": [{"name": "a", "shape": []}]}, entry | {"variables": variables}]
        return "\n".join(map(json.dumps, lines)).encode()

    one, other = read_histories(data("1" * 16)), read_histories(data("2" * 16))
    assert followed(1, one, one) == Followed(200)
    assert followed(1, one, other) == Followed(200, Parting(1, 1, 0, 200, "", 0))
    assert str(Parting(1, 1, 0, 200, "", 0)).endswith("weights part in steps 1 to 200, and are equal again by step 200")


def test_common_steps_are_compared_if_the_intervals_differ(tmp_path: Path) -> None:
    fine = {50: (9, 9, 9), 100: (1, 2, 3), 150: (9, 9, 9), 200: (4, 0, 6)}
    found = parted(tmp_path, {100: (1, 2, 3), 200: (4, 5, 6)}, fine, interval=50)
    assert found == Followed(200, Parting(1, 1, 100, 200, NAMES[1], 1))


def test_other_variables_other_lengths_and_other_optimizers_are_told(tmp_path: Path) -> None:
    names = ("dense/kernel", "other/bias", "dense/kernel")
    unlike = parted(tmp_path, TRAINING, TRAINING, names=names).parting
    assert str(unlike) == (
        "command 1: other variables are trained: dense/bias [4, 2] in one run, other/bias [4, 2] in the other"
    )
    longer = parted(tmp_path, TRAINING, {100: (1, 2, 3), 200: (4, 5, 6)}).parting
    assert "one run took 350 steps, the other 200" in str(longer)
    histories = read_histories(written(tmp_path / "3", TRAINING))
    assert "1 optimizers train weights in one run, 2 in the other" in str(followed(1, histories, histories * 2).parting)


DIGESTS = st.tuples(*[st.integers(0, 2**32 - 1)] * 3)
TRAININGS = st.dictionaries(st.integers(1, 20).map(lambda number: 100 * number), DIGESTS, min_size=1, max_size=8)


@given(training=TRAININGS, data=st.data())
def test_a_change_from_a_step_on_is_found_there_and_in_the_first_changed_variable(
    tmp_path_factory: pytest.TempPathFactory, training: dict[int, tuple[int, ...]], data: st.DataObject
) -> None:
    steps = sorted(training)
    training = {step: training[step] for step in steps}
    at = data.draw(st.sampled_from(steps))
    place = data.draw(st.integers(0, 2))
    folder = tmp_path_factory.mktemp("weights")
    other = {
        step: tuple(digest ^ (step >= at and index >= place) for index, digest in enumerate(digests))
        for step, digests in training.items()
    }
    found = parted(folder, training, other)
    before = max((step for step in steps if step < at), default=0)
    assert found == Followed(steps[-1], Parting(1, 1, before, at, NAMES[place], 3 - place))


@given(
    st.binary(max_size=300)
    | st.lists(
        st.sampled_from(
            [
                '{"kind": "format", "format": 1}',
                '{"kind": "format", "format": 2}',
                '{"kind": "weights"}',
                "[]",
                "{}",
                "1",
                '{"kind": "weights", "weights": 1, "interval": 1, "variables": [{"name": "a", "shape": [1e400]}]}',
                '{"kind": "digest", "weights": 1, "step": 1, "digest": "", "chain": "", "variables": "AAAA"}',
                '{"kind": "digest", "weights": -1, "step": 1, "digest": "", "chain": "", "variables": ""}',
            ]
        ),
        max_size=6,
    ).map(lambda lines: "\n".join(lines).encode())
)
def test_whatever_a_program_left_in_its_place_is_read_or_refused(data: bytes) -> None:
    try:
        read_histories(data)
    except ValueError as error:
        assert str(error).startswith("not digests of weights: ")


def test_what_is_too_large_or_too_much_is_refused() -> None:
    with pytest.raises(ValueError, match="larger than 64 MiB"):
        read_histories(bytes((64 << 20) + 1))
    lines = [json.dumps({"kind": "weights", "weights": n, "interval": 1, "variables": []}) for n in range(1, 18)]
    assert len(read_histories("\n".join(lines[:16]).encode())) == 16
    with pytest.raises(ValueError, match="an unknown line"):
        read_histories("\n".join(lines).encode())
