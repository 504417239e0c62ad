"""An S3 server of the benchmark's own, which ours and the peers use alike: `rclone serve s3` over a folder."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.compare.workspace import Workspace
from benchmarks.launched import s3_reference

RCLONE = str(Path(sys.executable).parent / "rclone")
_READY = re.compile(r"Starting s3 server on \[(http://\S+?)/\]")


@dataclass(frozen=True)
class S3:
    """A running server with two empty buckets, `bucket` for results and `data`."""

    url: str
    key: str
    secret: str
    folder: Path
    bucket: str = "results"
    data: str = "data"

    @property
    def keys(self) -> dict[str, str]:
        """The variables that the manifest's references name."""
        return {"BENCH_KEY": self.key, "BENCH_SECRET": self.secret}

    @property
    def references(self) -> dict[str, dict[str, object]]:
        """A manifest's `data` and `results`."""
        connection = {
            "endpoint_url": self.url,
            "access_key_id": "${env:BENCH_KEY}",
            "secret_access_key": "${env:BENCH_SECRET}",
        }
        return {
            "data": s3_reference(connection, "source", self.data),
            "results": s3_reference(connection, "target", self.bucket),
        }

    @property
    def rclone_config(self) -> str:
        """A remote `s` for rclone."""
        values = {"type": "s3", "provider": "Other", "force_path_style": "true", "endpoint": self.url}
        values |= {"access_key_id": self.key, "secret_access_key": self.secret}
        return "[s]\n" + "".join(f"{name} = {value}\n" for name, value in values.items())


@contextmanager
def serving(space: Workspace, address: str) -> Iterator[S3]:
    """The server, at `address` of this machine, while the context lasts.

    It remembers objects for minutes, as rclone does by default. The embedded store, whose folder several servers may
    share, computes an object's MD5 again after a second, which would be most of each figure.
    """
    folder = space.folder / "buckets"
    for name in ("results", "data"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    key, secret = secrets.token_hex(8), secrets.token_hex(16)
    argv = [RCLONE, "serve", "s3", "--config", "/dev/null", "--addr", f"{address}:0", folder]
    environment = {**os.environ, "RCLONE_AUTH_KEY": f'"{key},{secret}"'}
    log = space.folder / "s3.log"
    with log.open("w") as stream:
        process = subprocess.Popen(argv, env=environment, stdout=stream, stderr=subprocess.STDOUT)
    try:
        while not (found := _READY.search(log.read_text())):
            if process.poll() is not None:
                sys.exit(f"rclone serve s3: {log.read_text()}")
        yield S3(found[1], key, secret, folder)
    finally:
        process.terminate()
        process.wait()
