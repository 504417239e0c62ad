"""Solving a base's packages: mmdebstrap itself makes the base once, and what it installed becomes the pins.

So the lock holds exactly what mmdebstrap takes, and not what another resolver believes that it would take.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

from toolkit.atomic_file import sha256_of
from toolkit.catalogue.model import Archive, DistributionBase
from toolkit.child_environment import child_environment
from toolkit.errors import Code, ToolkitError
from toolkit.lock.deb_index import lists_prefix, packages_with
from toolkit.lock.keyring import fetched_keyring
from toolkit.lock.mirrors import archive_url
from toolkit.lock.mmdebstrap import run_mmdebstrap
from toolkit.lock.model import DebPin
from toolkit.lock.pool import Pool

_NO_INIT = r"Package: init\nPin: release *\nPin-Priority: -1\n"
"""No init system comes into an image, whose first process is another. Ubuntu 16.04 has it among the essential
packages, and it cannot be installed where none runs (systemd's own installation fails)."""
_CACHE, _LISTS = "/var/cache/apt/archives", "/var/lib/apt/lists"


def sources(base: DistributionBase, environment: Mapping[str, str]) -> list[str]:
    """The archives as lines of apt's sources.list, from the site's mirrors where `environment` names them."""
    return [_line(archive, suite, environment) for archive in base.suite.archives for suite in archive.suites]


def _line(archive: Archive, suite: str, environment: Mapping[str, str]) -> str:
    url = archive_url(archive, environment)
    # A mirror may keep a day long past, as snapshot.debian.org does: its index is signed, and out of date.
    options = "" if url == archive.url.rstrip("/") else "[check-valid-until=no] "
    return f"deb {options}{url} {suite} {' '.join(archive.components)}"


def solving_argv(base: DistributionBase, keyring: Path | None, folder: Path) -> list[str]:
    """mmdebstrap's command line: make `base` and throw it away, but copy its packages and indexes to `folder`.

    It reads the archives from its standard input: a mirror's URL may hold a password, and everyone can see an argv.
    """
    return [
        "mmdebstrap",
        f"--variant={base.variant}",
        f"--include={','.join(base.packages)}",
        # What it downloaded must still be there at the end, and nothing else.
        "--skip=download/empty,essential/unlink,cleanup/apt",
        f'--setup-hook=mkdir -p "$1"/etc/apt/preferences.d; printf "{_NO_INIT}" > "$1"/etc/apt/preferences.d/no-init',
        # `copy-out` works in every mode of mmdebstrap; a plain `cp` does not where it has a user namespace.
        f"--{_hook(base.variant)}-hook=copy-out {_CACHE} {_LISTS} {folder}",
        '--aptopt=Acquire::GzipIndexes "false"',
        *([f"--keyring={keyring}"] if keyring else []),
        "--format=null",
        base.suite.name,
        "-",
        "-",
    ]


def _hook(variant: str) -> str:
    """When all is downloaded: these two variants download before they extract, the others install some more later."""
    return "extract" if variant in ("extract", "custom") else "customize"


def solve_debs(
    base: DistributionBase, pool: Pool, on_step: Callable[[str], None], environment: Mapping[str, str] = os.environ
) -> tuple[DebPin, ...]:
    """The packages that mmdebstrap installs for `base` today; their files lie in `pool` afterwards.

    Raises `ToolkitError` (S103) with mmdebstrap's last lines.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="toolkit-lock-")))
        folder.chmod(0o755)
        keyring = stack.enter_context(fetched_keyring(base.suite, environment)) if base.suite.keyring else None
        run_mmdebstrap(
            solving_argv(base, keyring, folder),
            child_environment("apt"),
            on_step,
            failed=f"mmdebstrap could not solve the packages of {base.suite.name}",
            hint="the lines above say why: no network, a proxy, a package that is not there; "
            "a site's mirror is named by TOOLKIT_MIRROR_<ARCHIVE>",
            data="\n".join([*sources(base, environment), ""]),
        )
        return _pins(base, folder, pool, environment)


def _pins(base: DistributionBase, folder: Path, pool: Pool, environment: Mapping[str, str]) -> tuple[DebPin, ...]:
    """What mmdebstrap downloaded, found again by its hash in the archives' indexes, and taken into the pool."""
    files = {sha256_of(file): file for file in sorted((folder / "archives").glob("*.deb"))}
    found: dict[str, DebPin] = {}
    for archive in base.suite.archives:
        prefix = lists_prefix(archive_url(archive, environment))
        for index in sorted((folder / "lists").glob("*_Packages")):
            if index.name.startswith(prefix):
                for pin in packages_with(files.keys(), index.read_text("utf-8"), archive.name):
                    found.setdefault(pin.sha256, pin)
    lost = sorted(file.name for digest, file in files.items() if digest not in found)
    if lost or not found:
        raise ToolkitError(
            Code.IMAGE,
            f"{', '.join(lost) or 'nothing'} was installed, and no index of {base.suite.name} names it",
            hint="an archive changed meanwhile? try again",
        )
    for pin in pool.lacking(found.values()):
        pool.add(files[pin.sha256], pin)
    return tuple(sorted(found.values()))
