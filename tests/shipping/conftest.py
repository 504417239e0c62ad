"""An engine that is a dictionary: it saves and loads as Engine 20.10 does, and remembers what it was given."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from toolkit.image.config import ImageConfig
from toolkit.image.store import ImageStore, StoredImage
from toolkit.progress import silent
from toolkit.shipping.save import save_images
from toolkit.tar.write import Entry, tar_stream


@dataclass(frozen=True)
class TinyImage:
    """An image of a few bytes."""

    layers: tuple[bytes, ...]
    author: str = ""

    @property
    def config(self) -> bytes:
        diff_ids = [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in self.layers]
        return json.dumps({"author": self.author, "rootfs": {"type": "layers", "diff_ids": diff_ids}}).encode()

    @property
    def image_id(self) -> str:
        return f"sha256:{hashlib.sha256(self.config).hexdigest()}"

    def classic(self, reference: str) -> bytes:
        """As Engine 20.10 saves it."""
        names = [f"{hashlib.sha256(layer).hexdigest()[::-1]}/layer.tar" for layer in self.layers]
        config = f"{self.image_id.removeprefix('sha256:')}.json"
        manifest = json.dumps([{"Config": config, "RepoTags": [reference], "Layers": names}]).encode()
        entries = [Entry(config, self.config), *map(Entry, names, self.layers), Entry("manifest.json", manifest)]
        return b"".join(tar_stream(entries))


class Engine(ImageStore):
    """The store of such an engine; `given` is every tar that was loaded into it."""

    def __init__(self) -> None:
        self.images: dict[str, TinyImage] = {}
        self.given: list[bytes] = []
        self.engine: Any = self

    def find(self, reference: str) -> StoredImage | None:
        image = self.images.get(reference)
        return image and StoredImage(image.image_id, sum(map(len, image.layers)), ImageConfig({}, (), ()))

    def save(self, reference: str) -> Iterator[bytes]:
        yield self.images[reference].classic(reference)

    def load(self, pieces: Iterable[bytes]) -> Iterator[dict[str, str]]:
        self.given.append(b"".join(pieces))
        with tarfile.open(fileobj=io.BytesIO(self.given[-1])) as tar:
            files = {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]
        for entry in json.loads(files["manifest.json"]):
            author = json.loads(files[entry["Config"]])["author"]
            for reference in entry["RepoTags"]:
                self.images[reference] = TinyImage(tuple(files[name] for name in entry["Layers"]), author)
                yield {"stream": f"Loaded image: {reference}\n"}


@dataclass
class Tar:
    """A tar that a test makes, member by member."""

    members: list[tuple[tarfile.TarInfo, bytes]] = field(default_factory=list)

    def add(self, name: str, content: bytes = b"", **fields: Any) -> Tar:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        for key, value in fields.items():
            setattr(info, key, value)
        self.members.append((info, content))
        return self

    def write(self, file: Path) -> Path:
        with tarfile.open(file, "w") as tar:
            for info, content in self.members:
                tar.addfile(info, io.BytesIO(content))
        return file


def files_of(file: Path) -> dict[str, bytes]:
    """The files of a tar."""
    with tarfile.open(file) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]


def rewritten(file: Path, target: Path, **changes: bytes | None) -> Path:
    """`file` with members replaced, or left out where None is given; a name's `.` is written `_DOT_`, `/` `_SLASH_`."""
    named = {name.replace("_DOT_", ".").replace("_SLASH_", "/"): value for name, value in changes.items()}
    tar = Tar()
    for name, content in {**files_of(file), **named}.items():
        if content is not None:
            tar.add(name, content)
    return tar.write(target)


BOTTOM, TOP, OTHER = b"bottom layer" * 100, b"top layer", b"another top"
ONE, TWO = "frame:aaaaaaaaaaaa", "side/buckets:bbbbbbbbbbbb"


@pytest.fixture
def engine() -> Engine:
    """Two images that share their lowest layer."""
    engine = Engine()
    engine.images = {ONE: TinyImage((BOTTOM, TOP)), TWO: TinyImage((BOTTOM, OTHER))}
    return engine


@pytest.fixture
def saved(engine: Engine, tmp_path: Path) -> Path:
    """Both, in a file."""
    return save_images([ONE, TWO], tmp_path / "saved.tar", engine, silent).file
