"""The keys of an archive that this machine's own distribution does not have: a pinned package of that archive."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import requests

from toolkit.catalogue.model import Suite
from toolkit.errors import Code, ToolkitError
from toolkit.lock.mirrors import archive_url
from toolkit.process import run

_TIMEOUT = (10, 60)
"""Timeout in seconds to connect, and between bytes."""


def keyring_url(suite: Suite, environment: Mapping[str, str]) -> str:
    """The URL of the keyring's package: below the site's mirror of the archive, if there is one."""
    assert suite.keyring is not None
    url = suite.keyring.url
    for archive in suite.archives:
        root = archive.url.rstrip("/") + "/"
        if url.startswith(root):
            return f"{archive_url(archive, environment)}/{url.removeprefix(root)}"
    return url


@contextmanager
def fetched_keyring(suite: Suite, environment: Mapping[str, str]) -> Iterator[Path]:
    """The file with the suite's keys, while the context lasts; raises `ToolkitError` (S103) for another package."""
    assert suite.keyring is not None
    url = keyring_url(suite, environment)
    try:
        answer = requests.get(url, timeout=_TIMEOUT)
        answer.raise_for_status()
    except requests.RequestException as error:
        raise ToolkitError(
            Code.IMAGE,
            f"the keys of {suite.title} could not be downloaded",
            evidence=str(error),
            hint="no network, or a proxy? set a mirror with TOOLKIT_MIRROR_<ARCHIVE>",
        ) from None
    found = hashlib.sha256(answer.content).hexdigest()
    if found != suite.keyring.sha256:
        raise ToolkitError(
            Code.IMAGE,
            f"{url} is not the keyring package that images/suites.yml names",
            evidence=f"expected sha256 {suite.keyring.sha256}\nfound    sha256 {found}",
            hint="use another mirror; these keys decide which packages are trusted",
        )
    with tempfile.TemporaryDirectory(prefix="toolkit-keys-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # apt reads it as a user of its own
        package = folder / "keyring.deb"
        package.write_bytes(answer.content)
        run(["dpkg-deb", "--extract", str(package), str(folder)])
        yield next(iter(sorted((folder / "usr/share/keyrings").glob("*-archive-keyring.gpg"))))
