"""Solving a base's packages: what mmdebstrap is asked, and how its files are found again in the indexes."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from toolkit.errors import ToolkitError
from toolkit.lock.debs import lists_prefix, packages_with, solve_debs, solving_argv, sources
from toolkit.lock.keyring import keyring_url
from toolkit.lock.mirrors import archive_url
from toolkit.lock.model import DebPin
from toolkit.lock.pool import Pool

from .recipes import BASE, DEBIAN, KEYRING, SECURITY, SUITE

INDEX = f"""Package: adduser
Version: 3.134
Filename: pool/main/a/adduser/adduser_3.134_all.deb
Architecture: all
Size: 17
SHA256: {"1" * 64}
Description: add users
 Version: not this one

Package: bsdutils
Source: util-linux (2.38)
Version: 1:2.38
Architecture: amd64
SHA256: {"2" * 64}
Size: 18
Filename: pool/main/u/bsdutils_2.38_amd64.deb
"""


def test_a_package_is_found_by_its_hash_under_the_name_that_the_archive_gives_it() -> None:
    assert list(packages_with({"2" * 64, "3" * 64}, INDEX, "debian")) == [
        DebPin("bsdutils", "1:2.38", "amd64", "debian", "pool/main/u/bsdutils_2.38_amd64.deb", "2" * 64, 18)
    ]
    assert [pin.name for pin in packages_with({"1" * 64, "2" * 64}, INDEX, "d")] == ["adduser", "bsdutils"]


@pytest.mark.parametrize(
    ("url", "prefix"),
    [
        ("http://deb.debian.org/debian", "deb.debian.org_debian_dists_"),
        ("http://deb.debian.org/debian-security/", "deb.debian.org_debian-security_dists_"),
        ("https://me:secret@mirror:8080/a_b/c", "mirror:8080_a%5fb_c_dists_"),
        ("http://h/archive/debian/20250520T000000Z", "h_archive_debian_20250520T000000Z_dists_"),
    ],
)
def test_indexes_are_found_by_the_names_that_apt_gives_them(url: str, prefix: str) -> None:
    assert lists_prefix(url) == prefix


def test_a_sites_mirror_takes_the_place_of_an_archive() -> None:
    environment = {"TOOLKIT_MIRROR_DEBIAN_SECURITY": "http://mine/sec/", "TOOLKIT_MIRROR_DEBIAN": ""}
    assert archive_url(SECURITY, environment) == "http://mine/sec"
    assert archive_url(DEBIAN, environment) == "http://deb.example/debian"
    assert sources(BASE, environment) == [
        "deb http://deb.example/debian twelve main",
        "deb http://deb.example/debian twelve-updates main",
        "deb [check-valid-until=no] http://mine/sec twelve-security main extra",
    ]


def test_the_keys_come_from_the_mirror_too() -> None:
    suite = replace(SUITE, keyring=KEYRING)
    assert keyring_url(suite, {}) == KEYRING.url
    assert keyring_url(suite, {"TOOLKIT_MIRROR_DEBIAN": "http://mine/"}) == "http://mine/pool/k/keys_1_all.deb"


def test_mmdebstrap_keeps_what_it_downloaded_and_gives_it_out_at_the_end() -> None:
    argv = solving_argv(BASE, Path("/keys.gpg"), Path("/out"))
    assert argv == [
        *("mmdebstrap", "--variant=apt", "--include=python3,openmpi-bin"),
        "--skip=download/empty,essential/unlink,cleanup/apt",
        '--setup-hook=mkdir -p "$1"/etc/apt/preferences.d; '
        r'printf "Package: init\nPin: release *\nPin-Priority: -1\n" > "$1"/etc/apt/preferences.d/no-init',
        "--customize-hook=copy-out /var/cache/apt/archives /var/lib/apt/lists /out",
        '--aptopt=Acquire::GzipIndexes "false"',
        *("--keyring=/keys.gpg", "--format=null", "twelve", "-", "-"),
    ]


def test_a_base_that_is_only_unpacked_gives_its_files_out_before() -> None:
    argv = solving_argv(replace(BASE, variant="extract"), None, Path("/out"))
    assert "--extract-hook=copy-out /var/cache/apt/archives /var/lib/apt/lists /out" in argv
    assert not [word for word in argv if word.startswith(("--keyring", "--customize-hook"))]


def test_without_mmdebstrap_the_hint_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolkitError, match="mmdebstrap is not installed") as caught:
        solve_debs(BASE, Pool(tmp_path / "pool"), lambda _: None, {})
    assert "apt-get install mmdebstrap" in caught.value.hint


def test_what_mmdebstrap_said_is_reported_where_it_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "mmdebstrap"
    fake.write_text("#!/bin/sh\necho 'I: starting'\necho 'E: no such package: pithon3'\nexit 25\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    steps: list[str] = []
    with pytest.raises(ToolkitError, match="could not resolve the packages of twelve") as caught:
        solve_debs(BASE, Pool(tmp_path / "pool"), steps.append, {})
    assert caught.value.evidence.splitlines() == ["I: starting", "E: no such package: pithon3"]
    assert steps == ["starting"]


STAND_IN = """#!/bin/sh
printf '%s\\n' "$@" > "$0.argv"
cat > "$0.read"
cat "$0.read"
echo "E: Failed to fetch http://me:CANARY77@mine/debian/dists (password CANARY77)"
exit 1
"""


def test_a_mirrors_password_is_in_no_argv_and_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """mmdebstrap is a stand-in that writes down what everyone could see of it, and what it alone reads."""
    program = tmp_path / "mmdebstrap"
    program.write_text(STAND_IN)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    mirrors = {"TOOLKIT_MIRROR_DEBIAN": "http://me:CANARY77@mine/debian"}
    for name, value in mirrors.items():
        monkeypatch.setenv(name, value)
    steps: list[str] = []
    with pytest.raises(ToolkitError) as caught:
        solve_debs(BASE, Pool(tmp_path / "pool"), steps.append, mirrors)
    assert "CANARY77" in (tmp_path / "mmdebstrap.read").read_text()
    assert "CANARY77" not in (tmp_path / "mmdebstrap.argv").read_text()
    assert "CANARY77" not in str(caught.value) + json.dumps(caught.value.as_json()) + "".join(steps)
    assert "http://[redacted]@mine/debian" in str(caught.value)
