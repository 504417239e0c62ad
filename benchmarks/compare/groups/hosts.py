"""One command on many hosts: beside the tools with which people do that, each with its own defaults but for the number
of hosts at a time. The hosts are sshds on this machine's loopback, with the defaults of their package.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.compare.case import Case
from benchmarks.compare.workspace import PEERS, Workspace

_SSHD = shutil.which("sshd") or "/usr/sbin/sshd"
_COUNTS = (1, 8, 32, 64)

_REASON = (
    "the tool imports more before it connects, and opens at most eight connections at a time, because sshd begins to "
    "refuse at the eleventh; the peer opens all at once."
)

_OURS = """
import sys
from pathlib import Path
from toolkit.cluster.reader import read_cluster
from toolkit.hosts.cluster_hosts import Hosts
with Hosts(read_cluster(Path(sys.argv[1]))) as hosts:
    assert all(answer.get().output == "here\\n" for answer in hosts.each(lambda shell: shell.run(["echo", "here"])))
"""

_FABRIC = """
import sys
from fabric import ThreadingGroup, Connection, Config
config = Config(overrides={"load_ssh_configs": False})
hosts = [Connection(line, config=config, connect_kwargs={"key_filename": sys.argv[1]}) for line in sys.argv[2:]]
results = ThreadingGroup.from_connections(hosts).run("echo here", hide=True)
assert all(result.stdout == "here\\n" for result in results.values())
"""


@contextmanager
def cases(space: Workspace) -> Iterator[list[Case]]:
    """Fabric's ThreadingGroup, pyinfra, ansible and clush."""
    farm = Farm(space.folder)
    try:
        farm.start(max(_COUNTS))
        yield [case for count in _COUNTS for case in _of(space, farm, count)]
    finally:
        farm.stop()


def _of(space: Workspace, farm: Farm, count: int) -> Iterator[Case]:
    ours = space.timed(sys.executable, "-c", _OURS, farm.cluster_file(count))
    ports = farm.ports[:count]
    names = [f"host-{number + 1}" for number in range(count)]
    places = [f"{farm.user}@127.0.0.1:{port}" for port in ports]
    clush = [PEERS / "clush", "-f", count, "-o", f"-F {farm.config}"]
    ansible = [PEERS / "ansible", "all", "-f", count, "-u", farm.user, "--ssh-common-args", f"-F {farm.config}"]
    peers = {
        "fabric": ("Fabric's ThreadingGroup", [PEERS / "python", "-c", _FABRIC, farm.identity, *places]),
        "clush": ("clush", [*clush, "-w", ",".join(names), "echo here"]),
        "ansible": ("ansible -m raw", [*ansible, "-i", f"{','.join(names)},", "-m", "raw", "-a", "echo here"]),
        "pyinfra": ("pyinfra exec", [PEERS / "pyinfra", "-y", farm.inventory(count), "exec", "--", "echo", "here"]),
    }
    for name, (title, argv) in peers.items():
        what = f"one command on {count} hosts"
        yield Case(f"hosts-{count:02}-{name}", what, title, 1, ours, space.timed(*argv), _REASON, rounds=3)


class Farm:
    """Sshds, their keys, and the files by which each tool finds them."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._processes = folder, list[subprocess.Popen[bytes]]()
        self.ports: list[int] = []
        self.user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
        self.identity, self.config, self._known = folder / "id", folder / "ssh_config", folder / "known_hosts"

    def start(self, count: int) -> None:
        """Start `count` of them; returns once all listen."""
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        for file in (self.identity, self._folder / "host_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file], check=True)
        kind, blob = (self._folder / "host_key.pub").read_text().split()[:2]
        for number in range(count):
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.ports.append(probe.getsockname()[1])
            words = [
                f"Port={self.ports[-1]}",
                "ListenAddress=127.0.0.1",
                f"HostKey={self._folder}/host_key",
                "PidFile=none",
            ]
            words += [f"AuthorizedKeysFile={self._folder}/id.pub", "StrictModes=no", "UsePAM=no"]
            argv = [_SSHD, "-D", "-e", "-f", "/dev/null", *(word for option in words for word in ("-o", option))]
            with (self._folder / f"log-{number}").open("wb") as log:
                self._processes.append(subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=log))
        self._known.write_text("".join(f"[127.0.0.1]:{port} {kind} {blob}\n" for port in self.ports))
        blocks = [
            f"Host host-{number + 1}\n  HostName 127.0.0.1\n  Port {port}\n" for number, port in enumerate(self.ports)
        ]
        common = f"Host *\n  User {self.user}\n  IdentityFile {self.identity}\n  IdentitiesOnly yes\n"
        self.config.write_text("".join(blocks) + common + f"  UserKnownHostsFile {self._known}\n")
        for number in range(count):
            while b"listening" not in (self._folder / f"log-{number}").read_bytes():
                time.sleep(0.05)

    def cluster_file(self, count: int) -> Path:
        """Ours."""
        file = self._folder / f"cluster-{count}.yml"
        hosts = [
            {"name": f"host-{number + 1}", "address": "127.0.0.1", "port": port}
            for number, port in enumerate(self.ports[:count])
        ]
        cluster = {"name": "bench", "engine": "ssh", "user": self.user, "identity": str(self.identity), "hosts": hosts}
        cluster |= {"known_hosts": str(self._known), "network": "127.0.0.0/8", "container_engine": "docker"}
        file.write_text(json.dumps({**cluster, "scratch": "/srv/toolkit", "gpu": "none"}))
        return file

    def inventory(self, count: int) -> Path:
        """Pyinfra's."""
        file = self._folder / f"inventory_{count}.py"
        options = {"ssh_user": self.user, "ssh_key": str(self.identity), "ssh_known_hosts_file": str(self._known)}
        hosts = [
            (f"host-{number + 1}", {"ssh_hostname": "127.0.0.1", "ssh_port": port, **options})
            for number, port in enumerate(self.ports[:count])
        ]
        file.write_text(f"hosts = {hosts!r}\n")
        return file

    def stop(self) -> None:
        """End them."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait()
