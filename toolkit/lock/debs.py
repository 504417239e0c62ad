"""Resolves a base's packages: mmdebstrap itself builds the base once, and what it installed becomes the pins.

So the lock holds exactly what mmdebstrap chooses, not what another resolver would.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

from toolkit.atomic_file import sha256_of
from toolkit.catalogue.model import DistributionBase
from toolkit.child_environment import child_environment
from toolkit.errors import Code, ToolkitError
from toolkit.lock.keyring import fetched_keyring
from toolkit.lock.mirrors import archive_url
from toolkit.lock.mmdebstrap import run_mmdebstrap
from toolkit.lock.model import DebPin
from toolkit.lock.pool import Pool

_NO_INIT = r"Package: init\nPin: release *\nPin-Priority: -1\n"
"""Images contain no init system: their first process is another. Ubuntu 16.04 lists it as essential, and it cannot be
installed where none runs (systemd's own installation fails)."""
_SHA256 = re.compile(r"^SHA256: ([0-9a-f]{64})$", re.MULTILINE)
_FIELD = re.compile(r"^(Package|Version|Architecture|Filename|Size): (.*)$", re.MULTILINE)
_QUOTED = re.compile(r"[^!-~]|[\\|{}\[\]<>\"^~_=!@#$%&*]")
_CACHE, _LISTS = "/var/cache/apt/archives", "/var/lib/apt/lists"


def sources(base: DistributionBase, environment: Mapping[str, str]) -> list[str]:
    """The archives as lines of apt's sources.list, with the site's mirrors from `environment`."""
    lines = []
    for archive in base.suite.archives:
        url, components = archive_url(archive, environment), " ".join(archive.components)
        # A mirror may serve a past day, as snapshot.debian.org does: its index is signed, and out of date.
        options = "" if url == archive.url.rstrip("/") else "[check-valid-until=no] "
        lines += [f"deb {options}{url} {suite} {components}" for suite in archive.suites]
    return lines


def solving_argv(base: DistributionBase, keyring: Path | None, folder: Path) -> list[str]:
    """mmdebstrap's command line: build `base` and discard it, but copy its packages and indexes to `folder`.

    It reads the archives from its standard input: a mirror's URL may contain a password, and argv is public.
    """
    # After the last download: these two variants download before they extract, others install more later.
    hook = "extract" if base.variant in ("extract", "custom") else "customize"
    return [
        "mmdebstrap",
        f"--variant={base.variant}",
        f"--include={','.join(base.packages)}",
        # Its downloads must still be there at the end, and nothing else.
        "--skip=download/empty,essential/unlink,cleanup/apt",
        f'--setup-hook=mkdir -p "$1"/etc/apt/preferences.d; printf "{_NO_INIT}" > "$1"/etc/apt/preferences.d/no-init',
        # `copy-out` works in every mode of mmdebstrap; a plain `cp` does not in a user namespace.
        f"--{hook}-hook=copy-out {_CACHE} {_LISTS} {folder}",
        '--aptopt=Acquire::GzipIndexes "false"',
        *([f"--keyring={keyring}"] if keyring else []),
        "--format=null",
        base.suite.name,
        "-",
        "-",
    ]


def solve_debs(
    base: DistributionBase, pool: Pool, on_step: Callable[[str], None], environment: Mapping[str, str] = os.environ
) -> tuple[DebPin, ...]:
    """The packages that mmdebstrap installs for `base` today; their files are in `pool` afterwards.

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
            failed=f"mmdebstrap could not resolve the packages of {base.suite.name}",
            hint="see the lines above: no network, a proxy, a missing package; "
            "set a mirror with TOOLKIT_MIRROR_<ARCHIVE>",
            data="\n".join([*sources(base, environment), ""]),
        )
        return _pins(base, folder, pool, environment)


def _pins(base: DistributionBase, folder: Path, pool: Pool, environment: Mapping[str, str]) -> tuple[DebPin, ...]:
    """mmdebstrap's downloads, identified by hash in the archives' indexes, and added to the pool."""
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
            f"{', '.join(lost) or 'nothing'} was installed, but no index of {base.suite.name} lists it",
            hint="did an archive change in the meantime? try again",
        )
    for pin in pool.lacking(found.values()):
        pool.add(files[pin.sha256], pin)
    return tuple(sorted(found.values()))


def lists_prefix(url: str) -> str:
    """The prefix of the names of apt's files for the archive at `url`: `deb.debian.org_debian_dists_`.

    As in apt's `URItoFileName`: no scheme, no user; unsafe characters are written as `%xx`.
    """
    parts = urlsplit(url)
    bare = parts.netloc.rpartition("@")[2] + parts.path.rstrip("/")
    return _QUOTED.sub(lambda match: f"%{ord(match[0]):02x}", bare).replace("/", "_") + "_dists_"


def packages_with(digests: Collection[str], index: str, archive: str) -> Iterator[DebPin]:
    """The entries of `index` (a `Packages` file's text) whose SHA-256 is among `digests`, as pins of `archive`."""
    for match in _SHA256.finditer(index):
        if match[1] in digests:
            start, end = index.rfind("\n\n", 0, match.start()), index.find("\n\n", match.end())
            entry = index[max(start, 0) : end if end >= 0 else len(index)]
            fields = dict(_FIELD.findall(entry))
            yield DebPin(
                name=fields["Package"],
                version=fields["Version"],
                architecture=fields["Architecture"],
                archive=archive,
                path=fields["Filename"],
                sha256=match[1],
                size=int(fields["Size"]),
            )
