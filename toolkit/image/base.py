"""The base's file system: the locked packages of a distribution, installed by mmdebstrap without a network.

The packages come from a local folder with the locked files and an index of them, so mmdebstrap's own resolver has no
choice. Host keys, created by sshd's installation, are removed before anything is kept; the learners' user is added.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from toolkit.catalogue.model import LEARNER_UID, DistributionBase
from toolkit.child_environment import child_environment
from toolkit.image.normalize import EPOCH, EPOCH_DAY
from toolkit.lock.mmdebstrap import run_mmdebstrap
from toolkit.lock.model import DebPin
from toolkit.lock.pool import Pool
from toolkit.process import run

_STEPS = ("running apt-get", "downloading", "extracting", "installing", "cleaning", "creating")
"""mmdebstrap's steps that take time; what else it says is kept for the case that it fails."""
_USER = {
    "passwd": f"learner:x:{LEARNER_UID}:{LEARNER_UID}::/home/learner:/bin/sh",
    "group": f"learner:x:{LEARNER_UID}:",
    "shadow": f"learner:!:{EPOCH_DAY}:0:99999:7:::",
    "gshadow": "learner:!::",
}


def mmdebstrap_argv(base: DistributionBase, packages: Path, target: Path) -> list[str]:
    """mmdebstrap's command line for `base` from the local archive in `packages`; the tar goes to `target`."""
    return [
        "mmdebstrap",
        f"--variant={base.variant}",
        f"--include={','.join(base.packages)}",
        *_hooks(base),
        "--dpkgopt=path-exclude=/usr/share/man/*",
        "--dpkgopt=path-exclude=/usr/share/locale/*",
        base.suite.name,
        str(target),
        # `copy`: the new system's apt must not look for the folder inside it. The hashes were compared before.
        f"deb [trusted=yes] copy:{packages} ./",
    ]


def _hooks(base: DistributionBase) -> list[str]:
    if base.variant == "extract":
        return []
    customize = [
        'rm -f "$1"/etc/ssh/ssh_host_*',
        *(f'echo "{line}" >> "$1"/etc/{file}' for file, line in _USER.items()),
        f'install -d -m 0755 -o {LEARNER_UID} -g {LEARNER_UID} "$1"/home/learner',
        'rm -rf "$1"/usr/share/man/man1',
        *_compile_again(base),
    ]
    # Ubuntu 16.04's dash creates a link there before anything is installed.
    return ['--setup-hook=mkdir -p "$1"/usr/share/man/man1', *(f"--customize-hook={hook}" for hook in customize)]


def _compile_again(base: DistributionBase) -> list[str]:
    """Before 3.11, sets in compiled modules are in hash order, and the packages do not fix the hash seed.

    If a suite's old Python is 2.7, which has no such sets, there is also a Python 3 that does.
    """
    if "python3" not in base.packages or tuple(int(part) for part in base.suite.python.split(".")) >= (3, 11):
        return []
    compile_all = "python3 -m compileall -q -f /usr/lib/python3 /usr/lib/python3.* /usr/share/python3"
    return [f"PYTHONHASHSEED=0 chroot \"$1\" sh -c '{compile_all}'"]


def make_base(
    base: DistributionBase, debs: tuple[DebPin, ...], pool: Pool, target: Path, on_step: Callable[[str], None]
) -> None:
    """Write the base's tar to `target`; raises `ToolkitError` (S103) with mmdebstrap's last lines."""

    def on_named_step(step: str) -> None:
        if step.startswith(_STEPS):
            on_step(step)

    environment = {**child_environment(), "SOURCE_DATE_EPOCH": str(EPOCH), "TZ": "UTC"}
    with local_archive(debs, pool) as packages:
        run_mmdebstrap(
            without_network(mmdebstrap_argv(base, packages, target), os.geteuid()),
            environment,
            on_named_step,
            failed=f"mmdebstrap could not build the base from {base.suite.name}",
            hint="see the lines above: a full disk, or a lock that lacks a package",
        )


def without_network(argv: list[str], user: int) -> list[str]:
    """The command line in a new network namespace without even a loopback interface: packages run scripts.

    Only root may create one. For other users, mmdebstrap creates namespaces itself, but not of the network: then the
    packages' scripts can reach it, but still see nothing of the operator's environment.
    """
    return ["unshare", "--net", "--", *argv] if user == 0 else argv


@contextmanager
def local_archive(debs: tuple[DebPin, ...], pool: Pool) -> Iterator[Path]:
    """A folder with the locked packages and their index, for apt; readable by mmdebstrap's user."""
    with tempfile.TemporaryDirectory(prefix="toolkit-debs-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        pool.copy(debs, folder)
        with (folder / "Packages").open("w", encoding="utf-8") as index:
            for deb in sorted(debs):
                index.write(_stanza(deb, folder))
        yield folder


def _stanza(deb: DebPin, folder: Path) -> str:
    """The package's entry in the index: its own control fields, and its file's path."""
    control = run(["dpkg-deb", "--field", str(folder / deb.file)]).output.strip("\n")
    return f"{control}\nFilename: ./{deb.file}\nSize: {deb.size}\nSHA256: {deb.sha256}\n\n"
