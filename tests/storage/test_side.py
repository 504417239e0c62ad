"""What the side container and the stores are asked for."""

from __future__ import annotations

import configparser
from dataclasses import replace

import pytest

from toolkit.errors import ToolkitError
from toolkit.secrets import Secret
from toolkit.storage.s3 import Access, StoredObject
from toolkit.storage.sidecar import Mount, mount_options, rclone_config

ACCESS = Access("http://127.0.0.1:9", Secret("AKIAEXAMPLE"), Secret("wJalrXUtnFEMI/K7MDENG+x="))


def test_data_is_mounted_read_only() -> None:
    options = mount_options(Mount("data", "numbers", "mnt/data/numbers", read_only=True))
    assert options["fs"] == "data:numbers"
    assert options["mountPoint"] == "/run/host/mnt/data/numbers"
    assert options["vfsOpt"] == {"UID": 61000, "GID": 61000, "DirPerms": 0o755, "FilePerms": 0o644, "ReadOnly": True}
    assert options["mountOpt"] == {"AllowOther": True}


def test_results_are_mounted_with_the_full_cache_and_nothing_ages_out_of_it() -> None:
    vfs = mount_options(Mount("results", "models", "mnt/results/models", read_only=False))["vfsOpt"]
    assert vfs == {
        **{"UID": 61000, "GID": 61000, "DirPerms": 0o755, "FilePerms": 0o644},
        **{
            "CacheMode": "full",
            "WriteBack": "1s",
            "CacheMaxAge": "87600h",
            "DirCacheTime": "5s",
            "FastFingerprint": True,
        },
    }


def test_rclones_configuration_names_each_store_with_its_keys() -> None:
    parser = configparser.ConfigParser(interpolation=None)
    access = replace(ACCESS, endpoint_url="http://10.0.0.9:9000")
    parser.read_string(rclone_config({"data": access, "results": access}))
    assert {name: dict(parser[name]) for name in parser.sections()} == {
        name: {
            "type": "s3",
            "provider": "Other",
            "force_path_style": "true",
            "no_check_bucket": "true",
            "endpoint": "http://10.0.0.9:9000",
            "access_key_id": "AKIAEXAMPLE",
            "secret_access_key": "wJalrXUtnFEMI/K7MDENG+x=",
        }
        for name in ("data", "results")
    }


@pytest.mark.parametrize(
    ("url", "direct", "local"),
    [
        ("http://127.0.0.1:9", False, True),
        ("http://localhost:9", False, True),
        ("http://10.0.0.9:9000", True, True),
        ("http://10.0.0.9:9000", False, False),
        ("https://s3.eu-south-2.amazonaws.com", False, False),
    ],
)
def test_only_a_store_on_this_host_gets_no_md5_of_large_files(url: str, direct: bool, local: bool) -> None:
    config = rclone_config({"results": replace(ACCESS, endpoint_url=url, direct=direct)})
    assert ("disable_checksum = true\n" in config) is local


@pytest.mark.parametrize("harm", ["\n[data]\ntype = local", "\r", "\x00", "\x1b[2J", "\u2028"])
@pytest.mark.parametrize("name", ["endpoint_url", "access_key_id", "secret_access_key", "session_token", "region"])
def test_no_value_is_more_than_its_line(name: str, harm: str) -> None:
    value = f"http://127.0.0.1:9{harm}"
    evil = replace(ACCESS, **{name: value if name in ("endpoint_url", "region") else Secret(value)})
    with pytest.raises(ToolkitError) as caught:
        rclone_config({"results": evil})
    assert caught.value.code.label == "C103"
    assert "127.0.0.1" not in str(caught.value), "it may be a key"


def test_an_access_prints_no_key() -> None:
    assert "AKIAEXAMPLE" not in f"{ACCESS} {ACCESS!r}"
    assert "wJalr" not in f"{ACCESS} {ACCESS!r}"


def test_an_etag_of_parts_is_no_md5() -> None:
    assert StoredObject("k", 1, "0" * 32).md5 == "0" * 32
    assert StoredObject("k", 1, f"{'0' * 32}-7").md5 is None
