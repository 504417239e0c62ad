"""Wheels that uv solves, and those that are named one by one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import uv
from packaging.version import Version

from toolkit.errors import ToolkitError
from toolkit.lock.model import WheelPin
from toolkit.lock.pinned import exact_versions, pin_of
from toolkit.lock.wheels import compile_argv, pins_of, solve_wheels, uv_environment

from .recipes import SUITE

PYLOCK = """lock-version = "1.0"
[[packages]]
name = "Grpc_IO"
version = "1.2"
wheels = [
  {{ url = "https://x/a%2Bb/grpcio-1.2-cp311-cp311-manylinux1_x86_64.whl", size = 7, hashes = {{ sha256 = "{a}" }} }},
  {{ url = "https://x/grpcio-1.2-py3-none-any.whl", size = 8, hashes = {{ sha256 = "{b}" }} }},
]
[[packages]]
name = "absl-py"
version = "2.0"
wheels = [{{ name = "absl_py-2.0-py3-none-any.whl", url = "https://x/y", hashes = {{ sha256 = "{b}" }} }}]
""".format(a="a" * 64, b="b" * 64)


def test_a_solution_becomes_one_file_for_each_package() -> None:
    assert pins_of(PYLOCK, "3.11", SUITE) == (
        WheelPin("absl-py", "2.0", "absl_py-2.0-py3-none-any.whl", "b" * 64, 0),
        WheelPin("grpc-io", "1.2", "grpcio-1.2-cp311-cp311-manylinux1_x86_64.whl", "a" * 64, 7),
    )


def test_a_package_that_has_no_wheel_to_take_is_named() -> None:
    text = PYLOCK.replace("grpcio-1.2-py3-none-any", "grpcio-1.2-py2-none-any")
    with pytest.raises(ToolkitError, match=r"Grpc_IO 1\.2 has no wheel for Python 3\.12 on Twelve"):
        pins_of(text, "3.12", SUITE)


def test_of_a_package_with_hashes_only_those_files_serve() -> None:
    assert pins_of(PYLOCK, "3.11", SUITE, {"grpc-io": frozenset({"b" * 64})}, apart=["absl-py"]) == (
        WheelPin("grpc-io", "1.2", "grpcio-1.2-py3-none-any.whl", "b" * 64, 8),
    )
    with pytest.raises(ToolkitError, match="none of the hashes given for grpc-io") as caught:
        pins_of(PYLOCK, "3.11", SUITE, {"grpc-io": frozenset({"c" * 64})})
    assert caught.value.code.label == "C102"
    assert "aaaaaaaaaaaa…  grpcio-1.2-cp311-cp311-manylinux1_x86_64.whl" in caught.value.evidence


def test_uv_is_asked_for_the_images_python_and_glibc(tmp_path: Path) -> None:
    assert compile_argv(tmp_path, "3.13", "2.36") == [
        *(uv.find_uv_bin(), "pip", "compile", f"{tmp_path}/requirements.in"),
        *("--constraints", f"{tmp_path}/constraints.txt", "--output-file", f"{tmp_path}/pylock.toml"),
        *("--format", "pylock.toml", "--only-binary", ":all:", "--generate-hashes"),
        *("--python", sys.executable, "--python-version", "3.13", "--python-platform", "x86_64-manylinux_2_36"),
    ]
    assert compile_argv(tmp_path, "3.13", "2.41")[-1] == "x86_64-manylinux_2_40"


@pytest.mark.parametrize(
    ("given", "index"),
    [
        ({}, None),
        ({"PIP_INDEX_URL": "http://me:secret@mine/simple"}, "http://me:secret@mine/simple"),
        ({"PIP_INDEX_URL": "http://mine", "UV_DEFAULT_INDEX": "http://uvs"}, "http://uvs"),
        ({"PIP_INDEX_URL": "http://mine", "UV_INDEX_URL": "http://uvs"}, None),
    ],
)
def test_uv_hears_of_the_sites_index_where_no_one_else_does(given: dict[str, str], index: str | None) -> None:
    assert uv_environment(given).get("UV_DEFAULT_INDEX") == index


def listed(*names: str) -> list[dict[str, Any]]:
    return [{"filename": name, "hashes": {"sha256": f"{at:064}"}, "size": at} for at, name in enumerate(names)]


def test_an_old_python_takes_the_best_wheel_of_the_version_that_is_named() -> None:
    files = listed("a-1.0.tar.gz", "a-1.1-py2.py3-none-any.whl", "a-1.0-py2-none-any.whl", "a-1.0-py3-none-any.whl")
    assert pin_of("a", Version("1.0"), files, "2.7", SUITE) == WheelPin(
        "a", "1.0", "a-1.0-py2-none-any.whl", f"{2:064}", 2
    )


def test_an_old_python_takes_a_wheel_of_python_3_where_there_is_no_other() -> None:
    pin = pin_of("a", Version("1.0"), listed("a-1.0.tar.gz", "a-1.0-py3-none-any.whl"), "2.7", SUITE)
    assert pin.file == "a-1.0-py3-none-any.whl"


def test_an_old_pythons_wheel_has_one_of_the_hashes_that_are_given() -> None:
    files = listed("a-1.0-py2-none-any.whl", "a-1.0-py2.py3-none-any.whl")
    pin = pin_of("a", Version("1.0"), files, "2.7", SUITE, {"a": frozenset({f"{1:064}"})})
    assert pin.file == "a-1.0-py2.py3-none-any.whl"
    with pytest.raises(ToolkitError, match="none of the hashes given for a"):
        pin_of("a", Version("1.0"), files, "2.7", SUITE, {"a": frozenset({f"{7:064}"})})


def test_a_package_of_sources_alone_is_refused() -> None:
    with pytest.raises(ToolkitError, match=r"a 1\.0 has no wheel for Python 2\.7 on Twelve"):
        pin_of("a", Version("1.0"), listed("a-1.0.tar.gz", "a-1.1-py2-none-any.whl"), "2.7", SUITE)


def test_an_old_pythons_packages_are_named_with_their_versions() -> None:
    assert exact_versions(["Back.Ports==1.0.post1", "six == 1.17"], "2.7") == {
        "back-ports": Version("1.0.post1"),
        "six": Version("1.17"),
    }


@pytest.mark.parametrize(
    "line",
    ["six", "six>=1", "six==1,!=2", "six==1.*", "six[a]==1", "six==1; python_version<'3'", "six @ http://x", "=="],
)
def test_an_old_python_has_no_resolver_to_find_a_version(line: str) -> None:
    with pytest.raises(ToolkitError, match="does not pin one version") as caught:
        solve_wheels([line], "2.7", SUITE)
    assert "NAME==VERSION" in caught.value.hint
