"""One folder on all hosts of a lab, as a file server gives it: that of the first host, mounted on the others too.

The kernel here has no NFS, so a mount is handed from one host to the other (open_tree(2), move_mount(2)).
"""

from __future__ import annotations

import subprocess
import sys

from toolkit.lab.lab_argv import LAB_LABEL, NUMBER_LABEL

from .lab import RealLab

_PROGRAM = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
SETNS, OPEN_TREE, MOVE_MOUNT = 308, 428, 429  # of x86-64
CLONE_NEWNS, OPEN_TREE_CLONE, MOVE_MOUNT_F_EMPTY_PATH, AT_FDCWD = 0x20000, 1, 4, -100

def call(*words):
    if (found := libc.syscall(*words)) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return found

folder, *pids = sys.argv[1:]
first, *others = (os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY) for pid in pids)
for other in others:
    call(SETNS, first, CLONE_NEWNS)
    tree = call(OPEN_TREE, AT_FDCWD, folder.encode(), OPEN_TREE_CLONE)
    call(SETNS, other, CLONE_NEWNS)
    call(MOVE_MOUNT, tree, b"", AT_FDCWD, folder.encode(), MOVE_MOUNT_F_EMPTY_PATH)
"""


def share(lab: RealLab, folder: str) -> None:
    """Make `folder`, which is on each host, that of the first host everywhere."""
    shown = f'{{{{.Label "{NUMBER_LABEL}"}}}} {{{{.ID}}}}'
    found = _lines("docker", "ps", "--filter", f"label={LAB_LABEL}={lab.name}", "--format", shown)
    pids = _lines("docker", "inspect", "--format", "{{.State.Pid}}", *(line.split()[1] for line in sorted(found)))
    assert len(pids) == len(lab.hosts)
    subprocess.run([sys.executable, "-c", _PROGRAM, folder, *pids], check=True)


def _lines(*argv: str) -> list[str]:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.splitlines()
