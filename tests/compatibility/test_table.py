"""The table as a file: every cell has its source, and what contradicts itself is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from packaging.version import Version

from toolkit.compatibility.model import Release, runs_on
from toolkit.compatibility.reader import FILE, read_table
from toolkit.errors import Code, ToolkitError
from toolkit.paths import assets

TEXT = (assets() / "images" / FILE).read_text(encoding="utf-8")
TABLE = read_table(assets() / "images")
RELEASES = [release for framework in TABLE.frameworks for release in framework.releases]
CELLS = ("python", "glibc", "numpy", "cuda", "cudnn", "nccl", "architectures", "site_bundle")


def read_changed(folder: Path, old: str, new: str) -> ToolkitError:
    assert old in TEXT
    (folder / FILE).write_text(TEXT.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ToolkitError) as caught:
        read_table(folder)
    return caught.value


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: str(release.first))
def test_every_cell_has_its_source(release: Release) -> None:
    for cell in CELLS:
        assert not getattr(release, cell) or release.source(cell)


def test_every_row_has_its_source() -> None:
    sources = [line.source for line in TABLE.lines] + [row.source for row in TABLE.drivers]
    sources += [row.source for row in TABLE.generations] + [gpu.source for gpu in TABLE.gpus]
    sources += [wheel.source for wheel in TABLE.mpi_wheels] + [note.source for note in TABLE.mpi_notes]
    assert "" not in sources


def test_releases_from_1_5_to_2_21_are_there_once_each() -> None:
    minors = [f"1.{minor}" for minor in range(5, 16)] + [f"2.{minor}" for minor in range(22)]
    (framework,) = TABLE.frameworks
    assert [name for name in minors if framework.release(Version(name)) is None] == []
    for release in framework.releases:
        assert [row for row in framework.releases if release.first in row] == [release]


def test_every_gpu_has_a_generation_and_a_tensorflow() -> None:
    generations = [architecture for row in TABLE.generations for architecture in row.architectures]
    assert len(generations) == len(set(generations))
    for gpu in TABLE.gpus:
        assert gpu.architecture in generations
        assert any(runs_on(release.architectures, gpu.architecture) for release in RELEASES)


def test_codes_are_spelled_as_the_check_reads_them() -> None:
    codes = {code for release in RELEASES for code in release.architectures}
    codes |= {code for line in TABLE.lines for code in line.architectures}
    assert [code for code in codes if not re.fullmatch(r"(sm|compute)_\d\d+", code)] == []


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("metadata: [numpy], tested", "tested", "no source is named for: numpy"),
        ("names: [python, glibc]", "names: [python, glibc, nccl]", "a source is named for what is not there"),
        (
            "names: [python, glibc]",
            "names: [python, glibc, glibc]",
            "not there, or twice: glibc",
        ),
        ("source: code", "source: hearsay", "unknown sources: hearsay"),
        ('cudnn: ">=7,<8"', 'cudnn: "seven"', "expected bounds such as"),
        ('glibc: "2.5"', 'glibc: "old"', "expected a version, found 'old'"),
        ('glibc: "2.5"', "glibc: 2.5", "put it in quotes"),
        ("title: TensorFlow", "tittle: TensorFlow", "did you mean `title`?"),
        ('first: "1.5"', 'first: "1.14"', "must stand oldest first"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(tmp_path: Path, old: str, new: str, words: str) -> None:
    error = read_changed(tmp_path, old, new)
    assert error.code is Code.IMAGE
    assert words in str(error)


def test_no_table_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ToolkitError, match="No such file"):
        read_table(tmp_path)
