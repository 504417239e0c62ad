"""Images into a file and out of it: what comes out is what went in, or nothing."""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from toolkit.errors import ToolkitError
from toolkit.progress import Progress, silent
from toolkit.shipping import oci
from toolkit.shipping.archive import Archive, read_archive
from toolkit.shipping.load import ShippedImage, check_digests, load_images, read_layout
from toolkit.shipping.save import save_images
from toolkit.shipping.spool import Spool
from toolkit.tar.write import Entry, tar_stream

from .conftest import BOTTOM, ONE, OTHER, TOP, TWO, Engine, TinyImage, files_of, rewritten


def checked(file: Path) -> tuple[Archive, tuple[ShippedImage, ...]]:
    """As `toolkit load` looks at it."""
    archive = read_archive(file)
    check_digests(archive, silent)
    return archive, read_layout(archive)


def load(file: Path, engine: Engine) -> None:
    load_images(*checked(file), engine, silent)


def test_the_layout_is_what_oci_and_docker_say(engine: Engine, saved: Path) -> None:
    files = files_of(saved)
    assert json.loads(files["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    index = json.loads(files["index.json"])
    assert [entry["annotations"] for entry in index["manifests"]] == [
        {oci.CONTAINERD_NAME: f"docker.io/library/{ONE}", oci.REF_NAME: ONE},
        {oci.CONTAINERD_NAME: f"docker.io/{TWO}", oci.REF_NAME: TWO},
    ]
    manifest = json.loads(files[oci.blob_name(index["manifests"][0]["digest"])])
    assert manifest["config"]["digest"] == engine.images[ONE].image_id
    assert files[oci.blob_name(manifest["config"]["digest"])] == engine.images[ONE].config
    assert [files[oci.blob_name(layer["digest"])] for layer in manifest["layers"]] == [BOTTOM, TOP]
    assert {layer["mediaType"] for layer in manifest["layers"]} == {"application/vnd.oci.image.layer.v1.tar"}
    docker = json.loads(files["manifest.json"])
    assert [entry["RepoTags"] for entry in docker] == [[ONE], [TWO]]
    assert [files[name] for name in docker[1]["Layers"]] == [BOTTOM, OTHER]


def test_a_blobs_name_is_its_digest_and_what_is_shared_is_there_once(saved: Path) -> None:
    blobs = {name: content for name, content in files_of(saved).items() if name.startswith("blobs/sha256/")}
    assert {name: f"blobs/sha256/{hashlib.sha256(content).hexdigest()}" for name, content in blobs.items()} == {
        name: name for name in blobs
    }
    assert len(blobs) == 2 + 2 + 3
    with tarfile.open(saved) as tar:
        assert len(tar.getnames()) == len(set(tar.getnames()))


def test_equal_images_give_equal_bytes_in_whatever_order_they_are_asked_for(engine: Engine, saved: Path) -> None:
    again = save_images([TWO, ONE, TWO], saved.with_name("again.tar"), engine, silent)
    assert again.file.read_bytes() == saved.read_bytes()
    assert again.size == len(saved.read_bytes())


def test_an_engine_gets_the_images_and_their_ids(engine: Engine, saved: Path) -> None:
    other = Engine()
    loaded = load_images(*checked(saved), other, silent)
    assert other.images == engine.images
    assert [(image.reference, image.image_id, image.fresh) for image in loaded] == [
        (ONE, engine.images[ONE].image_id, True),
        (TWO, engine.images[TWO].image_id, True),
    ]


def test_what_is_here_already_is_not_sent_again(engine: Engine, saved: Path) -> None:
    other = Engine()
    other.images[ONE] = engine.images[ONE]
    loaded = load_images(*checked(saved), other, silent)
    assert [image.fresh for image in loaded] == [False, True]
    assert oci.blob_of(TOP).name not in tar_names(other.given[0])
    load(saved, other)
    assert len(other.given) == 1


def test_a_name_that_belongs_to_another_image_here_is_not_taken_from_it(engine: Engine, saved: Path) -> None:
    other = Engine()
    other.images[TWO] = TinyImage((b"something else",))
    with pytest.raises(ToolkitError, match=f"the engine has a different {TWO} than") as caught:
        load(saved, other)
    assert other.images[TWO].image_id in caught.value.evidence
    assert engine.images[TWO].image_id in caught.value.evidence
    assert (other.given, ONE in other.images) == ([], False)


@pytest.mark.parametrize("names", [[], [ONE]])
def test_an_engine_that_takes_a_file_and_has_no_image_is_an_error(
    engine: Engine, saved: Path, monkeypatch: pytest.MonkeyPatch, names: list[str]
) -> None:
    other = Engine()

    def forgetful(pieces: Iterator[bytes]) -> Iterator[dict[str, str]]:
        b"".join(pieces)
        other.images |= {name: engine.images[name] for name in names}
        yield {"stream": "Loaded"}

    monkeypatch.setattr(other, "load", forgetful)
    with pytest.raises(ToolkitError, match="the engine refused the images of") as caught:
        load(saved, other)
    assert "but has no " in caught.value.evidence


def test_an_engine_that_ends_with_another_image_is_an_error(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Engine()

    def swapped(pieces: Iterator[bytes]) -> Iterator[dict[str, str]]:
        b"".join(pieces)
        other.images |= {ONE: TinyImage((b"else",)), TWO: TinyImage((b"else",))}
        yield {"stream": "Loaded"}

    monkeypatch.setattr(other, "load", swapped)
    with pytest.raises(ToolkitError, match=f"the engine has a different {ONE} than"):
        load(saved, other)


def test_what_the_engine_says_of_its_failure_is_reported(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Engine()
    monkeypatch.setattr(other, "load", lambda _: iter([{"error": "write /x: no space left on device"}]))
    with pytest.raises(ToolkitError, match="the engine refused the images of") as caught:
        load(saved, other)
    assert "no space left" in caught.value.evidence
    assert "docker system df" in caught.value.hint


def test_progress_ends_at_its_total(engine: Engine, saved: Path) -> None:
    reported: list[Progress] = []
    save_images([ONE], saved.with_name("x.tar"), engine, reported.append)
    assert {step.stage for step in reported} == {"saving", "writing"}
    assert reported[-1].done == reported[-1].total > 0


@pytest.mark.parametrize("name", ["index_DOT_json", "manifest_DOT_json", "oci-layout", oci.blob_of(BOTTOM).name])
def test_a_file_that_lacks_a_part_is_refused(saved: Path, tmp_path: Path, name: str) -> None:
    if name == "manifest_DOT_json":  # skopeo writes none: the index alone says it all
        load(rewritten(saved, tmp_path / "x.tar", **{name: None}), engine := Engine())
        assert set(engine.images) == {ONE, TWO}
        return
    with pytest.raises(ToolkitError, match="it was not used"):
        checked(rewritten(saved, tmp_path / "x.tar", **{name: None}))


def test_a_layer_that_is_not_its_name_is_refused(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(ToolkitError) as caught:
        checked(rewritten(saved, tmp_path / "x.tar", **{oci.blob_of(TOP).name: b"backdoor"}))
    assert oci.blob_of(TOP).name in caught.value.evidence
    assert hashlib.sha256(b"backdoor").hexdigest() in caught.value.evidence


@pytest.mark.parametrize(
    ("document", "old", "new", "why"),
    [
        ("index.json", f'name":"{ONE}"', 'name":"frame:cccccccccccc"', "an image is called both"),
        ("index.json", ONE, "frame:cccccccccccc", "index.json and manifest.json do not agree"),
        ("index.json", ONE, "../../frame:x", "an image is called both"),
        ("index.json", ONE, "-frame:x", "'-frame:x' is not an image name and version"),
        ("index.json", ONE, TWO.removeprefix("side/"), "do not agree"),
        ("index.json", '"schemaVersion":2', '"schemaVersion":3', "schemaVersion"),
        ("index.json", "sha256:", "sha512:", "digest"),
        ("index.json", "image.manifest.v1", "image.index.v1", "only single images are read"),
        ("index.json", "{", "[", "index.json"),
        ("manifest.json", ONE, "frame:cccccccccccc", "do not agree"),
        ("manifest.json", "blobs/", "../../", "do not agree"),
        ("manifest.json", "RepoTags", "Tags", "manifest.json cannot be read"),
    ],
)
def test_documents_that_were_changed_are_refused(
    saved: Path, tmp_path: Path, document: str, old: str, new: str, why: str
) -> None:
    text = files_of(saved)[document].decode()
    assert old in text
    changed = {document: text.replace(old, new).encode()}
    with pytest.raises(ToolkitError, match="it was not used") as caught:
        checked(rewritten(saved, tmp_path / "x.tar", **changed))
    assert why in caught.value.evidence


def test_layers_that_are_not_the_configurations_are_refused(engine: Engine, saved: Path, tmp_path: Path) -> None:
    config, layers = oci.blob_of(engine.images[ONE].config), (oci.blob_of(BOTTOM), oci.blob_of(OTHER))
    image = oci.OciImage(ONE, config, layers)
    documents = {"index.json": oci.index([(ONE, image.manifest_blob)]), image.manifest_blob.name: image.manifest}
    with pytest.raises(ToolkitError) as caught:
        checked(rewritten(saved, tmp_path / "x.tar", **documents))
    assert "its layers are not those that its configuration names" in caught.value.evidence


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
def test_one_changed_byte_is_refused_or_changes_nothing(saved: Path, data: st.DataObject) -> None:
    content = bytearray(saved.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    file = saved.with_name("changed.tar")
    file.write_bytes(content)
    whole, other = Engine(), Engine()
    load(saved, whole)
    try:
        load(file, other)
    except ToolkitError:
        assert other.given == []
    else:
        assert other.images == whole.images


# writing the file
def test_an_image_that_is_not_here_leaves_no_file(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(ToolkitError, match="image none:latest is not here"):
        save_images([ONE, "none:latest"], tmp_path / "x.tar", engine, silent)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "failure", [KeyboardInterrupt(), OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), OSError(errno.EIO, "disk")]
)
def test_what_fails_half_way_leaves_what_was_there(
    engine: Engine, saved: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    before = saved.read_bytes()

    def broken(reference: str) -> Iterator[bytes]:
        yield engine.images[reference].classic(reference)[:700]
        raise failure

    monkeypatch.setattr(engine, "save", broken)
    expected = ToolkitError if getattr(failure, "errno", 0) == errno.ENOSPC else type(failure)
    with pytest.raises(expected) as caught:
        save_images([ONE], saved, engine, silent)
    if expected is ToolkitError:
        assert f"the disk of {saved.parent} is full" in str(caught.value)
    assert list(saved.parent.iterdir()) == [saved]
    assert saved.read_bytes() == before


def test_a_file_has_the_mode_that_the_umask_says(engine: Engine, tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        save_images([ONE], tmp_path / "x.tar", engine, silent)
    finally:
        os.umask(old)
    assert (tmp_path / "x.tar").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(("name", "why"), [("", "exists and is not a file"), ("no/x.tar", "there is no folder")])
def test_a_place_that_cannot_be_is_named(engine: Engine, tmp_path: Path, name: str, why: str) -> None:
    with pytest.raises(ToolkitError, match=why):
        save_images([ONE], tmp_path / name, engine, silent)


# taking an engine's stream apart
def tar_names(data: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return tar.getnames()


def tar_of(files: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as tar:
        for name, link in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, link
            tar.addfile(info)
    head = target.getvalue()[: 512 * len(links or {})]
    return head + b"".join(tar_stream(Entry(name, content) for name, content in files.items()))


def manifest_of(config: str, layers: list[str]) -> bytes:
    return json.dumps([{"Config": config, "RepoTags": [ONE], "Layers": layers}]).encode()


def test_a_layer_twice_in_an_image_is_sent_as_a_link(tmp_path: Path) -> None:
    image = TinyImage((TOP, BOTTOM, TOP))
    files = {"c.json": image.config, "a/layer.tar": TOP, "b/layer.tar": BOTTOM}
    files["manifest.json"] = manifest_of("c.json", ["a/layer.tar", "b/layer.tar", "z/layer.tar"])
    found = Spool(tmp_path).take(ONE, [tar_of(files, {"z/layer.tar": "../a/layer.tar"})])
    assert (found.image_id, found.layers) == (image.image_id, tuple(map(oci.blob_of, image.layers)))


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_the_oci_form_of_newer_engines_is_read_and_layers_are_unpacked(tmp_path: Path, pack: type[bytes]) -> None:
    image = TinyImage((BOTTOM, TOP))
    blobs = {oci.blob_of(content).name: content for content in (image.config, *map(pack, image.layers))}
    names = list(blobs)
    stream = tar_of({**blobs, "index.json": b"{}", "manifest.json": manifest_of(names[0], names[1:])})
    spool = Spool(tmp_path)
    found = spool.take(ONE, [stream[at : at + 100] for at in range(0, len(stream), 100)])
    assert found == oci.OciImage(ONE, oci.blob_of(image.config), (oci.blob_of(BOTTOM), oci.blob_of(TOP)))
    assert [spool.path(layer).read_bytes() for layer in found.layers] == [BOTTOM, TOP]


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"manifest.json": b"[]"},
        {"manifest.json": b"no json"},
        {"manifest.json": manifest_of("c.json", [])},
        {"manifest.json": manifest_of("c.json", []), "c.json": b"{}"},
        {"manifest.json": manifest_of("c.json", ["l"]), "c.json": TinyImage((TOP,)).config},
        {"manifest.json": manifest_of("c.json", ["l"]), "c.json": TinyImage((TOP,)).config, "l": BOTTOM},
    ],
)
def test_an_engine_that_contradicts_itself_is_reported(tmp_path: Path, files: dict[str, bytes]) -> None:
    with pytest.raises(ToolkitError, match=f"the engine did not save all of {ONE}"):
        Spool(tmp_path).take(ONE, [tar_of(files)])


@pytest.mark.parametrize("length", [0, 100, 700])
def test_an_engine_that_stops_half_way_is_reported(tmp_path: Path, length: int) -> None:
    with pytest.raises(ToolkitError, match="did not save all of"):
        Spool(tmp_path).take(ONE, [TinyImage((BOTTOM, TOP)).classic(ONE)[:length]])


# names
@pytest.mark.parametrize(
    ("short", "full"),
    [
        ("x:1", "docker.io/library/x:1"),
        ("me/x:1", "docker.io/me/x:1"),
        ("host:5000/x:1", "host:5000/x:1"),
        ("localhost/x:1", "localhost/x:1"),
    ],
)
def test_a_name_has_a_long_form_and_comes_back(short: str, full: str) -> None:
    assert oci.full_name(short) == full
    assert oci.short_name(full) == short


@pytest.mark.parametrize(
    ("given_", "tagged"),
    [("x", "x:latest"), ("x:1", "x:1"), ("host:5/x", "host:5/x:latest"), ("host:5/x:1", "host:5/x:1")],
)
def test_a_name_without_a_tag_is_the_latest(given_: str, tagged: str) -> None:
    assert oci.with_tag(given_) == tagged
