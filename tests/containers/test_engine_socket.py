"""Questions to an engine on its socket: here a server of the test's own, which answers as Docker Engine does."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from toolkit.containers.engine_socket import ask, local_socket
from toolkit.containers.failure import EngineFailure, NotThere
from toolkit.containers.images_api import EngineImages
from toolkit.errors import Code, ToolkitError

IMAGE = {"Id": "sha256:abc", "Size": 5}
ANSWERS = {
    "/version": (200, b'{"Version": "28.2.2"}'),
    "/images/toolkit-buckets:1/json": (200, json.dumps(IMAGE).encode()),
    "/images/registry:5000/a@sha256:abc/json": (200, json.dumps(IMAGE).encode()),
    "/images/sha256:abc/history": (200, b'[{"CreatedBy": "b", "Size": 1}]'),
    "/images/json": (200, json.dumps([IMAGE]).encode()),
    "/broken": (500, b'{"message": "layer does not exist"}'),
    "/page": (200, b"<html>not an engine</html>"),
}


class Engine(BaseHTTPRequestHandler):
    """Answers from `ANSWERS`, to everything else that it does not exist."""

    def do_GET(self) -> None:
        status, body = ANSWERS.get(self.path, (404, b'{"message": "No such image: other:latest"}'))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


class Server(socketserver.UnixStreamServer):
    def get_request(self) -> tuple[object, object]:  # type: ignore[override]
        """With an address in the form that `http.server` takes."""
        return super().get_request()[0], ("engine", 0)


@pytest.fixture
def socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    file = str(tmp_path / "engine.sock")
    with Server(file, Engine) as server:  # type: ignore[arg-type]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        monkeypatch.setenv("DOCKER_HOST", f"unix://{file}")
        yield file
        server.shutdown()
        thread.join()


def test_questions_about_images_are_answered(socket: str) -> None:
    images = EngineImages()
    assert images.version() == "28.2.2"
    assert images.inspect("toolkit-buckets:1") == IMAGE
    assert images.inspect("registry:5000/a@sha256:abc") == IMAGE
    assert images.history("sha256:abc") == [{"CreatedBy": "b", "Size": 1}]
    assert images.each() == [IMAGE]


def test_an_image_that_is_not_there_is_none(socket: str) -> None:
    assert EngineImages().inspect("other") is None
    with pytest.raises(NotThere, match=r"^No such image: other:latest$"):
        EngineImages().history("other")


def test_a_refusal_has_the_engines_message(socket: str) -> None:
    with pytest.raises(EngineFailure, match=r"^layer does not exist$"):
        ask(socket, "/broken")


def test_a_name_cannot_become_another_question(socket: str) -> None:
    assert EngineImages().inspect("a?b#c d") is None


@pytest.mark.parametrize("path", ["/page", "/version"])
def test_what_is_no_engine_is_reported_as_none(socket: str, tmp_path: Path, path: str) -> None:
    place = socket if path == "/page" else str(tmp_path / "nobody.sock")
    with pytest.raises(ToolkitError) as caught:
        ask(place, path)
    assert caught.value.code is Code.RESOURCES
    assert caught.value.what == "no container engine answers on this machine"
    assert caught.value.evidence.startswith(f"{place}: ")


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("", "/var/run/docker.sock"),
        ("unix:///run/user/1000/docker.sock", "/run/user/1000/docker.sock"),
        ("tcp://engine:2375", ""),
        ("ssh://me@engine", ""),
        ("unix://", ""),
    ],
)
def test_the_socket_is_docker_pys_and_other_engines_are_left_to_it(
    monkeypatch: pytest.MonkeyPatch, address: str, place: str
) -> None:
    monkeypatch.setenv("DOCKER_HOST", address)
    assert local_socket() == place
