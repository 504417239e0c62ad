"""Fetching Debian packages over real HTTP, from a server of this test's own."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from toolkit.catalogue.model import Archive, Suite
from toolkit.errors import ToolkitError
from toolkit.fetch.debs import fetch_debs
from toolkit.lock.model import DebPin
from toolkit.lock.pool import Pool
from toolkit.progress import Progress


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[str]:
    """The URL of an archive with two packages."""
    folder = tmp_path / "archive" / "pool"
    folder.mkdir(parents=True)
    for name in ("one", "two"):
        (folder / f"{name}_1_all.deb").write_bytes(name.encode() * 1000)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "archive"))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def suite(url: str) -> Suite:
    return Suite(
        name="bookworm",
        title="Debian 12",
        archives=(Archive("debian", url, ("bookworm",), ("main",)),),
        keyring=None,
        python="3.11",
        glibc="2.36",
        open_mpi="4.1.4",
        packages=(),
        variant="apt",
    )


def pin(name: str, archive: str = "debian") -> DebPin:
    content = name.encode() * 1000
    return DebPin(
        name, "1", "all", archive, f"pool/{name}_1_all.deb", hashlib.sha256(content).hexdigest(), len(content)
    )


def test_what_the_pool_lacks_is_fetched_and_reported(tmp_path: Path, archive: str) -> None:
    pool, reported, debs = Pool(tmp_path / "pool"), list[Progress](), [pin("one"), pin("two")]
    fetch_debs(debs, suite(archive), pool, reported.append)
    assert [pool.path(deb).read_bytes()[:3] for deb in debs] == [b"one", b"two"]
    assert sorted((state.done, state.total) for state in reported) == [(1, 2), (2, 2)]
    fetch_debs(debs, suite("http://127.0.0.1:9"), pool, lambda _: pytest.fail("it was fetched again"))


def test_a_package_that_vanished_is_named_with_the_ways_out(tmp_path: Path, archive: str) -> None:
    with pytest.raises(ToolkitError) as caught:
        fetch_debs([pin("gone")], suite(archive), Pool(tmp_path / "pool"), lambda _: None)
    assert caught.value.what == f"{archive}/pool/gone_1_all.deb is gone: the archive has a newer version"
    assert "toolkit bundle load" in caught.value.hint
    assert "TOOLKIT_MIRROR_DEBIAN" in caught.value.hint


def test_a_damaged_package_is_refused_and_not_kept(tmp_path: Path, archive: str) -> None:
    (tmp_path / "archive" / "pool" / "one_1_all.deb").write_bytes(b"damaged")
    pool = Pool(tmp_path / "pool")
    with pytest.raises(ToolkitError, match=r"one_1_all.deb does not match the lock"):
        fetch_debs([pin("one")], suite(archive), pool, lambda _: None)
    assert pool.missing([pin("one")]) == [pin("one")]
    assert list(pool.folder.iterdir()) == []


def test_an_archive_that_does_not_answer_is_named(tmp_path: Path) -> None:
    with pytest.raises(ToolkitError, match=r"http://127.0.0.1:9/pool/one_1_all.deb could not be downloaded"):
        fetch_debs([pin("one")], suite("http://127.0.0.1:9"), Pool(tmp_path / "pool"), lambda _: None)


def test_a_mirror_of_the_site_is_asked_instead(tmp_path: Path, archive: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLKIT_MIRROR_DEBIAN", f"{archive}/")
    pool = Pool(tmp_path / "pool")
    fetch_debs([pin("one")], suite("http://127.0.0.1:9"), pool, lambda _: None)
    assert pool.missing([pin("one")]) == []


def test_an_archive_that_the_suite_lacks_is_refused(tmp_path: Path, archive: str) -> None:
    with pytest.raises(ToolkitError, match="the archive ubuntu, which bookworm does not have"):
        fetch_debs([pin("one", "ubuntu")], suite(archive), Pool(tmp_path / "pool"), lambda _: None)
