"""From a manifest's references to stores that can be asked: no server is started where none is meant."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path

import pytest

from toolkit.errors import ToolkitError
from toolkit.manifest.model import BucketReference, Connection, FolderReference, Manifest
from toolkit.manifest.reader import read_manifest
from toolkit.paths import assets
from toolkit.secrets import Secret, parse_secret
from toolkit.storage.open_storage import open_access
from toolkit.storage.s3 import Access
from toolkit.storage.sidecar import rclone_config

EXAMPLE = read_manifest(assets() / "examples" / "mnist" / "manifest.yml")


def bucket(url: str, access_key: str, secret_key: str) -> BucketReference:
    return BucketReference("b", Connection(url, parse_secret(access_key), parse_secret(secret_key)), "numbers")


def manifest(data_key: str, results_key: str) -> Manifest:
    """Two stores at two places."""
    return replace(
        EXAMPLE,
        training_data=bucket("https://one.example.org", "DATAID", data_key),
        training_results=bucket("https://two.example.org", "RESULTSID", results_key),
    )


def test_each_reference_has_its_own_store_and_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RESULTS_KEY", "from-environment")
    with open_access(manifest("literal", "${env:RESULTS_KEY}"), tmp_path, "side", "run") as opened:
        assert opened.remotes == {
            "data": Access("https://one.example.org", Secret("DATAID"), Secret("literal")),
            "results": Access("https://two.example.org", Secret("RESULTSID"), Secret("from-environment")),
        }
        assert opened["results"] is opened.remotes["results"]
    assert list(tmp_path.iterdir()) == []


def test_a_reference_that_leads_nowhere_is_reported_before_anything_is_started(tmp_path: Path) -> None:
    with (
        pytest.raises(ToolkitError, match=r"\$\{file:/no/key\}: No such file"),
        open_access(manifest("literal", "${file:/no/key}"), tmp_path, "side", "run"),
    ):
        pytest.fail("it was opened")


def customer(source: str, url: str = "https://two.example.org") -> Manifest:
    """Results in a bucket whose objects are encrypted with a customer's key."""
    keys = parse_secret("ID"), parse_secret("secret")
    results = BucketReference("b", Connection(url, *keys, "", parse_secret(source)), "numbers")
    return replace(EXAMPLE, training_data=FolderReference("", "/srv"), training_results=results)


def test_a_customers_key_is_resolved_as_the_others_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = base64.b64encode(bytes(range(32))).decode()
    monkeypatch.setenv("SSE_C_KEY", key)
    with open_access(customer("${env:SSE_C_KEY}"), tmp_path, "side", "run") as opened:
        assert opened["results"].customer_key == Secret(key)
    assert f"sse_customer_algorithm = AES256\nsse_customer_key_base64 = {key}\n" in rclone_config(opened.remotes)


@pytest.mark.parametrize("key", ["c2hvcnQ=", "no-base64-at-all!", "A" * 32])
def test_a_customers_key_that_is_none_is_reported_and_not_shown(tmp_path: Path, key: str) -> None:
    with (
        pytest.raises(ToolkitError, match=r"sse_customer_key, \[redacted\]: not 32 bytes in base64"),
        open_access(customer(key), tmp_path, "side", "run"),
    ):
        pytest.fail("it was opened")


def test_both_keys_of_a_profile_and_the_part_of_a_bucket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text(
        "[tiles]\naws_access_key_id = ID\naws_secret_access_key = secret\naws_session_token = token\n"
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    pair = parse_secret("${profile:tiles}")
    results = BucketReference("b", Connection("https://two.example.org", pair, pair), "numbers", prefix="a/b")
    asked = replace(EXAMPLE, training_data=FolderReference("", "/srv"), training_results=results)
    with open_access(asked, tmp_path, "side", "run") as opened:
        assert opened.remotes == {
            "results": Access("https://two.example.org", Secret("ID"), Secret("secret"), "a/b", Secret("token"))
        }
    assert "session_token = token\n" in rclone_config(opened.remotes)
