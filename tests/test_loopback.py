"""No proxy lies between the tool and this machine; the S3 server is a stand-in, the proxy a port that nobody serves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.storage.stand_in_s3 import Held, standing_in
from toolkit.loopback import direct_to_loopback, is_loopback
from toolkit.paths import assets
from toolkit.secrets import Secret
from toolkit.storage.client import Access
from toolkit.storage.s3 import Store

DEAD = "http://127.0.0.1:9"
PROXIES = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


@pytest.mark.parametrize("variable", PROXIES)
def test_a_bucket_on_loopback_is_listed_whatever_the_proxy(tmp_path: Path, variable: str) -> None:
    text = (assets() / "examples" / "mnist" / "manifest.yml").read_text()
    with standing_in() as server:
        server.buckets |= {"mnist-training-data", "mnist-training-models"}
        server.objects["mnist-training-data/digits.npz"] = Held(b"digits", "0" * 32)
        text = text.replace("endpoint_url: embedded", f"endpoint_url: {server.url}")
        for name in ("access_key_id", "secret_access_key"):
            text = text.replace(f"${{embedded:{name}}}", "AKIDEXAMPLE")
        (tmp_path / "manifest.yml").write_text(text)
        environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        done = subprocess.run(
            [sys.executable, "-m", "toolkit", "bucket", "list", "--json", tmp_path / "manifest.yml"],
            env={**environment, variable: DEAD, "TOOLKIT_HOME": str(tmp_path / "home")},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["mnist-training-data"] == [{"key": "digits.npz", "bytes": 6}]


def test_the_tools_own_server_is_reached_directly_at_any_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a cluster it listens at an address that hosts see: another one of loopback's, here."""
    monkeypatch.setenv("HTTP_PROXY", DEAD)
    monkeypatch.setenv("http_proxy", DEAD)
    with standing_in(address="127.0.0.2") as server:
        server.buckets.add("models")
        access = Access(server.url, Secret("AKIDEXAMPLE"), Secret("secret"), direct=True)
        assert list(Store(access).objects("models")) == []


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://127.0.0.1:9000", True),
        ("http://127.8.9.10", True),
        ("http://[::1]:9000/simple", True),
        ("http://localhost", True),
        ("https://s3.LOCALHOST.:9000", True),
        ("http://10.0.0.1", False),
        ("https://localhost.example.org", False),
        ("https://127.0.0.1.example.org", False),
        ("", False),
    ],
)
def test_what_is_this_machine(url: str, loopback: bool) -> None:
    assert is_loopback(url) is loopback


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ({"https_proxy": DEAD}, "localhost,127.0.0.1,::1"),
        ({"HTTP_PROXY": DEAD, "NO_PROXY": "a.example, .b.example"}, "a.example,.b.example,localhost,127.0.0.1,::1"),
        ({"HTTP_PROXY": DEAD, "no_proxy": "low", "NO_PROXY": "HIGH"}, "low,localhost,127.0.0.1,::1"),
        ({"HTTP_PROXY": DEAD, "NO_PROXY": "*"}, None),
        ({"NO_PROXY": "a.example"}, None),
    ],
)
def test_what_else_uses_the_environment_is_reported(given: dict[str, str], value: str | None) -> None:
    assert direct_to_loopback(given) == ({"no_proxy": value, "NO_PROXY": value} if value else {})


def test_requests_heeds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", DEAD)
    with standing_in() as server:
        for name, value in direct_to_loopback(os.environ).items():
            monkeypatch.setenv(name, value)
        assert requests.get(f"{server.url}/none/none", timeout=5).status_code == 404
