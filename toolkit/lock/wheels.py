"""Resolves wheels: uv resolves for the image's Python and platform, whatever this machine's are; wheels only."""

from __future__ import annotations

import os
import re
import sys
import tempfile
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import uv
from packaging.utils import canonicalize_name

from toolkit.catalogue.model import Suite
from toolkit.child_environment import child_environment
from toolkit.errors import Code, ToolkitError
from toolkit.lock.model import WheelPin
from toolkit.lock.pinned import pinned_wheels
from toolkit.lock.wheel_choice import NO_HASHES, supported_tags, wheel_pin
from toolkit.process import run

_OLDEST_PYTHON_OF_UV = (3, 6)
_NEWEST_GLIBC_OF_UV = 40
_SECONDS = 600
LAST_LINES = 20
_WARNING = re.compile(r"^warning: (.+ (?:does not have an extra named|is yanked).*)$", re.MULTILINE)
"""The relevant ones of uv's warnings."""
_ABOUT_BUILDING = re.compile(r"^warning: The requested Python version .*\n?", re.MULTILINE)
"""uv's message about the Python that would build packages without a wheel; nothing is built."""


class UnsolvedError(ToolkitError):
    """No resolution; `said` is the resolver's complete reason."""

    said: str = ""


def ignored(_warning: str) -> None:
    """Ignored."""


def compile_argv(folder: Path, python: str, glibc: str) -> list[str]:
    """uv's command line, for `requirements.in` and `constraints.txt` in `folder`; the result goes to `pylock.toml`.

    Pins in an existing `pylock.toml` are kept if they still fit.
    """
    newest = min(int(glibc.removeprefix("2.")), _NEWEST_GLIBC_OF_UV)
    return [
        *(uv.find_uv_bin(), "pip", "compile", str(folder / "requirements.in")),
        *("--constraints", str(folder / "constraints.txt"), "--output-file", str(folder / "pylock.toml")),
        *("--format", "pylock.toml", "--only-binary", ":all:", "--generate-hashes"),
        *("--python", sys.executable, "--python-version", python),
        *("--python-platform", f"x86_64-manylinux_2_{newest}"),
    ]


def solve_wheels(
    requirements: Sequence[str],
    python: str,
    suite: Suite,
    constraints: Sequence[str] = (),
    keep: Sequence[WheelPin] = (),
    environment: Mapping[str, str] = os.environ,
    hashes: Mapping[str, frozenset[str]] = NO_HASHES,
    beside: Path | None = None,
    apart: Sequence[str] = (),
    on_warning: Callable[[str], None] = ignored,
) -> tuple[WheelPin, ...]:
    """The wheels for `requirements` on `python` and the suite's glibc, each the one file that pip would choose.

    Args:
        requirements: for Python 2.7 and 3.5, which uv does not support, every package with its version
            (`toolkit.lock.pinned`).
        constraints: versions that apply if the package is needed, as in pip's constraint files.
        keep: pins of an older lock: their versions are kept if they still fit.
        hashes: by package, the SHA-256 of its only permitted files.
        beside: a folder with wheels that are used like the index's.
        apart: packages to leave out of the result.
        on_warning: called for an extra that a package does not have, and for a yanked version. Default: ignored.

    Raises `UnsolvedError` (S103) with uv's message if there is no resolution, `ToolkitError` (S103) if a package has no
    wheel, (C102) if none of its wheels has one of its hashes.
    """
    if tuple(int(part) for part in python.split(".")) < _OLDEST_PYTHON_OF_UV:
        return pinned_wheels(requirements, python, suite, environment, hashes)
    with tempfile.TemporaryDirectory(prefix="toolkit-lock-") as name:
        folder = Path(name)
        # In the file it adds to UV_FIND_LINKS; as an option it would replace it.
        more = [f"--find-links {beside.as_uri()}"] if beside else []
        (folder / "requirements.in").write_text("".join(f"{line}\n" for line in [*more, *requirements]))
        (folder / "constraints.txt").write_text("".join(f"{line}\n" for line in constraints))
        if keep:
            (folder / "pylock.toml").write_text(_preferences(keep))
        variables = child_environment("uv", uv_environment(environment))
        result = run(compile_argv(folder, python, suite.glibc), check=False, timeout=_SECONDS, environment=variables)
        if not result.ok:
            raise _unsolved(requirements, python, suite, _ABOUT_BUILDING.sub("", result.errors))
        for warning in _WARNING.findall(result.errors):
            on_warning(warning)
        return pins_of((folder / "pylock.toml").read_text(), python, suite, hashes, apart)


def pins_of(
    pylock: str,
    python: str,
    suite: Suite,
    hashes: Mapping[str, frozenset[str]] = NO_HASHES,
    apart: Sequence[str] = (),
) -> tuple[WheelPin, ...]:
    """A `pylock.toml` (PEP 751) as pins, without the packages `apart`; for a package in `hashes`, only those files.

    Raises `ToolkitError` (S103) for a package without a suitable wheel, (C102) if no wheel has one of its hashes.
    """
    tags = supported_tags(python, suite.glibc)
    found = []
    for package in tomllib.loads(pylock).get("packages", []):
        name, version = canonicalize_name(package["name"]), str(package.get("version", ""))
        if name not in apart:
            wheels = {_file(wheel): wheel for wheel in package.get("wheels", [])}
            missing = f"{package['name']} {version} has no wheel for Python {python} on {suite.title}"
            found.append(wheel_pin(name, version, wheels, tags, missing, hashes))
    return tuple(sorted(found))


def _file(wheel: dict[str, Any]) -> str:
    """PEP 751 gives the file's name, or a URL or path that ends with it."""
    place = wheel.get("name") or urlsplit(wheel.get("url", "")).path or wheel.get("path", "")
    return unquote(str(place)).rpartition("/")[2]


def _preferences(pins: Sequence[WheelPin]) -> str:
    """The pins in the format of uv's own earlier result."""
    packages = [f'\n[[packages]]\nname = "{pin.name}"\nversion = "{pin.version}"\n' for pin in pins]
    return 'lock-version = "1.0"\ncreated-by = "toolkit"\n' + "".join(packages)


def uv_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """uv's environment variables: pip's also set the site's index, unless uv's own are set. The URL may contain a
    password, and argv is public."""
    has_index = any(environment.get(name) for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL"))
    index = "" if has_index else environment.get("PIP_INDEX_URL", "")
    return {**environment, **({"UV_DEFAULT_INDEX": index} if index else {})}


def _unsolved(requirements: Sequence[str], python: str, suite: Suite, said: str) -> UnsolvedError:
    error = UnsolvedError(
        Code.IMAGE,
        f"no wheels satisfy {' '.join(requirements)} for Python {python} on {suite.title}",
        evidence="\n".join(said.strip().splitlines()[-LAST_LINES:]),
        hint="see the lines above: conflicting versions, a package without wheels, or no network",
    )
    error.said = said.strip()
    return error
