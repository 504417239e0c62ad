"""A store's ways, found out against a stand-in S3 server; rclone and boto3 are real, and get the same."""

from __future__ import annotations

import base64
import configparser
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from toolkit.errors import ToolkitError
from toolkit.secrets import Secret
from toolkit.storage.client import Access
from toolkit.storage.examine import PROBE, _written, differences_of, examined, located, region_in
from toolkit.storage.s3 import Store
from toolkit.storage.sidecar import rclone_config

from .stand_in_s3 import StandInS3, standing_in

ACCESS = Access("http://127.0.0.1:9", Secret("AKIDEXAMPLE"), Secret("secretsecret"))


@pytest.fixture
def store() -> Iterator[StandInS3]:
    with standing_in() as server:
        server.buckets.add("models")
        yield server


def access(server: StandInS3, **more: Any) -> Access:
    return Access(server.url, Secret("AKIDEXAMPLE"), Secret("secretsecret"), **more)


def rclone(folder: Path, found: Access, *words: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """rclone as a run has it."""
    config = folder / "rclone.conf"
    config.write_text(rclone_config({"results": found}))
    argv = (str(Path(sys.executable).with_name("rclone")), "--config", str(config), "--retries", "1", *words)
    return subprocess.run(argv, input=data, capture_output=True, check=False)


def round_trip(folder: Path, found: Access) -> None:
    """Both clients write, and read what the other wrote."""
    Store(found).write("models", "by-boto3", b"one")
    done = rclone(folder, found, "rcat", "results:models/by-rclone", data=b"two")
    assert done.returncode == 0, done
    assert rclone(folder, found, "cat", "results:models/by-boto3").stdout == b"one"
    assert Store(found).read("models", "by-rclone", 10) == b"two"


def test_a_plain_store_is_left_as_it_is(store: StandInS3, tmp_path: Path) -> None:
    found = examined(access(store), "models", write=True)
    assert found == access(store)
    assert differences_of(found) == ""
    assert f"models/{PROBE}" not in store.objects
    round_trip(tmp_path, found)


@pytest.mark.parametrize("reports", [True, False])
def test_the_region_that_a_store_insists_on_is_found_and_reported_to_both(
    store: StandInS3, tmp_path: Path, reports: bool
) -> None:
    store.region, store.tells_region = "eu-south-2", reports
    found = examined(access(store), "models", write=True)
    assert found.region == "eu-south-2"
    assert "region eu-south-2" in differences_of(found)
    store.regions.clear()
    round_trip(tmp_path, found)
    assert set(store.regions) == {"eu-south-2"}


EVIL = "x\n[data]\ntype = local"


@pytest.mark.parametrize("reports", [True, False])
def test_a_region_that_is_none_reaches_no_configuration(store: StandInS3, reports: bool) -> None:
    store.region, store.tells_region = EVIL, reports
    assert located(access(store), "models").region in ("", "us-east-1")


def test_a_key_or_an_encryption_that_is_none_reaches_no_configuration() -> None:
    for evil in (EVIL, "key x", "key\x00"):
        answer = {"ETag": '"no MD5"', "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": evil}
        found = _written(ACCESS, SimpleNamespace(probe=lambda *_, given=answer: given), "models")  # type: ignore[arg-type]
        assert (found.kms_key, found.md5_etags) == ("", False)
        assert configured(found) == ["directory_bucket"]
    answer = {"ServerSideEncryption": EVIL}
    found = _written(ACCESS, SimpleNamespace(probe=lambda *_: answer), "models")  # type: ignore[arg-type]
    assert found.encryption == ""


def configured(found: Access) -> list[str]:
    """What rclone gets of encryption, in the one section that there is."""
    parser = configparser.RawConfigParser()
    parser.read_string(rclone_config({"results": found}))
    assert parser.sections() == ["results"]
    return sorted({"directory_bucket", "server_side_encryption", "sse_kms_key_id"} & set(parser["results"]))


def test_a_region_of_the_manifest_is_taken(store: StandInS3) -> None:
    store.region = "house-1"
    assert located(access(store, region="house-1"), "models").region == "house-1"
    assert set(store.regions) == {"house-1"}


def test_a_store_that_never_agrees_is_asked_a_few_times(store: StandInS3) -> None:
    store.region, store.tells_region = "eu-south-2", True
    wanted = iter(["us-west-1", "eu-south-2"] * 50)
    store.turn = lambda: setattr(store, "region", next(wanted))
    with pytest.raises(ToolkitError):
        examined(access(store), "models", write=True)
    assert len(store.seen) < 20


@pytest.mark.parametrize(
    ("endpoint", "region"),
    [
        ("https://s3.eu-central-1.amazonaws.com", "eu-central-1"),
        ("https://s3-us-west-2.amazonaws.com", "us-west-2"),
        ("https://s3.dualstack.ap-southeast-1.amazonaws.com/", "ap-southeast-1"),
        ("https://s3-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("https://s3.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("https://s3.amazonaws.com", ""),
        ("https://s3.eu-central-1.amazonaws.com.example.org", ""),
        ("http://127.0.0.1:9000", ""),
    ],
)
def test_amazons_endpoints_name_their_region(endpoint: str, region: str) -> None:
    assert region_in(endpoint) == region


@pytest.mark.parametrize("encryption", ["", "aws:kms", "aws:kms:dsse"])
def test_etags_that_are_no_md5s_are_found_out_and_rclone_stores(
    store: StandInS3, tmp_path: Path, encryption: str
) -> None:
    store.md5_etags, store.encryption, store.kms_key = False, encryption, "arn:aws:kms:eu-south-2:1:key/x"
    found = examined(access(store), "models", write=True)
    assert not found.md5_etags
    assert "ETags are not MD5s" in differences_of(found)
    round_trip(tmp_path, found)
    (tmp_path / "weights").write_bytes(b"w" * 100_000)
    done = rclone(tmp_path, found, "copy", str(tmp_path), "results:models/run", "--include", "weights")
    assert done.returncode == 0, done
    asked = {one for one in store.asked_encryption if one}
    assert asked == ({("aws:kms", store.kms_key)} if encryption == "aws:kms" else set())


CUSTOMER_KEY = base64.b64encode(bytes(range(32))).decode()


def test_a_customers_key_goes_with_every_object_of_both_clients(store: StandInS3, tmp_path: Path) -> None:
    store.customer_key = CUSTOMER_KEY
    found = examined(access(store, customer_key=Secret(CUSTOMER_KEY)), "models", write=True)
    assert not found.md5_etags
    round_trip(tmp_path, found)
    (tmp_path / "weights").write_bytes(bytes(12 << 20))
    Store(found).put("models", "in-parts", tmp_path / "weights")
    words = ("--include", "weights", "--s3-upload-cutoff", "5M", "--s3-chunk-size", "5M")
    for verb in ("copy", "check"):
        done = rclone(tmp_path, found, verb, str(tmp_path), "results:models/run", *words)
        assert done.returncode == 0, done
    done = rclone(tmp_path, found, "moveto", "results:models/run/weights", "results:models/run/renamed")
    assert done.returncode == 0, done
    assert store.objects["models/run/renamed"].data == store.objects["models/in-parts"].data == bytes(12 << 20)


ANOTHER = base64.b64encode(bytes(32)).decode()


@pytest.mark.parametrize(
    ("wanted", "named", "said"),
    [
        (CUSTOMER_KEY, "", r"with a customer's key \(SSE-C\), but the manifest names none"),
        (CUSTOMER_KEY, ANOTHER, r"the keys are refused \(403\)"),
        ("", CUSTOMER_KEY, r"not to be encrypted with a customer's key \(SSE-C\), but the manifest names one"),
    ],
    ids=["none", "another", "one too many"],
)
@pytest.mark.parametrize("size", [3, 2 << 20])
def test_a_customers_key_that_is_not_the_objects_is_reported(
    store: StandInS3, wanted: str, named: str, said: str, size: int
) -> None:
    store.customer_key = wanted
    Store(access(store, customer_key=Secret(wanted) if wanted else None)).write("models", "data/1", bytes(size))
    with pytest.raises(ToolkitError, match=said) as caught:
        examined(access(store, customer_key=Secret(named) if named else None), "models")
    assert caught.value.code.label == "C103"
    assert "sse_customer_key" in caught.value.hint


def test_an_object_that_may_not_be_read_keeps_no_run_from_the_others(store: StandInS3) -> None:
    for name in ("data/1", "data/2"):
        Store(access(store)).write("models", name, bytes(2 << 20))
    store.hides = {"models/data/1"}
    assert examined(access(store), "models").region == ""


def test_without_that_rclone_would_store_nothing(store: StandInS3, tmp_path: Path) -> None:
    """Why it is found out: else rclone calls every upload corrupted."""
    store.md5_etags = False
    done = rclone(tmp_path, access(store), "rcat", "results:models/x", data=b"one")
    assert done.returncode != 0
    assert b"corrupted on transfer" in done.stderr


@pytest.mark.parametrize("md5_etags", [True, False])
def test_a_bucket_that_is_only_read_is_judged_by_what_is_in_it(store: StandInS3, md5_etags: bool) -> None:
    for number in range(5):
        Store(access(store)).write("models", f"data/{number}", b"x" * number)
    store.seen.clear()
    store.md5_etags = md5_etags
    if not md5_etags:
        for held in store.objects.values():
            held.etag = store.etag(held.data)
    assert examined(access(store), "models").md5_etags is md5_etags
    assert not any(one.startswith(("PUT", "DELETE")) for one in store.seen)


def test_one_damaged_object_does_not_make_etags_something_else(store: StandInS3) -> None:
    for number in range(3):
        Store(access(store)).write("models", f"data/{number}", b"x" * (number + 1))
    store.objects["models/data/0"].data = b"y"
    assert examined(access(store), "models").md5_etags


def test_a_bucket_that_takes_nothing_is_reported_before_anything_is_started(store: StandInS3) -> None:
    store.refuses = {"models/": 403}
    with pytest.raises(ToolkitError, match="cannot write to bucket models") as caught:
        examined(access(store), "models", write=True)
    assert caught.value.code.label == "C103"


def test_a_bucket_that_is_not_there_is_reported(store: StandInS3) -> None:
    with pytest.raises(ToolkitError, match="there is no such bucket"):
        examined(access(store), "absent")
