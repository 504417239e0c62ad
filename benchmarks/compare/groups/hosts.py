"""One command on many hosts: beside the tools with which people do that, each with its own defaults but for the number
of hosts at a time. The hosts are sshds on this machine's loopback, with the defaults of their package.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.compare.case import Case
from benchmarks.compare.sshds import Sshds
from benchmarks.compare.workspace import PEERS, TOOLKIT, Workspace

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

_PARAMIKO = """
import sys
from concurrent.futures import ThreadPoolExecutor
import paramiko
def ask(port):
    with paramiko.SSHClient() as client:
        client.load_host_keys(sys.argv[2])
        client.connect("127.0.0.1", port, sys.argv[3], key_filename=sys.argv[1], allow_agent=False, look_for_keys=False)
        return client.exec_command("echo here")[1].read()
ports = [int(port) for port in sys.argv[4:]]
with ThreadPoolExecutor(len(ports)) as pool:
    assert all(said == b"here\\n" for said in pool.map(ask, ports))
"""


@contextmanager
def cases(space: Workspace) -> Iterator[list[Case]]:
    """Fabric's ThreadingGroup, pyinfra, ansible, clush, and Paramiko alone."""
    sshds = Sshds(space.folder)
    try:
        sshds.start(max(_COUNTS))
        yield [case for count in _COUNTS for case in _of(space, sshds, count)]
        if refused := sshds.refused():
            sys.exit(f"{refused} connections were refused")
    finally:
        sshds.stop()


def _of(space: Workspace, sshds: Sshds, count: int) -> Iterator[Case]:
    ours = space.timed(sys.executable, "-c", _OURS, sshds.cluster_file(count))
    ports = sshds.ports[:count]
    names = [f"host-{number + 1}" for number in range(count)]
    places = [f"{sshds.user}@127.0.0.1:{port}" for port in ports]
    clush = [PEERS / "clush", "-f", count, "-o", f"-F {sshds.config}"]
    ansible = [PEERS / "ansible", "all", "-f", count, "-u", sshds.user, "--ssh-common-args", f"-F {sshds.config}"]
    paramiko = [PEERS / "python", "-c", _PARAMIKO, sshds.identity, sshds.known_hosts, sshds.user]
    peers = {
        "fabric": ("Fabric's ThreadingGroup", [PEERS / "python", "-c", _FABRIC, sshds.identity, *places]),
        "paramiko": ("Paramiko alone", [*paramiko, *ports]),
        "clush": ("clush", [*clush, "-w", ",".join(names), "echo here"]),
        "ansible": ("ansible -m raw", [*ansible, "-i", f"{','.join(names)},", "-m", "raw", "-a", "echo here"]),
        "pyinfra": ("pyinfra exec", [PEERS / "pyinfra", "-y", sshds.inventory(count), "exec", "--", "echo", "here"]),
    }
    for name, (title, argv) in peers.items():
        what = f"one command on {count} host{'s' if count > 1 else ''}"
        aim = None if name == "paramiko" else 1  # what the others add to it is what is compared
        yield Case(f"hosts-{count:02}-{name}", what, title, aim, ours, space.timed(*argv), _REASON, rounds=3)
    what = f"the doctor on {count} host{'s' if count > 1 else ''}"
    facts = [*ansible, "-i", f"{','.join(names)},", "-m", "setup", "-e", f"ansible_python_interpreter={sys.executable}"]
    doctor = space.timed(TOOLKIT, "doctor", "--cluster", sshds.cluster_file(count))
    yield Case(f"doctor-{count:02}", what, "ansible -m setup", 1, doctor, space.timed(*facts), rounds=3)
