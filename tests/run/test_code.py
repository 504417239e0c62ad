"""The submitted code: what is left out, what is followed, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolkit.errors import ToolkitError
from toolkit.run.plan.source_files import MAX_BYTES, read_code, read_submitted


def names(folder: Path, manifest: str = "manifest.yml") -> list[str]:
    return [file.name for file in read_code(folder, folder / manifest).files]


@pytest.fixture
def code(tmp_path: Path) -> Path:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "train.py").write_text("x")
    return tmp_path / "code"


@pytest.mark.parametrize("left_out", [".git", ".venv", ".tox", "__pycache__", "node_modules", ".ipynb_checkpoints"])
@pytest.mark.parametrize("below", ["", "lib"])
def test_what_is_no_code_is_left_out_wherever_it_lies(code: Path, below: str, left_out: str) -> None:
    folder = code / below / left_out / "deep"
    folder.mkdir(parents=True)
    (folder / "file").write_text("x")
    assert names(code) == ["train.py"]


def test_hidden_files_and_other_manifests_are_code(code: Path) -> None:
    for name in (".config", "manifest.yml", "other.yml"):
        (code / name).write_text("x")
    assert names(code) == [".config", "other.yml", "train.py"]


def test_the_manifest_is_left_out_under_any_spelling(code: Path) -> None:
    (code / "manifest.yml").write_text("x")
    (code / "again.yml").symlink_to("manifest.yml")
    assert names(code, "../code/./manifest.yml") == ["train.py"]


def test_a_link_within_the_code_is_its_file(code: Path) -> None:
    (code / "main.py").symlink_to("train.py")
    assert [(file.name, file.path) for file in read_code(code, code / "m.yml").files] == [
        ("main.py", code / "main.py"),
        ("train.py", code / "train.py"),
    ]


@pytest.mark.parametrize(("size", "said"), [(0, "0 B"), (47, "47 B"), (999, "999 B"), (13_600, "13.6 kB")])
def test_its_size_is_in_bytes_where_it_is_small(code: Path, size: int, said: str) -> None:
    (code / "train.py").write_bytes(b"x" * size)
    (line,) = read_code(code, code / "manifest.yml").lines()
    assert line[1].startswith(f"1 file, {said} of {code}  sha256 ")


def test_the_code_of_an_earlier_run_is_that_runs_and_not_the_copys(code: Path) -> None:
    again = read_submitted(code, "training-abcd2345")
    (line,) = again.lines()
    assert line == ("code", f"1 file, 1 B of training-abcd2345  sha256 {again.digest[:16]}")
    assert again.source == "training-abcd2345"
    assert read_code(code, code / "manifest.yml").source == str(code)


def test_it_is_the_sum_that_must_not_be_too_large(code: Path) -> None:
    for name, size in (("a.bin", MAX_BYTES // 2), ("b.bin", MAX_BYTES // 2 - 1)):
        with (code / name).open("wb") as file:
            file.truncate(size)
    assert len(names(code)) == 3
    (code / "one.more").write_text("x")
    with pytest.raises(ToolkitError, match="more than 512 MiB, which is too much for code"):
        names(code)


@pytest.mark.parametrize("name", ["none", "train.py"])
def test_a_folder_that_is_none_is_named(code: Path, name: str) -> None:
    with pytest.raises(ToolkitError) as caught:
        read_code(code / name, code / "manifest.yml")
    assert str(caught.value) == f"C102 {code / name}: no such code folder\n  next: name one with --code FOLDER"


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def test_code_is_the_folder_without_manifest_history_and_caches(tmp_path: Path) -> None:
    write(tmp_path, "manifest.yml", "train.py", "lib/net.py", ".git/config", "__pycache__/x.pyc", ".venv/bin/python")
    assert names(tmp_path) == ["lib/net.py", "train.py"]


def test_a_link_that_leads_out_of_the_code_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "secret", "code/train.py")
    (tmp_path / "code" / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(ToolkitError, match="leads out"):
        read_code(tmp_path / "code", tmp_path / "manifest.yml")


def test_a_folder_too_large_to_be_code_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "data.bin").open("wb") as file:
        file.truncate(600 << 20)
    with pytest.raises(ToolkitError, match="which is too much for code"):
        read_code(tmp_path, tmp_path / "manifest.yml")


def test_an_empty_folder_is_no_code(tmp_path: Path) -> None:
    write(tmp_path, "manifest.yml")
    with pytest.raises(ToolkitError, match="has no code"):
        read_code(tmp_path, tmp_path / "manifest.yml")
