"""Which objects are collected under which names, and what is said of a model that is not complete."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.run.finish.selection import Selection, model_fault, no_match, no_model, what_is_there

PATHS = (
    *("model/saved_model.pb", "_submitted_code/train.py", "logs/events.1", "logs/deep/events.2", "weights.h5"),
    *("learner-1/training-log.txt", "model", "model2/x"),
)


def names(selection: Selection, paths: Iterable[str] = PATHS) -> list[str]:
    return [name for path in paths for name in selection.names(path)]


MODEL = ["model/saved_model.pb", "code/train.py"]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["model"], [*MODEL, "files/weights.h5"]),
        (["*.h5"], ["files/weights.h5"]),
        (["/events*"], []),
        (["events*", "!events.2"], ["files/logs/events.1"]),
        (["logs/"], ["files/logs/events.1", "files/logs/deep/events.2"]),
        (["model/*.pb"], ["files/model/saved_model.pb"]),
        (["model", "learner-*"], [*MODEL, "files/weights.h5", "files/learner-1/training-log.txt"]),
    ],
)
def test_words_select_files_by_their_paths(words: list[str], found: list[str]) -> None:
    assert names(Selection(tuple(words), ("weights.h5",))) == found


def test_all_is_everything_once() -> None:
    found = names(Selection(("all",), ("weights.h5",)))
    assert sorted(found) == sorted([*MODEL, *(f"files/{path}" for path in PATHS[2:])])


def test_all_but_some_is_everything_else() -> None:
    found = names(Selection(("all", "!*.h5", "!logs/")))
    assert sorted(found) == sorted([*MODEL, *(f"files/{path}" for path in PATHS[5:])])


def test_only_taking_out_selects_nothing_and_is_named() -> None:
    assert Selection(("!*.h5",)).unmatched(PATHS) == ["!*.h5"]
    assert Selection(("all", "!*.h5")).unmatched(PATHS) == []


def test_what_was_collected_earlier_stays_and_a_model_stays_whole() -> None:
    earlier = {"model/other", "files/logs/events.1"}
    assert names(Selection(("*.h5",), (), earlier)) == [*MODEL, "files/logs/events.1", "files/weights.h5"]


@pytest.mark.parametrize(
    ("words", "earlier", "places"),
    [
        (("model",), (), ("model", "_submitted_code", "plots")),
        (("model",), ("code/a", "model/b", "files/plots/c"), ("model", "_submitted_code", "plots")),
        (("model",), ("files/other",), ("",)),
        (("model", "*.h5"), (), ("",)),
        (("all",), (), ("",)),
    ],
)
def test_only_what_may_be_selected_is_listed(words: tuple[str, ...], earlier: tuple[str, ...], places: tuple) -> None:
    assert Selection(words, ("plots",), earlier).places == places


@given(
    st.lists(st.sampled_from(["model", "all", "*.h5", "logs/", "/model*"]), min_size=1),
    st.lists(st.sampled_from([*MODEL, "files/weights.h5", "files/logs/events.1"])),
)
def test_nothing_is_selected_that_is_not_listed(words: list[str], earlier: list[str]) -> None:
    selection = Selection(tuple(words), ("weights.h5",), earlier)
    listed = [path for path in PATHS if any(path.startswith(place) for place in selection.places)]
    assert names(selection) == names(selection, listed)


def test_patterns_without_a_match_are_named() -> None:
    assert Selection(("model", "*.h5", "*.keras", "!x")).unmatched(PATHS) == ["*.keras"]


WHOLE = {"saved_model.pb": 9, "variables/variables.index": 1, "variables/variables.data-00000-of-00001": 5}


@pytest.mark.parametrize(
    ("sizes", "fault"),
    [
        (WHOLE, ""),
        ({"saved_model.pb": 9}, ""),
        ({"saved_model.pbtxt": 9, "assets/words": 0}, ""),
        ({}, "has no folder model/"),
        ({"notes.txt": 9}, "has a folder model/ without saved_model.pb"),
        ({"1/saved_model.pb": 9}, "has a folder model/ without saved_model.pb"),
        (WHOLE | {"saved_model.pb": 0}, "has an empty model/saved_model.pb"),
        (
            {name: size for name, size in WHOLE.items() if "data" not in name},
            "has model/variables/variables.index without the weights (variables.data-…)",
        ),
        (
            {name: size for name, size in WHOLE.items() if "index" not in name},
            "has weights without model/variables/variables.index",
        ),
        (
            {"saved_model.pb": 9, "variables/variables.index": 1, "variables/variables.data-00001-of-00003": 5},
            "has 1 of 3 parts of the model's weights",
        ),
    ],
)
def test_a_model_that_is_not_complete_is_named(sizes: dict[str, int], fault: str) -> None:
    assert model_fault(sizes) == fault


def test_what_is_there_is_listed_with_its_size() -> None:
    sizes = [("logs/a", 1_500), ("weights.h5", 27_000_000), ("logs/b/c", 500), ("model/x", 1)]
    assert what_is_there(sizes) == ["logs/  2 files, 2.0 kB", "model/  1 file, 1 B", "weights.h5  27.0 MB"]
    assert what_is_there((f"{number:03}", 1) for number in range(23))[-2:] == ["019  1 B", "and 3 more"]


def test_the_errors_say_what_is_there_and_what_to_do() -> None:
    error = no_model("models/training-abcd2345/", "training-abcd2345", "FAILED", "has no folder model/", [("x.pt", 5)])
    assert error.evidence == "there is:\nx.pt  5 B"
    assert error.hint.endswith(
        "toolkit collect training-abcd2345 --what PATTERN, toolkit checkpoints training-abcd2345"
    )
    nothing = no_model("models/training-abcd2345/", "training-abcd2345", "FAILED", "has no folder model/", [])
    assert (nothing.evidence, nothing.hint) == (
        "there is:\nnothing",
        "the run ended as FAILED; its program must write RESULT_DIR/model",
    )
    assert "'*.h5'" in no_match("models/training-abcd2345/", ["*.h5"], []).what
