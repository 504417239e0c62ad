"""Fills the pool with the lock's Debian packages, from their archive or a site's mirror of it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import requests

from toolkit.catalogue.model import Suite
from toolkit.errors import Code, ToolkitError
from toolkit.fetch.missing import missing_from
from toolkit.lock.mirrors import archive_url
from toolkit.lock.model import DebPin
from toolkit.lock.pool import Pool
from toolkit.progress import Progress, Report

_STAGE = "packages"
_AT_ONCE = 4
_TIMEOUT = (10, 60)
"""Timeout in seconds to connect, and between bytes."""
_PIECE = 1 << 16
_GONE = 404


def deb_urls(debs: Sequence[DebPin], suite: Suite, environment: dict[str, str]) -> dict[DebPin, str]:
    """The URL of each package; raises `ToolkitError` (S103) for an archive that the suite does not have."""
    roots = {archive.name: archive_url(archive, environment) for archive in suite.archives}
    unknown = sorted({deb.archive for deb in debs} - roots.keys())
    if unknown:
        raise ToolkitError(Code.IMAGE, f"the lock names the archive {unknown[0]}, which {suite.name} does not have")
    return {deb: f"{roots[deb.archive].rstrip('/')}/{deb.path}" for deb in debs}


def fetch_debs(debs: Sequence[DebPin], suite: Suite, pool: Pool, report: Report) -> None:
    """Download the files that are missing or damaged in the pool.

    Raises `ToolkitError` (S103) if the archive no longer has a file, serves another one, or does not answer.
    """
    missing = missing_from(pool, debs, _STAGE, report)
    if not missing:
        return
    urls, numbers = deb_urls(missing, suite, dict(os.environ)), count(1)

    with pool.scratch() as folder, requests.Session() as session, ThreadPoolExecutor(_AT_ONCE) as workers:

        def fetch(deb: DebPin) -> None:
            file = folder / f"{deb.sha256}.deb"
            _download(session, urls[deb], file)
            pool.take(file, deb)
            number = next(numbers)
            report(Progress(_STAGE, f"{deb.name} ({number} of {len(missing)})", number, len(missing)))

        try:
            list(workers.map(fetch, missing))
        except BaseException:
            workers.shutdown(cancel_futures=True)
            raise


def _download(session: requests.Session, url: str, file: Path) -> None:
    try:
        with session.get(url, stream=True, timeout=_TIMEOUT) as answer:
            if answer.status_code == _GONE:
                raise ToolkitError(
                    Code.IMAGE,
                    f"{url} is gone: the archive has a newer version",
                    hint="keep the same image: load a bundle that has it (toolkit bundle load), or name a mirror that "
                    "keeps old packages (TOOLKIT_MIRROR_DEBIAN=http://snapshot.debian.org/archive/debian/<day>); "
                    "or take the newer one, which is another image: toolkit lock --update",
                )
            answer.raise_for_status()
            with file.open("xb") as target:
                for piece in answer.iter_content(_PIECE):
                    target.write(piece)
    except requests.RequestException as error:
        raise ToolkitError(
            Code.IMAGE,
            f"{url} could not be downloaded",
            evidence=str(error),
            hint="no network, or a proxy? set a mirror with TOOLKIT_MIRROR_<ARCHIVE>; "
            "a bundle needs no network: toolkit bundle load",
        ) from None
