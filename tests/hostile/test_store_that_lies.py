"""A store that lies, which a real one does not: a small HTTP server that answers S3's requests as an attacker would."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

from toolkit.errors import ToolkitError
from toolkit.secrets import Secret
from toolkit.storage.object_paths import file_names
from toolkit.storage.s3 import Access, Store, StoredObject


class Liar(ThreadingHTTPServer):
    """Lists `keys`, at once or page by page without an end; gives `length` bytes for every object."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.keys: list[str] = []
        self.endless = ""
        self.length = 1
        self.length_claimed = ""
        self.sent = 0

    @property
    def store(self) -> Store:
        return Store(Access(f"http://127.0.0.1:{self.server_port}", Secret("id"), Secret("secret")))


class Answer(BaseHTTPRequestHandler):
    server: Liar
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if "list-type" in self.path:
            more = f"<IsTruncated>true</IsTruncated>{self.server.endless}" if self.server.endless else ""
            items = "".join(f"<Contents><Key>{escape(key)}</Key><Size>1</Size></Contents>" for key in self.server.keys)
            self._send(f"<ListBucketResult>{more}{items}</ListBucketResult>".encode())
            return
        self.send_response(200)
        self.send_header("Content-Length", self.server.length_claimed or str(self.server.length))
        self.end_headers()
        try:
            while self.server.sent < self.server.length:
                self.wfile.write(b"x" * (1 << 20))
                self.server.sent += 1 << 20
        except OSError:
            self.close_connection = True

    def _send(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def liar() -> Iterator[Liar]:
    server = Liar()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_objects_that_were_not_asked_for_are_refused(liar: Liar) -> None:
    liar.keys = ["run/a", "/etc/passwd"]
    with pytest.raises(ToolkitError, match=r"does not behave like an S3 store.*'/etc/passwd'"):
        list(liar.store.objects("bucket", "run/"))


@pytest.mark.parametrize("token", ["", "<NextContinuationToken>again</NextContinuationToken>"])
def test_a_listing_without_an_end_ends(liar: Liar, token: str) -> None:
    liar.keys, liar.endless = ["run/a"], token or "<KeyCount>1</KeyCount>"
    with pytest.raises(ToolkitError, match="its listing does not end"):
        list(liar.store.objects("bucket", "run/"))


def test_keys_of_one_listing_that_exclude_each_other_are_refused(liar: Liar) -> None:
    liar.keys = ["run/a", "run/a/b"]
    with pytest.raises(ToolkitError, match="'run/a/b' cannot be a file here: object 'run/a' would be its folder"):
        file_names((item.key.removeprefix("run/"), item) for item in liar.store.objects("bucket", "run/"))


def test_a_small_object_that_is_a_terabyte_is_refused_and_not_read(liar: Liar) -> None:
    liar.length = 1 << 40
    with pytest.raises(ToolkitError, match=r"object bucket/run/record\.json is refused: larger than 1048576 bytes"):
        liar.store.read("bucket", "run/record.json", 1 << 20)
    assert liar.sent < 64 << 20


def test_an_object_that_grows_does_not_fill_the_disk(liar: Liar, tmp_path: Path) -> None:
    liar.length = 1 << 40
    with pytest.raises(ToolkitError, match="was damaged during the download"):
        liar.store.get("bucket", StoredObject("run/a", 100, ""), tmp_path / "a", lambda _: None)
    assert (tmp_path / "a").stat().st_size <= 100
    assert liar.sent < 64 << 20


@pytest.mark.parametrize("length", ["3, 3", "many", "-1"])
def test_a_length_that_is_none_is_an_error_and_no_traceback(liar: Liar, tmp_path: Path, length: str) -> None:
    liar.length_claimed = length
    with pytest.raises(ToolkitError):
        liar.store.get("bucket", StoredObject("run/a", 100, ""), tmp_path / "a", lambda _: None)


def test_a_key_that_no_request_can_name_is_an_error_and_no_traceback(liar: Liar, tmp_path: Path) -> None:
    for key in ("", "a\0b", "\udce9"):
        with pytest.raises(ToolkitError):
            liar.store.get("bucket", StoredObject(key, 100, ""), tmp_path / "a", lambda _: None)
        (tmp_path / "a").unlink(missing_ok=True)
