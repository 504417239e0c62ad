"""A bundle: made the same, checked whole, and taken apart only where every byte is right."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from toolkit.errors import ToolkitError
from toolkit.lock.model import DebPin, WheelPin
from toolkit.lock.pool import Pin, Pool
from toolkit.progress import Progress, silent
from toolkit.shipping.archive import read_archive
from toolkit.shipping.bundle import Contents, make_bundle, pool_name, readme, sums_text
from toolkit.shipping.load import load_images
from toolkit.shipping.own_wheels import download_argv, gather_wheels, wheel_argv
from toolkit.shipping.unbundle import CheckedBundle, check_bundle, fill_pool, read_sums

from .conftest import ONE, TWO, Engine, Tar, files_of, rewritten


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


DEB = DebPin("mpi", "4.1", "amd64", "debian", "pool/main/m/mpi/mpi_4.1~1+b2_amd64.deb", sha256(b"deb"), 3)
WHEEL = WheelPin("tiny", "1.0", "tiny-1.0-py3-none-any.whl", sha256(b"wheel"), 5)


@pytest.fixture
def pool(tmp_path: Path) -> Pool:
    """With both pins' files in it."""
    pool = Pool(tmp_path / "pool")
    for pin, content in ((DEB, b"deb"), (WHEEL, b"wheel")):
        (tmp_path / "file").write_bytes(content)
        pool.add(tmp_path / "file", pin)
    (tmp_path / "file").unlink()
    return pool


@pytest.fixture
def contents(tmp_path: Path) -> Contents:
    wheel = tmp_path / "wheels" / "toolkit-1-py3-none-any.whl"
    wheel.parent.mkdir()
    wheel.write_bytes(b"the tool")
    return Contents((ONE, TWO), (WHEEL, DEB, WHEEL), (wheel,), ("3.11", "3.13"))


@pytest.fixture
def site(engine: Engine, contents: Contents, pool: Pool, tmp_path: Path) -> Path:
    """The bundle."""
    return make_bundle(contents, pool, tmp_path / "site.tar", engine, silent).file


def checked(file: Path) -> CheckedBundle:
    return check_bundle(read_archive(file), silent)


def test_everything_is_in_it_and_what_a_person_reads_comes_first(site: Path, contents: Contents) -> None:
    files = files_of(site)
    assert list(files)[:3] == ["README.txt", "SHA256SUMS", "tool/toolkit-1-py3-none-any.whl"]
    assert files["README.txt"].decode() == readme(contents, "site.tar")
    assert files[f"pool/{DEB.sha256}/mpi_4.1~1+b2_amd64.deb"] == b"deb"
    assert files[f"pool/{WHEEL.sha256}/tiny-1.0-py3-none-any.whl"] == b"wheel"
    assert {"oci-layout", "index.json", "manifest.json"} <= files.keys()


def test_the_same_contents_give_the_same_bytes(engine: Engine, contents: Contents, pool: Pool, site: Path) -> None:
    (site.parent / "again").mkdir()
    other = replace(contents, references=(TWO, ONE), pins=(DEB, WHEEL))
    again = make_bundle(replace(other, references=(ONE, TWO)), pool, site.parent / "again" / "site.tar", engine, silent)
    assert again.file.read_bytes() == site.read_bytes()


def test_sha256sum_itself_finds_every_file_as_listed(site: Path, tmp_path: Path) -> None:
    folder = tmp_path / "unpacked"
    with tarfile.open(site) as tar:
        tar.extractall(folder, filter="data")
    argv = [shutil.which("sha256sum") or "sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"]
    assert subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False).stdout == ""
    reported = {line.split("  ")[1] for line in (folder / "SHA256SUMS").read_text().splitlines()}
    assert reported == {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()} - {"SHA256SUMS"}


def test_the_readme_has_five_steps_and_names_the_file(contents: Contents) -> None:
    lines = readme(contents, "my site.tar").splitlines()
    assert [line[0] for line in lines if line[:1].isdigit()] == ["1", "2", "3", "4", "5"]
    assert "4. toolkit bundle load 'my site.tar'" in "\n".join(lines)
    assert f"  {ONE}" in lines


def test_a_bundle_fills_the_pool_and_brings_the_images(site: Path, engine: Engine, tmp_path: Path) -> None:
    bundle, pool, other = checked(site), Pool(tmp_path / "other"), Engine()
    assert fill_pool(bundle, pool, silent) == 2
    assert (pool.path(DEB).read_bytes(), pool.path(WHEEL).read_bytes()) == (b"deb", b"wheel")
    assert fill_pool(bundle, pool, silent) == 0
    assert sorted(path.name for path in pool.folder.iterdir()) == sorted([DEB.sha256, WHEEL.sha256])
    load_images(bundle.archive, bundle.images, other, silent)
    assert other.images == engine.images


@pytest.mark.parametrize("name", ["README_DOT_txt", "tool/toolkit-1-py3-none-any_DOT_whl", "index_DOT_json"])
@pytest.mark.parametrize("content", [b"something else", None])
def test_a_file_that_is_not_what_the_sums_say_is_refused(
    site: Path, tmp_path: Path, name: str, content: bytes | None
) -> None:
    with pytest.raises(ToolkitError, match="it was not used") as caught:
        checked(rewritten(site, tmp_path / "x.tar", **{name: content}))
    assert name.replace("_DOT_", ".") in caught.value.evidence
    assert ("not there" if content is None else sha256(b"something else")) in caught.value.evidence


def test_a_file_that_the_sums_do_not_name_is_refused(site: Path, tmp_path: Path) -> None:
    with pytest.raises(ToolkitError) as caught:
        checked(rewritten(site, tmp_path / "x.tar", **{"tool/evil_DOT_whl": b"x"}))
    assert "tool/evil.whl: not in SHA256SUMS" in caught.value.evidence


def with_sums(site: Path, target: Path, name: str, content: bytes) -> Path:
    """The bundle with one file more, and sums that agree: whoever made it is the enemy, not the wire."""
    files = {**files_of(site), name: content}
    del files["SHA256SUMS"]
    tar = Tar().add("SHA256SUMS", sums_text({name: sha256(content) for name, content in files.items()}).encode())
    for member, data in files.items():
        tar.add(member, data)
    return tar.write(target)


@pytest.mark.parametrize(
    "name",
    [
        f"pool/{sha256(b'x')}/tool.sh",
        f"pool/{sha256(b'x')}/.hidden.whl",
        f"pool/{sha256(b'x')}/a/b.whl",
        f"pool/{sha256(b'x').upper()}/b.whl",
        "pool/b.whl",
    ],
)
def test_a_pool_file_of_another_form_is_refused(site: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(ToolkitError) as caught:
        checked(with_sums(site, tmp_path / "x.tar", name, b"x"))
    assert f"{name!r} is not a file of a pool" in caught.value.evidence


def test_a_pool_file_that_is_not_its_hash_never_gets_there(site: Path, tmp_path: Path) -> None:
    name = f"pool/{sha256(b'good')}/good.whl"
    bundle, pool = checked(with_sums(site, tmp_path / "x.tar", name, b"bad")), Pool(tmp_path / "other")
    with pytest.raises(ToolkitError, match=r"good\.whl does not match the lock"):
        fill_pool(bundle, pool, silent)
    assert not (pool.folder / sha256(b"good") / "good.whl").exists()
    assert not [path for path in pool.folder.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "it has no SHA256SUMS"),
        (b"no sums", "an invalid line: 'no sums'"),
        (b"\xff\xfe", "an invalid line"),
        (f"{'0' * 64}  a\n{'1' * 64}  a\n".encode(), "an invalid line"),
    ],
)
def test_sums_that_are_none_are_refused(site: Path, tmp_path: Path, text: bytes | None, why: str) -> None:
    with pytest.raises(ToolkitError) as caught:
        checked(rewritten(site, tmp_path / "x.tar", SHA256SUMS=text))
    assert why in caught.value.evidence


@given(
    st.dictionaries(st.from_regex(r"[a-z]{1,9}(/[A-Za-z0-9 ._-]{1,9}[a-z])?", fullmatch=True), st.binary(max_size=9))
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_sums_are_read_as_they_were_written(tmp_path: Path, files: dict[str, bytes]) -> None:
    digests = {name: sha256(content) for name, content in files.items() if name != "SHA256SUMS"}
    archive = read_archive(Tar().add("SHA256SUMS", sums_text(digests).encode()).write(tmp_path / "x.tar"))
    assert read_sums(archive) == digests


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
def test_one_changed_byte_is_refused_or_changes_nothing(site: Path, data: st.DataObject) -> None:
    content = bytearray(site.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    file = site.with_name("changed.tar")
    file.write_bytes(content)
    try:
        bundle = checked(file)
    except ToolkitError:
        return
    whole = checked(site)
    assert (bundle.images, bundle.pins) == (whole.images, whole.pins)
    for name in whole.archive.members:
        assert b"".join(bundle.archive.pieces(name)) == b"".join(whole.archive.pieces(name))


# making one
def test_a_pool_that_lacks_a_file_makes_no_bundle(
    engine: Engine, contents: Contents, pool: Pool, tmp_path: Path
) -> None:
    pool.drop(DEB)
    with pytest.raises(ToolkitError, match=r"the pool lacks mpi_4\.1~1\+b2_amd64\.deb"):
        make_bundle(contents, pool, tmp_path / "x.tar", engine, silent)
    assert not (tmp_path / "x.tar").exists()


def test_a_pool_file_that_was_damaged_is_dropped_and_reported(
    engine: Engine, contents: Contents, pool: Pool, tmp_path: Path
) -> None:
    pool.path(WHEEL).write_bytes(b"other")
    with pytest.raises(ToolkitError, match="was damaged and was dropped"):
        make_bundle(contents, pool, tmp_path / "x.tar", engine, silent)
    assert pool.missing([WHEEL, DEB]) == [WHEEL]
    assert not (tmp_path / "x.tar").exists()


def test_a_bundle_tells_how_far_it_is(engine: Engine, contents: Contents, pool: Pool, tmp_path: Path) -> None:
    reported: list[Progress] = []
    make_bundle(contents, pool, tmp_path / "x.tar", engine, reported.append)
    assert reported[-1].stage == "writing"
    assert reported[-1].done == reported[-1].total == (tmp_path / "x.tar").stat().st_size


def test_a_full_disk_under_the_pool_is_one_clear_error(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(pool: Pool, file: Path, pin: Pin) -> Path:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Pool, "take", full)
    with pytest.raises(ToolkitError, match=f"the disk of {tmp_path / 'other'} is full"):
        fill_pool(checked(site), Pool(tmp_path / "other"), silent)


@pytest.mark.parametrize("pin", [DEB, WHEEL])
def test_a_pin_lies_where_the_pool_has_it(pin: Pin, tmp_path: Path) -> None:
    assert tmp_path / pool_name(pin) == Pool(tmp_path / "pool").path(pin)


# the tool's own wheels
def test_pip_is_asked_for_wheels_by_their_hashes_and_builds_with_what_is_here() -> None:
    words = ["-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir"]
    assert wheel_argv(Path("/house"), Path("/to"))[1:7] == words
    assert wheel_argv(Path("/house"), Path("/to"))[-1] == "/house"
    assert download_argv(Path("/r.txt"), "3.13", Path("/to"))[1:] == [
        *("-m", "pip", "download", "--only-binary", ":all:", "--python-version", "3.13"),
        *("--require-hashes", "--requirement", "/r.txt", "--dest", "/to"),
        *("--disable-pip-version-check", "--no-input", "--progress-bar", "off"),
    ]


def test_a_tool_without_its_source_says_so(tmp_path: Path) -> None:
    with pytest.raises(ToolkitError, match="its source is not here") as caught:
        gather_wheels(tmp_path, ["3.11"], tmp_path, silent)
    assert "checkout" in caught.value.hint


def test_what_pip_said_is_reported_where_it_fails(tmp_path: Path) -> None:
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "tool.txt").write_text("")
    with pytest.raises(ToolkitError, match="the tool's own wheels could not be downloaded") as caught:
        gather_wheels(tmp_path, ["3.11"], tmp_path, silent)
    assert "is not installable" in caught.value.evidence
