"""What a person's code needs, read from the files that people already have."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolkit.additions.read import read_additions
from toolkit.additions.stages import changed, whiteouts
from toolkit.catalogue.model import Additions
from toolkit.errors import ToolkitError
from toolkit.image.tree_facts import FileFacts


def test_code_that_asks_for_nothing_adds_nothing(tmp_path: Path) -> None:
    assert read_additions(tmp_path, ()) is None


def test_requirements_are_read_without_comments(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text(
        "# plots\nmatplotlib>=3.8  # newest\n\nfire[x]==0.7; python_version<'4'\n"
    )
    assert read_additions(tmp_path, ()) == Additions(
        ("matplotlib>=3.8", "fire[x]==0.7; python_version<'4'"), (), tmp_path / "toolkit.lock"
    )


def test_a_projects_dependencies_serve_where_there_is_no_requirements_file(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\ndependencies = ["fire>=0.6"]\n')
    assert read_additions(tmp_path, ("bc",), "cuda") == Additions(
        ("fire>=0.6",), ("bc",), tmp_path / "toolkit-cuda.lock"
    )
    assert read_additions(tmp_path, ("graphviz", "bc")) == Additions(
        ("fire>=0.6",), ("bc", "graphviz"), tmp_path / "toolkit.lock"
    )
    (tmp_path / "requirements.txt").write_text("six\n")
    found = read_additions(tmp_path, ())
    assert found is not None
    assert found.requirements == ("six",)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("-r other.txt", "options of pip are not read here"),
        ("--index-url https://x", "options of pip are not read here"),
        ("x @ https://example.org/x.whl", "a URL cannot be locked"),
        ("not a requirement", "no requirement"),
    ],
)
def test_what_cannot_be_locked_is_pointed_at(tmp_path: Path, line: str, words: str) -> None:
    (tmp_path / "requirements.txt").write_text(f"six\n{line}\n")
    with pytest.raises(ToolkitError) as caught:
        read_additions(tmp_path, ())
    assert caught.value.code.label == "C102"
    assert words in str(caught.value)
    assert f"{tmp_path / 'requirements.txt'}:2:1" in str(caught.value)


def test_a_project_file_that_is_no_toml_is_told(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project\n")
    with pytest.raises(ToolkitError, match="is not valid TOML"):
        read_additions(tmp_path, ())


def facts(mode: int = 0o644) -> FileFacts:
    return FileFacts("0", mode, (0, 0), 0, "", "", ())


def test_what_a_package_takes_away_is_marked_once() -> None:
    old = {path: facts() for path in ("etc", "etc/a", "usr", "usr/old", "usr/old/x", "usr/old/y")}
    new = {path: facts() for path in ("etc", "usr", "usr/new")}
    assert list(whiteouts(old, new)) == ["etc/.wh.a", "usr/.wh.old"]


def test_what_a_package_changes_comes_with_the_folders_above_it() -> None:
    old = {path: facts() for path in ("etc", "etc/a", "usr", "usr/bin", "usr/bin/b")}
    new = {**old, "usr/bin/b": facts(0o755), "usr/lib": facts(), "usr/lib/c": facts()}
    assert changed(old, new) == {"usr", "usr/bin", "usr/bin/b", "usr/lib", "usr/lib/c"}
    assert changed(old, old) == set()
