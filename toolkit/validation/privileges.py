"""Files that elevate privileges: set-user-id, set-group-id, file capabilities, devices.

A learner runs with `no-new-privileges`, so none of them works there; an image that is used in another way must not
contain a surprise either. Files from distributions are allowed by name, each for a reason.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator

from toolkit.validation.file_scan import Seen

_SETUID = {
    "bin/mount": "util-linux: mounts what fstab allows to users",
    "bin/umount": "util-linux: and unmounts it",
    "bin/su": "util-linux: asks for a password, and no account of an image has one",
    "bin/passwd": "passwd: changes one's own line of /etc/shadow",
    "bin/chfn": "passwd: changes one's own line of /etc/passwd",
    "bin/chsh": "passwd: as chfn",
    "bin/gpasswd": "passwd: a group's administrator changes the group",
    "bin/newgrp": "passwd: changes to another group of one's own",
    "bin/fusermount": "fuse: mounts a FUSE file system in a folder of one's own",
    "bin/fusermount3": "fuse3: the same; the side container mounts buckets with it",
    "bin/ping": "iputils-ping of older distributions: opens a raw socket",
    "bin/ping6": "as ping",
    "lib/openssh/ssh-keysign": "openssh-client: reads the host's key, of which an image has none",
}
_SETGID = {
    "bin/chage": "passwd: group shadow, shows when one's own password expires",
    "bin/expiry": "passwd: group shadow, the same",
    "sbin/unix_chkpwd": "libpam-modules-bin: group shadow, checks one's own password",
    "sbin/pam_extrausers_chkpwd": "libpam-modules-bin of Ubuntu: the same",
    "bin/ssh-agent": "openssh-client: group ssh, so that no other program of the same user reads its memory",
    "bin/wall": "bsdutils: group tty, writes to terminals",
    "bin/write": "bsdutils: group tty, writes to terminals",
    "bin/bsd-write": "bsdmainutils: as write",
}
_CAPABLE = {"bin/ping": "iputils-ping: cap_net_raw, for which it once was set-user-id"}


def excess_privileges(file: Seen) -> Iterator[str]:
    """The unnecessary privileges of `file`, one sentence each."""
    name = file.path.removeprefix("usr/")  # /bin is /usr/bin if the two were merged
    if file.kind == "device" and not file.path.startswith("dev/"):
        yield f"/{file.path} is a device"
    if file.kind != "file":
        return  # on a folder the bit sets the group of new files, and gives no privileges
    if file.mode & stat.S_ISUID and name not in _SETUID:
        yield f"/{file.path} is set-user-id (mode {file.mode:04o}, user {file.uid})"
    if file.mode & stat.S_ISGID and name not in _SETGID:
        yield f"/{file.path} is set-group-id (mode {file.mode:04o})"
    if file.mode & (stat.S_ISUID | stat.S_ISGID):
        if file.uid != 0:
            yield f"/{file.path} runs with elevated privileges and belongs to user {file.uid}, not to root"
        if file.mode & (stat.S_IWGRP | stat.S_IWOTH):
            yield f"/{file.path} runs with elevated privileges and is writable by others (mode {file.mode:04o})"
    if file.capable and name not in _CAPABLE:
        yield f"/{file.path} has file capabilities"
