"""Hosts whose engines are dictionaries, and this machine's, which saves as the engines of the world do."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import pytest

from toolkit.image.config import ImageConfig
from toolkit.image.store import ImageStore, StoredImage
from toolkit.process import Result
from toolkit.shipping.hosts.missing_layers import chain_ids
from toolkit.tar.write import END, Entry, tar_stream


def digits(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True)
class Image:
    """An image of a few bytes. `name` is a reference."""

    name: str
    layers: tuple[bytes, ...]

    @property
    def diff_ids(self) -> list[str]:
        return [f"sha256:{digits(layer)}" for layer in self.layers]

    @property
    def config(self) -> bytes:
        return json.dumps({"of": self.name, "rootfs": {"type": "layers", "diff_ids": self.diff_ids}}).encode()

    @property
    def image_id(self) -> str:
        return f"sha256:{digits(self.config)}"

    def saved(self, form: str) -> bytes:
        """As `docker save` prints it: `20` Engine 20.10, `25` an OCI layout, `podman`, `odd` none of these."""
        if form == "20":
            return self._classic(self._v1_folders())
        if form == "odd":
            return self._classic([f"layer-{number}" for number in range(len(self.layers))], documents=False)
        where = "blobs/sha256/{}" if form == "25" else "{}.tar"
        config = where.format(self.image_id[7:]) if form == "25" else f"{self.image_id[7:]}.json"
        names = [where.format(digits(layer)) for layer in self.layers]
        files = dict(zip(names, self.layers, strict=True)) | {config: self.config}
        return self._tar(files, config, names)

    def _classic(self, folders: list[str], documents: bool = True) -> bytes:
        files: dict[str, bytes] = {f"{self.image_id[7:]}.json": self.config}
        first: dict[bytes, str] = {}
        for number, (folder, layer) in enumerate(zip(folders, self.layers, strict=True)):
            if documents:
                files[f"{folder}/json"] = self._document(folder, folders[number - 1] if number else "", number)
            # A layer that is in the image twice is saved once, and linked to.
            files[f"{folder}/layer.tar"] = layer if layer not in first else f"->../{first[layer]}/layer.tar".encode()
            first.setdefault(layer, folder)
        return self._tar(files, f"{self.image_id[7:]}.json", [f"{folder}/layer.tar" for folder in folders])

    def _document(self, folder: str, parent: str, number: int) -> bytes:
        top = {"config": {"of": self.name}} if number == len(self.layers) - 1 else {}
        return json.dumps({"id": folder, **({"parent": parent} if parent else {}), "created": "then", **top}).encode()

    def _v1_folders(self) -> list[str]:
        folders: list[str] = []
        for chain in chain_ids(self.diff_ids)[:-1]:
            parent = {"parent": f"sha256:{folders[-1]}"} if folders else {}
            folders.append(
                digits(json.dumps({"created": "then", "layer_id": chain, **parent}, separators=(",", ":")).encode())
            )
        return [*folders, digits(self.config)[::-1]]

    def _tar(self, files: dict[str, bytes], config: str, names: list[str]) -> bytes:
        manifest = [{"Config": config, "RepoTags": [self.name], "Layers": names}]
        files = {**files, "manifest.json": json.dumps(manifest).encode()}
        out = b""
        for name in sorted(files):
            content = files[name]
            if content.startswith(b"->"):
                link = tarfile.TarInfo(name)
                link.type, link.linkname = tarfile.SYMTYPE, content[2:].decode()
                out += link.tobuf()
            else:
                out += b"".join(tar_stream([Entry(name, content)])).removesuffix(END)
        return out + END


class Store(ImageStore):
    """This machine's images, saved in the form of `form`."""

    def __init__(self, *images: Image, form: str = "20") -> None:
        self.engine: Any = self
        self._all, self.form, self.saved = images, form, 0

    def _image(self, reference: str) -> Image:
        return next(image for image in self._all if reference in (image.name, image.image_id))

    def find(self, reference: str) -> StoredImage | None:
        image = self._image(reference)
        config = ImageConfig({}, tuple(image.diff_ids), ("made",) * len(image.layers))
        return StoredImage(image.image_id, sum(map(len, image.layers)), config)

    def save(self, reference: str) -> Iterator[bytes]:
        self.saved += 1
        data = self._image(reference).saved(self.form)
        yield from (data[start : start + 700] for start in range(0, len(data), 700))

    def inspect(self, reference: str) -> dict[str, Any]:
        return {"RepoDigests": []}

    def history(self, reference: str) -> list[dict[str, Any]]:
        return [{"Size": len(layer)} for layer in reversed(self._image(reference).layers)]


@dataclass
class Host:
    """A host's shell with an engine behind it. `refuses` are an engine's words for what it shall not do."""

    name: str
    images: list[Image] = field(default_factory=list)
    refuses: dict[str, str] = field(default_factory=dict)
    registry: dict[str, Image] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    given: list[list[str]] = field(default_factory=list)
    """Of each archive that was loaded, the names of its members."""
    received: int = 0

    def __post_init__(self) -> None:
        self.names.update({image.name: image.image_id for image in self.images})

    def run(self, argv: Sequence[str], *, data: bytes | None = None, timeout: float | None = None) -> Result:
        for words, said in self.refuses.items():
            if " ".join(argv).startswith(words):
                return Result(tuple(argv), 1, "", said)
        match list(argv[1:]):
            case ["image", "inspect", "--format", _, *wanted]:
                return self._inspect(argv, wanted)
            case ["image", "ls", *_]:
                return Result(tuple(argv), 0, "".join(f"{image.image_id}\n" for image in self.images), "")
            case ["tag", image_id, name]:
                self.names[name] = image_id
            case ["image", "rm", name]:
                self.names.pop(name)
            case ["pull", "--quiet", place]:
                if place not in self.registry:
                    return Result(tuple(argv), 1, "", f"manifest for {place} not found")
                self.images.append(self.registry[place])
                self.names[place] = self.registry[place].image_id
            case _:
                raise AssertionError(argv)
        return Result(tuple(argv), 0, "", "")

    def _inspect(self, argv: Sequence[str], wanted: list[str]) -> Result:
        found, missing = "", ""
        for word in wanted:
            image_id = self.names.get(word, word)
            image = next((one for one in self.images if one.image_id == image_id), None)
            if image:
                names = [name for name, of in self.names.items() if of == image_id]
                found += json.dumps({"id": image_id, "names": names, "layers": image.diff_ids}) + "\n"
            else:
                missing += f"Error: No such image: {word}\n"
        return Result(tuple(argv), 1 if missing else 0, found, missing)

    def feed(self, argv: Sequence[str], pieces: Iterable[bytes]) -> Result:
        """`docker load`, as engines do it: a layer of a known chain is not looked at."""
        assert list(argv[1:]) == ["load", "--quiet"]
        data = b"".join(pieces)
        self.received += len(data)
        if said := self.refuses.get("docker load"):
            return Result(tuple(argv), 1, "", said)
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as tar:
            files = {one.name: b"" if one.isdir() else _content(tar, one) for one in tar}
        self.given.append(sorted(files))
        (manifest,) = json.loads(files["manifest.json"])
        assert manifest["RepoTags"] is None
        config = json.loads(files[manifest["Config"]])
        known = {chain: layer for image in self.images for chain, layer in _chains(image)}
        chain = chain_ids(config["rootfs"]["diff_ids"])
        named = zip(chain, manifest["Layers"], strict=True)
        layers = [known[one] if one in known else files[name] for one, name in named]
        image = Image(config["of"], tuple(layers))
        assert image.config == files[manifest["Config"]]
        self.images.append(image)
        return Result(tuple(argv), 0, "", "")

    def stream(self, argv: Sequence[str], on_line: Callable[[str], None]) -> int:
        raise AssertionError(argv)

    def read(self, argv: Sequence[str]) -> AbstractContextManager[Iterator[bytes]]:
        raise AssertionError(argv)

    def close(self) -> None: ...


def _chains(image: Image) -> list[tuple[str, bytes]]:
    return list(zip(chain_ids(image.diff_ids), image.layers, strict=True))


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = tar.extractfile(member)
    assert stream is not None
    return stream.read()


@dataclass(frozen=True)
class World:
    """What the tests make their parts of."""

    image: type[Image] = Image
    store: type[Store] = Store
    host: type[Host] = Host


@pytest.fixture
def world() -> World:
    return World()
