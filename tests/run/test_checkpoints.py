"""Which checkpoints a run has, from the names, sizes and times of its files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.errors import ToolkitError
from toolkit.run.records.checkpoints import (
    Checkpoint,
    Stored,
    choose,
    find_checkpoints,
    may_be_checkpoint,
)

RUN = "training-abcd2345"
STATE = b'model_checkpoint_path: "mnist-20"\nall_model_checkpoint_paths: "mnist-10"\n'


def files(*paths: str) -> list[Stored]:
    return [Stored(path, 10, 100.0 + number) for number, path in enumerate(paths)]


def tensorflow(prefix: str, shards: int = 1) -> list[str]:
    return [f"{prefix}.index", *(f"{prefix}.data-{one:05}-of-{shards:05}" for one in range(shards)), f"{prefix}.meta"]


def test_tensorflows_files_are_one_checkpoint_and_its_list_names_the_latest() -> None:
    there = files(*tensorflow("r/mnist-10"), *tensorflow("r/mnist-20", 2), "r/checkpoint", "r/mnist_basegraph.meta")
    assert find_checkpoints(there, {"r/checkpoint": STATE}) == [
        Checkpoint(10, "tensorflow", "r/mnist-10", tuple(sorted(tensorflow("r/mnist-10"))), 30, 102.0),
        Checkpoint(20, "tensorflow", "r/mnist-20", tuple(sorted(tensorflow("r/mnist-20", 2))), 40, 106.0, latest=True),
    ]


@pytest.mark.parametrize(
    ("there", "fault"),
    [
        (["m-1.index"], "it has no .data"),
        (["m-1.data-00000-of-00001"], "it has no .index"),
        (["m-1.index", "m-1.data-00000-of-00002"], "it has 1 of 2 .data files"),
        (["m-1.index", "m-1.data-00000-of-00002", "m-1.data-00000-of-00001"], "it has 2 of 2 .data files"),
    ],
)
def test_a_checkpoint_that_lacks_a_file_is_not_complete(there: list[str], fault: str) -> None:
    assert [one.fault for one in find_checkpoints(files(*there))] == [fault]


def test_an_empty_file_is_not_complete() -> None:
    assert find_checkpoints([Stored("a.keras", 0, 0.0)])[0].fault == "the file is empty"
    part = [Stored("m-1.index", 0, 0.0), Stored("m-1.data-00000-of-00001", 5, 0.0)]
    assert find_checkpoints(part)[0].fault == "its .index is empty"


def test_a_checkpoint_that_only_the_list_names_is_not_complete() -> None:
    absolute = b'model_checkpoint_path: "/mnt/results/b/training-abcd2345/ck/mnist-30"'
    found = find_checkpoints([], {"r/ck/checkpoint": absolute})
    assert found == [Checkpoint(30, "tensorflow", "r/ck/mnist-30", (), 0, 0.0, "its files are not there", True)]


def test_a_saved_models_weights_are_no_checkpoint() -> None:
    assert find_checkpoints(files(*tensorflow("r/export/variables/variables"), "r/graph.meta")) == []
    assert [
        may_be_checkpoint(f"{RUN}/{path}", RUN) for path in ("model/a.h5", "_submitted_code/a.pt", "a/model/b.h5")
    ] == [*(False, False, True)]
    assert may_be_checkpoint("_wml_checkpoints/model/a.h5", RUN)


@pytest.mark.parametrize(
    ("path", "format_", "number"),
    [
        ("r/weights.05-0.32.h5", "keras", 5),
        ("r/model-0007.keras", "keras", 7),
        ("r/ckpt_epoch_12.weights.h5", "keras", 12),
        ("r/epoch=3-step=1000.pt", "pytorch", 1000),
        ("r/resnet50_12.pth", "pytorch", 12),
        ("r/resnet50.pth", "pytorch", None),
        ("r/step-40/state.pt", "pytorch", 40),
        ("r/best.pt", "pytorch", None),
        ("r/loss-0.125.pt", "pytorch", None),
        ("_wml_checkpoints/x/12.pt", "pytorch", 12),
    ],
)
def test_formats_and_numbers_are_in_the_names(path: str, format_: str, number: int | None) -> None:
    assert [(one.format, one.number) for one in find_checkpoints(files(path))] == [(format_, number)]


def test_logs_and_data_are_no_checkpoints() -> None:
    assert find_checkpoints(files("r/events.out", "r/x.npy", "r/index", "r/checkpoint", "r/data-00000-of-00001")) == []


@given(st.lists(st.tuples(st.text(max_size=20), st.integers(0, 9))), st.binary(max_size=200))
def test_whatever_the_names_each_file_is_in_one_checkpoint_at_most(named: list[tuple[str, int]], state: bytes) -> None:
    ends = (".index", ".data-00000-of-00001", ".h5", ".pt", "", "-5.index")
    there = {f"{name}{ends[size % len(ends)]}": size for name, size in named}
    found = find_checkpoints([Stored(path, size, 0.0) for path, size in there.items()], {"a/checkpoint": state})
    used = [path for one in found for path in one.files]
    assert len(used) == len(set(used))
    assert set(used) <= there.keys()
    assert sum(one.size for one in found) == sum(there[path] for path in used)


TWO = find_checkpoints(files(*tensorflow("r/m-10"), *tensorflow("r/m-20"), "r/m-30.index"))


@pytest.mark.parametrize(
    ("word", "path"), [("20", "r/m-20"), ("-20", "r/m-20"), ("010", "r/m-10"), ("r/m-10", "r/m-10"), ("m-10", "r/m-10")]
)
def test_a_number_or_a_path_means_a_checkpoint(word: str, path: str) -> None:
    assert choose(TWO, word, "r").path == path


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("21", f"{RUN} has no checkpoint '21'; there are: 10, 20, 30"),
        ("m-11", f"{RUN} has no checkpoint 'm-11'; there are: 10, 20, 30"),
        ("30", f"checkpoint 30 of {RUN} is not complete: it has no .data"),
    ],
)
def test_a_checkpoint_that_is_not_there_is_an_error_that_says_which_are(word: str, said: str) -> None:
    with pytest.raises(ToolkitError) as caught:
        choose(TWO, word, RUN)
    assert caught.value.what == said


def test_a_path_that_is_no_value_of_a_variable_is_refused() -> None:
    with pytest.raises(ToolkitError, match="has control characters"):
        choose(find_checkpoints(files("r/new\nline-7.pt")), "7", RUN)


def test_the_complete_one_of_two_is_meant_and_two_complete_ones_are_named() -> None:
    assert choose(find_checkpoints(files("a-1.index", "b-1.pt")), "1", RUN).path == "b-1.pt"
    with pytest.raises(ToolkitError, match=r"several checkpoints 1: a-1\.pt, b-1\.pt"):
        choose(find_checkpoints(files("a-1.pt", "b-1.pt")), "1", RUN)
