"""An error as a person reads it, and as a script does."""

from __future__ import annotations

import pytest

from toolkit.errors import Code, Place, Problem, ToolkitError


@pytest.mark.parametrize(
    ("code", "label", "status"),
    [
        (Code.RESOURCES, "S100", 3),
        (Code.IMAGE, "S103", 3),
        (Code.LOADING_DATA, "S302", 3),
        (Code.STORING_RESULTS, "S303", 3),
        (Code.MANIFEST, "C101", 2),
        (Code.CODE, "C102", 2),
        (Code.CREDENTIALS, "C103", 4),
        (Code.RESOURCES_ASKED, "C104", 2),
        (Code.PROGRAM_FAILED, "C201", 1),
        (Code.MODEL_CHECK, "C202", 5),
    ],
)
def test_codes_are_the_contracts_and_each_has_its_status(code: Code, label: str, status: int) -> None:
    assert (code.label, code.exit_status) == (label, status)


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (Problem("bad"), "bad"),
        (Problem("bad", Place("m.yml")), "m.yml: bad"),
        (Problem("bad", Place("m.yml", 3, 5), "a.b"), "m.yml:3:5: a.b: bad"),
        (Problem("bad", Place("m.yml", 3, 5), "a", "  a: x"), "m.yml:3:5: a: bad\n      a: x\n        ^"),
    ],
)
def test_a_problem_says_where_it_is(problem: Problem, text: str) -> None:
    assert str(problem) == text


def test_a_caret_stands_under_the_column() -> None:
    _, line, caret = str(Problem("bad", Place("m.yml", 1, 4), "", "a: x")).splitlines()
    assert line[caret.index("^")] == "x"


ERROR = ToolkitError(
    Code.IMAGE, "it broke", (Problem("bad", Place("r.yml", 1, 1)),), "said one\nsaid two\n", "fix it", {"reason": "r"}
)


def test_an_error_tells_what_where_its_evidence_and_what_to_do_next() -> None:
    assert str(ERROR).splitlines() == [
        "S103 it broke",
        "  r.yml:1:1: bad",
        "  | said one",
        "  | said two",
        "  next: fix it",
    ]
    assert str(ToolkitError(Code.CODE, "only this")) == "C102 only this"


def test_an_error_is_the_same_for_machines() -> None:
    assert ERROR.as_json() == {
        "error": "S103",
        "what": "it broke",
        "problems": ["r.yml:1:1: bad"],
        "evidence": "said one\nsaid two\n",
        "hint": "fix it",
        "reason": "r",
    }
