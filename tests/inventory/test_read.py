"""An image's file system, read once from a stream."""

from __future__ import annotations

import hashlib
import io
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.inventory.model import Contents, Distribution, File
from toolkit.inventory.read import distribution_of, read_contents
from toolkit.tar.read import PieceReader

from .conftest import SAMPLE, SITE, read, tar_of

LOCK_TEXT = (
    f"lock: 1\nasked: {'a' * 64}\ntemplate: {'b' * 64}\ndebs:\n"
    f"  - bash 5.2 amd64 debian pool/bash_5.2_amd64.deb {'c' * 64} 10\nwheels: []\n"
)


def test_every_file_is_there_with_its_hash(contents: Contents) -> None:
    digest = hashlib.sha256(b"shell").hexdigest()
    assert contents.files["/usr/bin/bash"] == File("file", 0o644, 0, 0, 5, digest)
    assert contents.files["/bin"].content == "usr/bin"
    assert contents.files["/opt"] == File("folder", 0o755, 0, 0, 0, "")


def test_what_the_engine_puts_into_a_container_is_no_part_of_the_image(contents: Contents) -> None:
    assert not {"/etc/hostname", "/dev/console"} & contents.files.keys()
    assert "/etc/motd" in contents.files


def test_packages_of_both_kinds_are_found_and_none_that_was_removed(contents: Contents) -> None:
    found = [(package.kind, package.name, package.version) for package in contents.packages]
    assert found == [
        ("deb", "bash", "5.2.15-2+b13"),
        ("deb", "libc6", "2.36-9"),
        ("deb", "libgcc-s1", "12.2.0"),
        ("deb", "mawk", "1.3.4"),
        ("python", "keras", "3.15.1"),
        ("python", "rich", "15.0.0"),
        ("python", "six", "1.0"),
    ]


def test_a_file_belongs_to_its_package_through_a_linked_folder(contents: Contents) -> None:
    assert contents.owners["/usr/bin/bash"].name == "bash"
    assert contents.owners["/usr/lib/libc.so.6"].name == "libc6"


def test_what_python_compiled_belongs_to_its_sources_package(contents: Contents) -> None:
    keras = contents.by_key[f"python:keras:/{SITE}"]
    assert f"/{SITE}/keras/__pycache__/__init__.cpython-311.pyc" in keras.files
    assert keras.size == sum(contents.files[path].size for path in keras.files)


def test_a_distribution_inside_another_one_is_carried_by_it(contents: Contents) -> None:
    (six,) = [package for package in contents.packages if package.name == "six"]
    assert six.carried_by == f"python:rich:/{SITE}"
    assert contents.owners[f"/{SITE}/rich/_vendor/six-1.0.dist-info/METADATA"].name == "rich"


def test_the_lock_and_the_distribution_are_read() -> None:
    contents = read({**SAMPLE, "usr/share/toolkit/lock.yml": LOCK_TEXT})
    assert contents.lock == LOCK_TEXT
    assert contents.distribution == Distribution("debian", "12", "Debian GNU/Linux 12 (bookworm)")


def test_where_dpkg_left_no_record_the_lock_names_the_packages() -> None:
    files = {
        "usr/share/toolkit/lock.yml": LOCK_TEXT,
        "usr/share/doc/bash/copyright": SAMPLE["usr/share/doc/bash/copyright"],
    }
    (bash,) = read(files).packages
    assert (bash.title, bash.architecture, bash.licences) == ("bash 5.2", "amd64", ("GPL-3+", "GFDL-NIV-1.3+"))


def test_a_lock_that_cannot_be_read_names_none() -> None:
    assert read({"usr/share/toolkit/lock.yml": "lock: 99\n"}).packages == ()


@settings(deadline=None)
@given(st.data())
def test_a_stream_that_is_cut_anywhere_is_an_error(data: st.DataObject) -> None:
    tar = tar_of(SAMPLE)
    end = len(tar.rstrip(b"\0")) + 1024
    with pytest.raises(tarfile.TarError):
        read_contents(io.BytesIO(tar[: data.draw(st.integers(0, end - 513))]))


def test_progress_counts_bytes() -> None:
    reported: list[int] = []
    read_contents(io.BytesIO(tar_of({"a": "xyz", "b": "12"}, {})), reported.append)
    assert reported == [0, 3, 5]


@settings(deadline=None)
@given(st.integers(64, 5000))
def test_the_pieces_of_the_stream_do_not_matter(length: int) -> None:
    tar = tar_of(SAMPLE)
    pieces = (tar[at : at + length] for at in range(0, len(tar), length))
    assert read_contents(PieceReader(pieces)) == read(SAMPLE)


@given(st.text())
def test_no_os_release_is_too_odd_to_read(text: str) -> None:
    assert isinstance(distribution_of(text), Distribution)
