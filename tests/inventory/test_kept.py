"""What was read is kept, and read once."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

import pytest

from toolkit.image.store import ImageStore
from toolkit.inventory.cache import keep, load, look_into
from toolkit.inventory.images import EngineImage
from toolkit.inventory.model import Contents

from .conftest import SAMPLE, tar_of

IMAGE = EngineImage("sha256:" + "a" * 64, ("x:1",), 1, "", {"toolkit.recipe": '{"trees":["/opt/ddl/ddl"]}'})


class Engine:
    """Gives the tar that it holds, and counts."""

    def __init__(self, tar: bytes) -> None:
        self.tar, self.asked = tar, 0

    @contextmanager
    def exported(self, image: str) -> Iterator[IO[bytes]]:
        assert image == IMAGE.image_id
        self.asked += 1
        yield io.BytesIO(self.tar)


def look(engine: Engine, cache: Path) -> Contents:
    return look_into(cast("ImageStore", engine), IMAGE, cache)


def test_what_is_kept_is_what_was_read(contents: Contents, tmp_path: Path) -> None:
    keep(contents, tmp_path / "kept")
    assert load(tmp_path / "kept") == contents


def test_an_image_leaves_the_engine_once(tmp_path: Path) -> None:
    engine = Engine(tar_of(SAMPLE))
    first = look(engine, tmp_path)
    assert look(engine, tmp_path) == first
    assert engine.asked == 1
    assert [package.name for package in first.packages if package.kind == "tree"] == ["/opt/ddl/ddl"]


@pytest.mark.parametrize("damage", [b"", b"no gzip", b"\x1f\x8b\x08\x00"])
def test_what_is_damaged_is_read_anew(tmp_path: Path, damage: bytes) -> None:
    engine = Engine(tar_of(SAMPLE))
    first = look(engine, tmp_path)
    (file,) = (tmp_path / "inventory").iterdir()
    file.write_bytes(damage)
    assert look(engine, tmp_path) == first
    assert engine.asked == 2


def test_a_reading_that_breaks_off_keeps_nothing(tmp_path: Path) -> None:
    with pytest.raises(tarfile.TarError):
        look(Engine(tar_of(SAMPLE)[:5000]), tmp_path)
    assert not list(tmp_path.rglob("*.gz"))
