"""BuildKit's command line for the tests, where the distribution has no package of it: Debian 13's own program.

    python setup/buildx.py

Puts it where Docker's CLI looks for a user's plugins.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from toolkit.catalogue.suites import read_suites
from toolkit.fetch.debs import fetch_debs
from toolkit.lock.model import DebPin
from toolkit.lock.pool import Pool
from toolkit.paths import assets, cache

BUILDX = DebPin(
    name="docker-buildx",
    version="0.13.1+ds1-3",
    architecture="amd64",
    archive="debian",
    path="pool/main/d/docker-buildx/docker-buildx_0.13.1+ds1-3_amd64.deb",
    sha256="fcf8c48204d1603c8f209451d7827eb91bf30759578baf7704e9e1a87e5f1d7f",
    size=13239200,
)
PROGRAM = "usr/libexec/docker/cli-plugins/docker-buildx"


def main() -> None:
    """Fetch, check, unpack, put in place."""
    pool = Pool(cache() / "pool")
    fetch_debs([BUILDX], read_suites(assets() / "images")["trixie"], pool, lambda _: None)
    plugins = Path.home() / ".docker" / "cli-plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["dpkg-deb", "--extract", pool.path(BUILDX), folder], check=True)
        shutil.copy(Path(folder) / PROGRAM, plugins / "docker-buildx")
    (plugins / "docker-buildx").chmod(0o755)


if __name__ == "__main__":
    main()
