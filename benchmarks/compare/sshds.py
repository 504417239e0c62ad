"""Sshds on this machine's loopback, with the defaults of their package, and the files by which each tool finds them."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

_SSHD = shutil.which("sshd") or "/usr/sbin/sshd"


class Sshds:
    """Each listens on a port of its own and lets the user in with `identity`.

    Attributes:
        config: an ssh_config with `host-1` and so on.
        known_hosts: the key that all of them have.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._processes = folder, list[subprocess.Popen[bytes]]()
        self.ports: list[int] = []
        self.user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
        self.identity, self.config, self.known_hosts = folder / "id", folder / "ssh_config", folder / "known_hosts"

    def start(self, count: int) -> None:
        """Start `count` of them; returns once all listen."""
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        for file in (self.identity, self._folder / "host_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file], check=True)
        for number in range(count):
            self._start_one(number)
        kind, blob = (self._folder / "host_key.pub").read_text().split()[:2]
        self.known_hosts.write_text("".join(f"[127.0.0.1]:{port} {kind} {blob}\n" for port in self.ports))
        blocks = [f"Host {name}\n  HostName 127.0.0.1\n  Port {port}\n" for name, port in self._named(count)]
        common = f"Host *\n  User {self.user}\n  IdentityFile {self.identity}\n  IdentitiesOnly yes\n"
        self.config.write_text("".join(blocks) + common + f"  UserKnownHostsFile {self.known_hosts}\n")
        for number in range(count):
            while b"listening" not in (self._folder / f"log-{number}").read_bytes():
                time.sleep(0.05)

    def cluster_file(self, count: int) -> Path:
        """Of the first `count`, for the tool."""
        file = self._folder / f"cluster-{count}.yml"
        hosts = [{"name": name, "address": "127.0.0.1", "port": port} for name, port in self._named(count)]
        cluster = {"name": "bench", "engine": "ssh", "user": self.user, "identity": str(self.identity), "hosts": hosts}
        cluster |= {"known_hosts": str(self.known_hosts), "network": "127.0.0.0/8", "container_engine": "docker"}
        file.write_text(json.dumps({**cluster, "scratch": "/srv/toolkit", "gpu": "none"}))
        return file

    def inventory(self, count: int) -> Path:
        """Of the first `count`, for pyinfra."""
        file = self._folder / f"inventory_{count}.py"
        options = {"ssh_user": self.user, "ssh_key": str(self.identity), "ssh_known_hosts_file": str(self.known_hosts)}
        hosts = [
            (name, {"ssh_hostname": "127.0.0.1", "ssh_port": port, **options}) for name, port in self._named(count)
        ]
        file.write_text(f"hosts = {hosts!r}\n")
        return file

    def refused(self) -> int:
        """How often one of them has refused a connection because there were too many at once."""
        logs = [file.read_text(errors="replace") for file in self._folder.glob("log-*")]
        return sum(log.count("drop connection") + log.count("exceeded") for log in logs)

    def stop(self) -> None:
        """End them."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait()

    def _start_one(self, number: int) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.ports.append(probe.getsockname()[1])
        keys = [f"HostKey={self._folder}/host_key", f"AuthorizedKeysFile={self._folder}/id.pub"]
        options = [f"Port={self.ports[-1]}", "ListenAddress=127.0.0.1", *keys]
        options += ["PidFile=none", "StrictModes=no", "UsePAM=no"]
        argv = [_SSHD, "-D", "-e", "-f", "/dev/null", *(word for option in options for word in ("-o", option))]
        with (self._folder / f"log-{number}").open("wb") as log:
            self._processes.append(subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=log))

    def _named(self, count: int) -> list[tuple[str, int]]:
        return [(f"host-{number + 1}", port) for number, port in enumerate(self.ports[:count])]
