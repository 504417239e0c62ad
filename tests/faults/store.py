"""An S3 server of a test's own, which can be stopped, started anew with other keys, or be full."""

from __future__ import annotations

import secrets
import socket
import subprocess
import sys
import time
from pathlib import Path

from ..real.bench import MANIFEST

RCLONE = Path(sys.executable).parent / "rclone"
BUCKETS = ("mnist-training-data", "mnist-training-models")


class S3Server:
    """`rclone serve s3` over a folder of this machine, at one port for its whole life."""

    def __init__(self, folder: Path, keys: Path, address: str = "127.0.0.1") -> None:
        self.folder, self._keys, self._address = folder, keys, address
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as free:
            free.bind((address, 0))
            self._port = free.getsockname()[1]
        keys.mkdir(parents=True)
        for name in ("id", "secret"):
            (keys / name).touch(mode=0o600)
            (keys / name).write_text(secrets.token_hex(12))
        for bucket in BUCKETS:
            (folder / bucket).mkdir(parents=True, exist_ok=True)

    @property
    def url(self) -> str:
        return f"http://{self._address}:{self._port}"

    def start(self, secret: str = "") -> None:
        """Start it, and wait until it answers; with `secret`, the keys that were given out no longer fit."""
        pair = f"{(self._keys / 'id').read_text()},{secret or (self._keys / 'secret').read_text()}"
        argv = [RCLONE, "serve", "s3", "--addr", f"{self._address}:{self._port}", "--auth-key", pair]
        argv += ["--dir-cache-time", "1s", "--vfs-cache-mode", "off", self.folder]
        self._process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection((self._address, self._port), timeout=1).close()
                return
            except OSError:
                assert time.monotonic() < deadline, "rclone serve s3 does not answer"
                time.sleep(0.05)

    def stop(self) -> None:
        """Stop it; no error where it is stopped."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def manifest(self, manifest: Path) -> Path:
        """The same manifest, with its buckets here."""
        assert "endpoint_url: embedded" in MANIFEST.read_text()
        text = manifest.read_text().replace("endpoint_url: embedded", f"endpoint_url: {self.url}")
        text = text.replace("${embedded:access_key_id}", f"${{file:{self._keys / 'id'}}}")
        text = text.replace("${embedded:secret_access_key}", f"${{file:{self._keys / 'secret'}}}")
        manifest.write_text(text)
        return manifest

    def results(self, run: str) -> Path:
        """A run's folder in the results bucket."""
        return self.folder / BUCKETS[1] / run
