"""From the command to rank 0's first line, on hosts of a lab with the images there: beside a script of the kind that
people keep, which starts containers over ssh, mounts a bucket in each and calls mpirun.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from benchmarks.compare.case import Case
from benchmarks.compare.lab import Lab, lab_with_store
from benchmarks.compare.store import S3
from benchmarks.compare.workspace import TOOLKIT, Workspace, until_line
from benchmarks.launched import write_manifest

_COUNTS = (1, 2, 4, 8)
_LINE = "the first line"
_ECHO = f'echo "[$OMPI_COMM_WORLD_RANK] {_LINE}"'
_PORT = "2222"
_REASON = (
    "a run has an agent and a container with the keys on each host, its code goes to the bucket first, and the tool "
    "imports what it needs; docs/performance.md has the parts."
)

_UP = """
docker volume create peer >/dev/null
at=/var/lib/docker/volumes/peer/_data peer="--detach --rm --network host --volume /root/peer:/peer:ro"
docker run $peer --name peer-mount --cap-add SYS_ADMIN --device /dev/fuse --security-opt apparmor=unconfined \\
  --volume $at:/at:rshared {buckets} sh -c 'mkdir -p /at/b &&
  exec rclone mount --config /peer/rclone.conf s:{bucket} /at/b --allow-other --vfs-cache-mode writes' >/dev/null
docker run $peer --name peer-learner --user 0 --init --volume $at:/mnt:rslave {image} \\
  sh -c 'mkdir -p /run/sshd && exec /usr/sbin/sshd -D -e -f /peer/sshd_config' >/dev/null
until docker exec peer-learner mountpoint -q /mnt/b; do docker top peer-learner >/dev/null || exit; sleep 0.02; done
"""
_DOWN = """
docker rm --force peer-learner peer-mount >/dev/null
umount --lazy /var/lib/docker/volumes/peer/_data/b
docker volume rm peer >/dev/null
"""


@contextmanager
def cases(space: Workspace) -> Iterator[list[Case]]:
    """One lab of eight hosts, of which each case uses the first ones."""
    with lab_with_store(space, max(_COUNTS)) as (lab, store):
        yield [_case(space, lab, store, count) for count in _COUNTS]


def _case(space: Workspace, lab: Lab, store: S3, count: int) -> Case:
    manifest = new_manifest(space, store, count)
    built = json.loads(space.run([TOOLKIT, "build", manifest, "--json"]))
    images = {"image": built["image"]["reference"], "buckets": built["buckets_image"]["reference"]}
    argv = [TOOLKIT, "launch", "--cluster", lab.cluster(count), manifest]
    ours = partial(until_line, argv, f"[0] {_LINE}", space.variables | store.keys)
    script = Script(lab, lab.hosts[:count], store, images)
    return Case(
        f"launch-{count}-hosts",
        f"`toolkit launch` to the first line, {count} host{'s' if count > 1 else ''}",
        "ssh, docker run and mpirun by script, with a mount",
        1.3,
        ours,
        script.measure,
        reason=_REASON,
        rounds=5,
    )


class Script:
    """The peer: on each of `hosts` two containers, then mpirun in the first one's."""

    def __init__(self, lab: Lab, hosts: list[str], store: S3, images: dict[str, str]) -> None:
        self._lab, self._hosts = lab, hosts
        self._up = _UP.format(bucket=store.bucket, **images)
        agent = f"ssh -F none -p {_PORT} -i /peer/id -o UserKnownHostsFile=/peer/known_hosts"
        flags = ["--mca", "plm_rsh_agent", agent, "--mca", "oob_tcp_if_include", lab.network]
        flags += ["--mca", "btl_tcp_if_include", lab.network, "--host", ",".join(hosts)]
        mpirun = ["mpirun", "--allow-run-as-root", "-np", str(len(hosts)), *flags, "sh", "-c", _ECHO]
        self._mpirun = shlex.join(["docker", "exec", "peer-learner", *mpirun])
        self._each(self._prepare(store))

    def measure(self) -> float:
        """Seconds to the first line; what was started is removed after that."""
        words = [sys.executable, "-c", _PROGRAM, json.dumps([self._lab.ssh(host) for host in self._hosts])]
        seconds = until_line([*words, self._up, self._mpirun], f"[0] {_LINE}", self._lab.space.variables)
        self._each(_DOWN)
        return seconds

    def _prepare(self, store: S3) -> str:
        folder = self._lab.space.folder
        for name in ("id", "host_key"):
            if not (folder / name).exists():
                subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
        public = (folder / "id.pub").read_text().strip()
        blob = " ".join((folder / "host_key.pub").read_text().split()[:2])
        known = "".join(f"[{host}]:{_PORT} {blob}\n" for host in self._hosts)
        sshd = f"Port {_PORT}\nHostKey /peer/host_key\nAuthorizedKeysFile /peer/id.pub\nStrictModes no\nUsePAM no\n"
        files = {"id": (folder / "id").read_text(), "host_key": (folder / "host_key").read_text(), "id.pub": public}
        files |= {"sshd_config": sshd, "rclone.conf": store.rclone_config, "known_hosts": known}
        lines = [f"printf %s {shlex.quote(text)} >/root/peer/{name}" for name, text in files.items()]
        return "\n".join(["mkdir -p /root/peer", *lines, "chmod 600 /root/peer/*"])

    def _each(self, script: str) -> None:
        with ThreadPoolExecutor(len(self._hosts)) as pool:
            list(pool.map(lambda host: self._lab.space.run([*self._lab.ssh(host), script]), self._hosts))


_PROGRAM = """
import json, subprocess, sys
hosts, up, mpirun = json.loads(sys.argv[1]), *sys.argv[2:]
started = [subprocess.Popen([*ssh, up]) for ssh in hosts]
assert not any(process.wait() for process in started)
sys.exit(subprocess.call([*hosts[0], mpirun]))
"""


def new_manifest(space: Workspace, store: S3, count: int, name: str = "") -> Path:
    """A manifest for `count` hosts, with its code in a folder of its own, that prints the line on each rank."""
    folder = space.folder / f"code-{name or count}"
    folder.mkdir(exist_ok=True)
    (folder / "program.py").write_text("print('not used')\n")
    return write_manifest(folder, {"command": f"echo {_LINE}"}, "p100", count, **store.references)
