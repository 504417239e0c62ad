"""The checks of one host by itself: pure, from its facts to findings."""

from __future__ import annotations

from collections.abc import Callable

from packaging.version import Version

from toolkit.catalogue.model import LEARNER_UID
from toolkit.compatibility.model import version_of
from toolkit.doctor import checks_gpu, checks_network
from toolkit.doctor.facts import HostFacts, Room
from toolkit.doctor.finding import Finding, fail, ok, skipped, warn
from toolkit.doctor.requirements import Asked
from toolkit.runtimes.registry import runtime_named

GB = 1_000_000_000
_ROOM_WARN, _ROOM_FAIL = 20 * GB, 5 * GB
_CLOCK_WARN, _CLOCK_FAIL = 2.0, 60.0
_SMALL_SHM = 64 << 20
_SESSIONS = 8
"""As many as the tool opens on one connection; where sshd allows fewer, it opens more connections."""
_NOT_KNOWN = "could not be learnt"

Check = Callable[[HostFacts, Asked], Finding]


def account(facts: HostFacts, asked: Asked) -> Finding:
    """The account may use the engine without sudo."""
    program = asked.cluster.container_engine
    if "permission denied" in facts.engine.said.lower():
        hint = f"on the host, as root: usermod -aG docker {facts.user or 'USER'}; the next login is in the group"
        return fail(facts.name, "account", f"{facts.user} may not use {program}: {facts.engine.said}", hint)
    if not facts.engine.version:
        return skipped(facts.name, "account", f"{program} does not answer, so it is not known who may use it")
    return ok(facts.name, "account", f"{facts.user} (uid {facts.uid}) uses {program} without sudo")


def engine(facts: HostFacts, asked: Asked) -> Finding:
    """The engine answers and is not too old."""
    program, found = asked.cluster.container_engine, facts.engine
    if found.missing:
        what = f"there is no command `{program}`"
        return fail(
            facts.name, "engine", what, f"install it, or name the one there is in `container_engine` ({program})"
        )
    if not found.version:
        hint = f"start it: systemctl start {program} (without an init system: dockerd &)"
        if "permission denied" in found.said.lower():
            hint = f"let {facts.user or 'the account'} use it: see `account`"
        return fail(facts.name, "engine", f"{program} does not answer: {found.said}", hint)
    version, oldest = version_of(found.version.partition("+")[0]), Version(runtime_named(program).oldest)
    if version and version < oldest:
        return fail(facts.name, "engine", f"{program} {found.version}", f"{program} {oldest} or newer is needed")
    return ok(facts.name, "engine", f"{program} {found.version}, {found.driver}, images in {found.root}")


def fuse(facts: HostFacts, _asked: Asked) -> Finding:
    """Buckets are mounted through it, by a container that is root."""
    if facts.fuse == "opens" or (facts.uid and "permission denied" in facts.fuse.lower()):
        return ok(facts.name, "fuse", "/dev/fuse is there")
    if not facts.fuse:
        return skipped(facts.name, "fuse", _NOT_KNOWN)
    what = "/dev/fuse is missing" if facts.fuse == "missing" else f"/dev/fuse does not open: {facts.fuse}"
    return fail(facts.name, "fuse", what, "on the host, as root: modprobe fuse; and again at boot: /etc/modules-load.d")


def disk_of_images(facts: HostFacts, _asked: Asked) -> Finding:
    """The engine's root: images, and the volumes of runs with their caches."""
    hint = "make room there (docker image ls; docker image rm …), or move the engine's data-root"
    if facts.images is None:
        return skipped(facts.name, "disk of images", "the engine does not say where it keeps them")
    return _room(facts.name, "disk of images", facts.images, hint)


def disk_of_scratch(facts: HostFacts, asked: Asked) -> Finding:
    """The cluster's scratch folder: room, and leave to write."""
    room, folder = facts.scratch, asked.cluster.scratch
    if not folder:
        return ok(facts.name, "disk of scratch", "the cluster's file names no scratch folder")
    if room is None:
        return skipped(facts.name, "disk of scratch", _NOT_KNOWN)
    if not room.writable:
        hint = f"on the host, as root: install -d -o {facts.user or 'USER'} {folder}; or name another `scratch`"
        return fail(facts.name, "disk of scratch", f"{facts.user} may not write in {room.path}", hint)
    return _room(facts.name, "disk of scratch", room, f"make room, or name another `scratch` than {folder}")


def _room(host: str, check: str, room: Room, hint: str) -> Finding:
    if room.free is None:
        return skipped(host, check, f"df says nothing of {room.path}")
    found = f"{room.free / GB:.1f} GB free in {room.path}"
    if room.free < _ROOM_FAIL:
        return fail(host, check, f"{found}; {_ROOM_FAIL // GB} GB are the least", hint)
    if room.free < _ROOM_WARN:
        return warn(
            host, check, f"{found}; a GPU image with its layers on the way takes up to {_ROOM_WARN // GB}", hint
        )
    return ok(host, check, found)


def shared_memory(facts: HostFacts, _asked: Asked) -> Finding:
    """The host's own; learners get 1 GB of theirs, which comes from the same memory."""
    if facts.shm is None:
        hint = "mount -t tmpfs tmpfs /dev/shm"
        return warn(facts.name, "shared memory", "there is no /dev/shm", hint)
    found = f"{facts.shm / GB:.2f} GB in /dev/shm; learners get 1 GB of their own"
    if facts.shm < _SMALL_SHM:
        return warn(facts.name, "shared memory", found, "mount -o remount,size=1g /dev/shm")
    return ok(facts.name, "shared memory", found)


def memlock(facts: HostFacts, _asked: Asked) -> Finding:
    """RDMA registers memory, which is then locked."""
    limit = facts.memlock
    if limit is None:
        return skipped(facts.name, "memlock", _NOT_KNOWN)
    found = "memory may be locked without limit" if limit < 0 else f"{limit >> 10} KiB of memory may be locked"
    if limit >= 0 and facts.rdma_devices:
        hint = "LimitMEMLOCK=infinity for the engine's service, `* hard memlock unlimited` in /etc/security/limits.conf"
        return warn(facts.name, "memlock", f"{found}, and there are RDMA devices", hint)
    return ok(facts.name, "memlock", found)


def clock(facts: HostFacts, _asked: Asked) -> Finding:
    """Against this machine's: S3 refuses signatures that are 15 minutes off, and logs are put together by time."""
    offset = facts.clock_offset
    if offset is None:
        return skipped(facts.name, "clock", _NOT_KNOWN)
    found = f"{abs(offset):.1f} s {'ahead of' if offset > 0 else 'behind'} this machine's"
    if abs(offset) > _CLOCK_FAIL:
        return fail(facts.name, "clock", found, "run chrony or systemd-timesyncd there and here")
    if abs(offset) > _CLOCK_WARN:
        return warn(facts.name, "clock", found, "run chrony or systemd-timesyncd there and here")
    return ok(facts.name, "clock", found)


def sshd(facts: HostFacts, asked: Asked) -> Finding:
    """How many connections and sessions it takes; a jump host takes those for the hosts behind it."""
    limits = facts.sshd
    if asked.cluster.engine != "ssh":
        return ok(facts.name, "sshd", "nothing goes over ssh")
    if limits is None:
        return skipped(facts.name, "sshd", _NOT_KNOWN)
    source = "" if limits.effective else ", as its configuration or OpenSSH's default has it"
    found = f"MaxStartups {limits.max_startups}, MaxSessions {limits.max_sessions}{source}"
    behind = checks_network.hosts_behind(facts, asked.cluster)
    if limits.startups < behind:
        hint = (
            f"sshd_config: MaxStartups {behind * 2}:30:{behind * 4}; this tool opens a few at a time and does without"
        )
        return warn(facts.name, "sshd", f"{found}, and it is the jump host of {behind} hosts", hint)
    if limits.max_sessions < _SESSIONS:
        hint = "sshd_config: MaxSessions 10; with fewer the tool needs more connections"
        return warn(facts.name, "sshd", found, hint)
    return ok(facts.name, "sshd", found)


def accounts(facts: HostFacts, _asked: Asked) -> Finding:
    """Whether the host's accounts share the engine, which has their leases; whether it limits their processes; whether
    one of them is the learners' user."""
    if not facts.engine.version:
        return skipped(facts.name, "accounts", _NOT_KNOWN)
    if facts.engine.own:
        hint = "let one account launch here, or all of them by an engine of the host (a group such as `docker`)"
        found = "the engine is this account's own: leases and runs of other accounts are not seen"
        return warn(facts.name, "accounts", found, hint)
    if facts.engine.pids is False:
        hint = "give the engine the control group `pids`: without it a program that forks for ever takes the host"
        return warn(facts.name, "accounts", "the engine cannot limit a run's processes", hint)
    if facts.learner_account:
        found = f"account {facts.learner_account} has uid {LEARNER_UID}, as learners have: it can read and end them"
        return warn(facts.name, "accounts", found, "give that account another uid")
    return ok(facts.name, "accounts", "they share the engine, which has their leases and limits their processes")


SHORT: dict[str, Check] = {
    "account": account,
    "engine": engine,
    "gpu": checks_gpu.gpu,
    "driver": checks_gpu.driver,
    "network": checks_network.network,
    "fuse": fuse,
    "disk of images": disk_of_images,
    "disk of scratch": disk_of_scratch,
    "clock": clock,
}
"""What is looked at before each launch too."""

ALL: dict[str, Check] = {
    **SHORT,
    "gpu errors": checks_gpu.gpu_errors,
    "gpu memory": checks_gpu.gpu_memory,
    "link": checks_network.link,
    "other networks": checks_network.other_networks,
    "accounts": accounts,
    "rdma": checks_network.rdma,
    "memlock": memlock,
    "shared memory": shared_memory,
    "sshd": sshd,
}
"""Every check of one host by itself."""
