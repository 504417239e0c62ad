"""What of a file system tells of the build, and how it is taken out."""

from __future__ import annotations

import importlib.util
import os
import py_compile
import struct
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.image.normalize import EPOCH, is_rewritten, is_trace, settled_content, settled_member


@pytest.mark.parametrize(
    "name",
    [
        "etc/hostname",
        "etc/resolv.conf",
        "etc/machine-id",
        "etc/shadow-",
        "etc/apt/sources.list",
        "etc/apt/sources.list.d/site.sources",
        "etc/ssh/ssh_host_ed25519_key",
        "var/log/dpkg.log",
        "var/log/apt/term.log",
        "var/cache/apt/pkgcache.bin",
        "var/cache/ldconfig/aux-cache",
        "var/lib/apt/lists/deb.debian.org_dists_bookworm_InRelease",
        "var/lib/dpkg/status-old",
        "var/lib/dpkg/lock-frontend",
        "root/.cache/pip/http/1",
        "home/learner/.bash_history",
        "tmp/x",
        "dev/null",
    ],
)
def test_a_trace_of_the_build_is_known(name: str) -> None:
    assert is_trace(name)


@pytest.mark.parametrize(
    "name",
    [
        "etc/shadow",
        "etc/passwd",
        "etc/ssh/sshd_config",
        "etc/apt/trusted.gpg.d/debian.asc",
        "var/log",
        "var/cache/apt",
        "var/lib/dpkg/status",
        "var/lib/dpkg/info/libc6.list",
        "opt/venv/lib/python3.11/site-packages/cache/__init__.py",
        "opt/venv/lib/python3.11/site-packages/tensorflow/var/log/x",
        "tmp",
        "dev",
        "usr/share/doc/dev/null",
        "home/learner/.profile",
    ],
)
def test_what_belongs_to_the_system_stays(name: str) -> None:
    assert not is_trace(name)


def test_a_header_keeps_what_a_program_sees_and_loses_what_tells_of_the_build() -> None:
    given_ = tarfile.TarInfo("./bin/ping")
    given_.mode, given_.uid, given_.gid, given_.uname, given_.gname = 0o4755, 7, 8, "me", "us"
    given_.mtime, given_.size = EPOCH + 9.5, 3
    given_.pax_headers = {"SCHILY.xattr.security.capability": "x", "atime": "1", "SCHILY.xattr.user.mine": "y"}
    info = settled_member(given_, "bin/ping")
    assert (info.name, info.mode, info.uid, info.gid, info.size) == ("bin/ping", 0o4755, 7, 8, 3)
    assert (info.uname, info.gname, info.mtime) == ("", "", EPOCH)
    assert info.pax_headers == {"SCHILY.xattr.security.capability": "x"}


@pytest.mark.parametrize("time", [0, 1000, EPOCH - 1, EPOCH + 1, 2**33])
def test_every_file_has_the_same_time(time: int) -> None:
    given_ = tarfile.TarInfo("a")
    given_.mtime = time
    assert settled_member(given_, "a").mtime == EPOCH


def compiled(folder: Path, time: int, mode: py_compile.PycInvalidationMode) -> bytes:
    source = folder / "module.py"
    source.write_text("x = 1\n")
    os.utime(source, (time, time))
    target = folder / "module.pyc"
    py_compile.compile(str(source), str(target), invalidation_mode=mode)
    return target.read_bytes()


def test_compiled_python_names_that_time_and_still_fits_its_source(tmp_path: Path) -> None:
    content = compiled(tmp_path, EPOCH + 1000, py_compile.PycInvalidationMode.TIMESTAMP)
    settled = settled_content("a.pyc", content)
    assert struct.unpack_from("<I", settled, 8)[0] == EPOCH
    assert settled[:8] + settled[12:] == content[:8] + content[12:]


def test_compiled_python_that_names_a_hash_is_left_alone(tmp_path: Path) -> None:
    content = compiled(tmp_path, EPOCH + 1000, py_compile.PycInvalidationMode.UNCHECKED_HASH)
    assert settled_content("a.pyc", content) == content


@pytest.mark.parametrize("magic", [62211, 3351])
def test_older_pythons_have_the_time_right_after_the_magic(magic: int) -> None:
    content = struct.pack("<HHII", magic, 0x0A0D, EPOCH + 5, 77) + b"code" * 3
    assert settled_content("a.pyc", content) == struct.pack("<HHII", magic, 0x0A0D, EPOCH, 77) + b"code" * 3


def test_the_magic_of_this_python_is_known(tmp_path: Path) -> None:
    assert struct.unpack("<H", importlib.util.MAGIC_NUMBER[:2])[0] >= 3390


@given(st.binary(max_size=64))
def test_a_file_that_only_looks_compiled_never_changes_its_length(content: bytes) -> None:
    assert len(settled_content("a.pyc", content)) == len(content)


def test_the_day_of_a_password_is_one_day_everywhere() -> None:
    content = b"root:*:20780:0:99999:7:::\nlearner:!:19000:0:99999:7:::\nempty:::::::\n"
    assert settled_content("etc/shadow", content) == (
        b"root:*:18262:0:99999:7:::\nlearner:!:18262:0:99999:7:::\nempty:::::::\n"
    )


def test_the_order_of_diversions_means_nothing() -> None:
    one, other = b"/bin/sh\n/bin/sh.distrib\ndash\n", b"/a\n/a.usr\nbase-files\n"
    settled = settled_content("var/lib/dpkg/diversions", one + other)
    assert settled == settled_content("var/lib/dpkg/diversions", other + one) == other + one


def test_only_what_may_hold_a_trace_is_read() -> None:
    names = ("a.pyc", "a.py", "etc/shadow", "opt/etc/shadow", "a.so", "var/lib/dpkg/diversions", "var/lib/dpkg/status")
    assert [name for name in names if is_rewritten(name)] == ["a.pyc", "etc/shadow", "var/lib/dpkg/diversions"]
