"""What completes the last word of a command line, as values; real shells are in test_completion_in_shells."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.api.catalogue import catalogue
from toolkit.cli.complete import FILES, FOLDERS, FRAMEWORKS, IMAGES, KINDS, RUNS, Completion, complete
from toolkit.cli.completion import (
    as_lines,
    framework_names,
    image_names,
    joined_at_equals,
    option_before_value,
    run_ids,
)
from toolkit.cli.main import parser
from toolkit.paths import assets
from toolkit.run.records.record_store import Records

TOP = parser()
NAMES = {
    RUNS: ["training-newe2345", "training-olde2345"],
    FRAMEWORKS: ["tensorflow", "tensorflow-ddl"],
    IMAGES: ["tensorflow-2.21-py3.13-cpu"],
}
NOTHING = {
    *("N", "NAME", "VERSION", "TIME", "PACKAGE", "COMMAND", "KIND", "URL", "BUCKET", "ADDRESS", "HOST:PORT/NAME"),
    *("HOST:PORT/NAME:TAG", "-- WORD", "WHAT", "X", "REFERENCE"),
}
"""Names of arguments that no list and no path completes."""


def completed(words: Sequence[str]) -> Completion:
    return complete(TOP, words, lambda kind: NAMES[kind])


@pytest.mark.parametrize(
    ("words", "candidates", "paths"),
    [
        (["lau"], ["launch"], ""),
        (["r"], ["runs", "retry", "resume", "reproduce", "report", "record", "rescue"], ""),
        (["images", "li"], ["list", "licences"], ""),
        (["images", "list", ""], ["--help", "--json"], ""),
        (["images", "show", ""], NAMES[IMAGES], ""),
        (["images", "diff", "a", "tensorflow-2"], NAMES[IMAGES], ""),
        (["images", "diff", "a", "b", ""], ["--help", "--json"], ""),
        (["launch", ""], [], FILES),
        (["launch", "m.yml", "--cl"], ["--cluster"], ""),
        (["launch", "--cluster", ""], [], FILES),
        (["launch", "--cluster=c"], [], FILES),
        (["launch", "--code", ""], [], FOLDERS),
        (["launch", "--cluster", "--wait", "--w"], ["--wait"], ""),
        (["launch", "--wait", "--w"], [], ""),
        (["launch", "m.yml", "x"], [], ""),
        (["build", "--flavour", ""], ["cpu", "cuda"], ""),
        (["build", "--flavour=cu"], ["--flavour=cuda"], ""),
        (["build", "--fla=cu"], ["--fla=cuda"], ""),
        (["build", "--image", "x", "--im"], ["--image"], ""),
        (["build", "--", "--im"], [], FILES),
        (["lock", ""], [*NAMES[IMAGES], *NAMES[FRAMEWORKS]], FILES),
        (["lock", "a", "b", "tensorflow-d"], ["tensorflow-ddl"], FILES),
        (["cluster", ""], ["show", "trust", "connect"], ""),
        (["cluster", "connect", ""], [], FILES),
        (["cluster", "connect", "c.yml", "--c"], ["--close"], ""),
        (["bundle", ""], ["load"], FILES),
        (["bundle", "m.yml", ""], [], FILES),
        (["bundle", "load", "--no"], ["--no-images"], ""),
        (["collect", "training-o"], ["training-olde2345"], ""),
        (["collect", "ne"], ["newe2345"], ""),
        (["collect", ""], NAMES[RUNS], ""),
        (["show", "training-newe2345", "tr"], [], ""),
        (["completion", ""], ["bash", "zsh", "fish"], ""),
        (["frameworks", ""], NAMES[FRAMEWORKS], ""),
        (["nothing", "such"], [], ""),
        (["-"], ["--help", "--version"], ""),
    ],
)
def test_what_can_stand_there_is_offered(words: list[str], candidates: list[str], paths: str) -> None:
    found = completed(words)
    assert ([one.word for one in found.candidates], found.paths) == (candidates, paths)


def test_no_word_at_all_is_every_command() -> None:
    assert [one.word for one in completed([]).candidates] == list(TOP.commands)
    assert completed(["launc"]).candidates[0].meaning == "Run a manifest's commands on a cluster and store the results"


@given(st.lists(st.sampled_from([*TOP.commands, "list", "load", "--json", "--cluster", "--", "--x=", "-", "", "a"])))
def test_whatever_was_typed_candidates_begin_with_it(words: list[str]) -> None:
    current = words[-1] if words else ""
    assert [one for one in completed(words).candidates if not one.word.startswith(current)] == []


def test_every_argument_is_completed_or_known_to_have_nothing() -> None:
    names = {
        name
        for command in TOP.every()
        for action in command._actions
        if action.metavar and action.choices is None
        for name in str(action.metavar).split("|")
    }
    assert names == KINDS.keys() | NOTHING


def test_every_option_has_one_value_or_none() -> None:
    options = [action for command in TOP.every() for action in command._actions if action.option_strings]
    assert {action.nargs for action in options} == {None, 0}


def test_frameworks_and_images_are_those_of_the_catalogue() -> None:
    rows = catalogue()
    assert framework_names(assets() / "images") == sorted({row.framework for row in rows})
    variants = {row.recipe.name for row in rows if f"-{row.compat}-" in row.recipe.name}
    assert image_names(assets() / "images") == sorted({row.recipe.name for row in rows} - variants)
    assert {name.replace("-tf1-", "-") for name in variants} < set(image_names(assets() / "images"))


def test_runs_are_those_that_are_recorded_newest_first(tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    folder.mkdir()
    names = ["training-abcd2345", "training-zzzz2345", "training-UPPER345", "training-abcd23456", "training-a\nb", "x"]
    for age, name in enumerate(names):
        (folder / f"{name}.json").touch()
        os.utime(folder / f"{name}.json", (1000 - age, 1000 - age))
    (folder / "training-aaaa2345.json.part").touch()
    assert run_ids(folder) == ["training-abcd2345", "training-zzzz2345"]
    assert run_ids(folder) == Records(tmp_path).newest()
    assert run_ids(tmp_path / "none") == []


@pytest.mark.parametrize(
    ("words", "joined", "aside"),
    [
        ([], [], ""),
        (["build", ""], ["build", ""], ""),
        (["build", "--flavour", "=", "cu"], ["build", "--flavour=cu"], "--flavour="),
        (["build", "--flavour", "="], ["build", "--flavour="], "--flavour="),
        (["build", "--flavour", "=", "cuda", "m"], ["build", "--flavour=cuda", "m"], ""),
        (["a", "=", "b"], ["a", "=", "b"], ""),
        (["="], ["="], ""),
    ],
)
def test_what_bash_takes_apart_is_put_together(words: list[str], joined: list[str], aside: str) -> None:
    assert joined_at_equals(words) == joined
    assert option_before_value(joined) == aside


def test_lines_leave_out_what_the_shell_has_put_aside() -> None:
    assert as_lines(completed(["build", "--flavour=cu"]), "--flavour=") == ["cuda\t"]
    assert as_lines(completed(["build", "--flavour=cu"]), "") == ["--flavour=cuda\t"]
    assert as_lines(completed(["launch", ""]), "") == [":files"]
