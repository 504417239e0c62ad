"""A page for browsers on this machine: who gets it, and how often it is made."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from toolkit.errors import Code, ToolkitError
from toolkit.report import serve
from toolkit.report.serve import PageServer


@contextmanager
def served(make: Callable[[], str]) -> Iterator[PageServer]:
    server = PageServer(make)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


def asked(server: PageServer, path: str = "", host: str = "", method: str = "GET") -> tuple[int, str, dict[str, str]]:
    """Status, text and headers of an answer; `path` and `host` in the place of the right ones."""
    address, _, right_path = server.url.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(address, timeout=10)
    connection.request(method, path or f"/{right_path}", headers={"Host": host or address})
    answer = connection.getresponse()
    found = answer.status, answer.read().decode(), {name.lower(): value for name, value in answer.getheaders()}
    connection.close()
    return found


def test_who_has_the_address_gets_the_page() -> None:
    with served(lambda: "<p>é") as server:
        status, text, headers = asked(server)
    assert (status, text, headers["content-type"]) == (200, "<p>é", "text/html; charset=utf-8")
    assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")
    assert headers["content-security-policy"] == "frame-ancestors 'none'"
    assert server.url.startswith("http://127.0.0.1:")


@pytest.mark.parametrize("path", ["/", "/favicon.ico", "/../", "/%00", "/~%C3%A9"])
def test_without_the_token_there_is_nothing(path: str) -> None:
    with served(lambda: "secret") as server:
        status, text, _ = asked(server, path)
    assert (status, "secret" in text) == (404, False)


@pytest.mark.parametrize("host", ["example.org", "10.0.0.1", "127.0.0.1.example.org", "example.org:80", "[::"])
def test_another_hosts_name_gets_nothing(host: str) -> None:
    with served(lambda: "secret") as server:
        status, text, _ = asked(server, host=host)
    assert (status, "secret" in text) == (403, False)


def test_two_servers_have_different_tokens() -> None:
    with served(lambda: "a") as one, served(lambda: "b") as other:
        path = "/" + one.url.split("/", 3)[3]
        assert asked(other, path)[0] == 404


def test_only_the_page_can_be_got() -> None:
    with served(lambda: "secret") as server:
        assert [asked(server, method=method)[0] for method in ("POST", "PUT", "DELETE")] == [501, 501, 501]


def test_it_is_made_once_for_all_that_ask_within_some_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def make() -> str:
        made.append(1)
        return str(len(made))

    with served(make) as server:
        assert [asked(server)[1] for _ in range(3)] == ["1", "1", "1"]
        monkeypatch.setattr(serve, "SECONDS", 0)
        assert asked(server)[1] == "2"


def test_what_cannot_be_made_is_said_and_tried_again() -> None:
    answers = iter([ToolkitError(Code.RESOURCES, "no \x1b[31mrun"), OSError("disk full"), "page"])

    def make() -> str:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    with served(make) as server:
        assert asked(server)[:2] == (503, "no \\x1b[31mrun\n")
        assert asked(server)[:2] == (503, "disk full\n")
        assert asked(server)[:2] == (200, "page")


def test_a_browser_that_goes_away_is_no_error(capfd: pytest.CaptureFixture[str]) -> None:
    going, gone = threading.Event(), threading.Event()

    def make() -> str:
        going.set()
        gone.wait(10)
        return "x" * 10_000_000

    with served(make) as server:
        address, _, path = server.url.removeprefix("http://").partition("/")
        name, _, port = address.partition(":")
        with socket.create_connection((name, int(port))) as connection:
            connection.sendall(f"GET /{path} HTTP/1.1\r\nHost: {address}\r\n\r\n".encode())
            going.wait(10)
        gone.set()
    assert capfd.readouterr().err == ""


def test_a_port_that_is_taken_is_an_error() -> None:
    with served(lambda: "") as server, pytest.raises(OSError, match="in use"):
        PageServer(lambda: "", int(server.url.split(":")[2].split("/")[0]))
