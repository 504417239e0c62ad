"""RDMA adapters, and the memory limit for them."""

from __future__ import annotations

from toolkit.doctor.facts import HostFacts
from toolkit.doctor.finding import Finding, ok, skipped, warn
from toolkit.doctor.printed import KIB, Printed, number
from toolkit.doctor.requirements import Asked
from toolkit.doctor.topic import Topic
from toolkit.shell_files import shell_program

_DEVICES, _ADAPTERS = "/dev/infiniband/", "/sys/class/infiniband/"


def read(printed: Printed) -> dict[str, object]:
    """Device files, adapters in the kernel, and how much memory may be locked."""
    found = printed.lines("rdma")
    return {
        "rdma_devices": tuple(one for one in found if one.startswith(_DEVICES)),
        "rdma_adapters": tuple(one.rpartition("/")[2] for one in found if one.startswith(_ADAPTERS)),
        "memlock": _memlock(printed.first("memlock")),
    }


def _memlock(text: str) -> int | None:
    """`ulimit -l` counts in KiB."""
    if text == "unlimited":
        return -1
    count = number(text)
    return None if count is None else count * KIB


def rdma(facts: HostFacts, _asked: Asked) -> Finding:
    """Adapters in the kernel have device files that a container can be given."""
    if facts.rdma_adapters and not facts.rdma_devices:
        found = f"{', '.join(facts.rdma_adapters)} without /dev/infiniband"
        return warn(facts.name, "rdma", found, "on the host, as root: modprobe ib_uverbs rdma_ucm")
    if not facts.rdma_adapters and not facts.whole:
        return skipped(facts.name, "rdma", "could not be determined")
    return ok(facts.name, "rdma", ", ".join(facts.rdma_adapters) or "no RDMA adapter")


def memlock(facts: HostFacts, _asked: Asked) -> Finding:
    """RDMA registers memory, which is then locked."""
    limit = facts.memlock
    if limit is None:
        return skipped(facts.name, "memlock", "could not be determined")
    found = "locked memory is unlimited" if limit < 0 else f"{limit >> 10} KiB of locked memory allowed"
    if limit >= 0 and facts.rdma_devices:
        hint = "LimitMEMLOCK=infinity for the engine's service, `* hard memlock unlimited` in /etc/security/limits.conf"
        return warn(facts.name, "memlock", f"{found}, but there are RDMA devices", hint)
    return ok(facts.name, "memlock", found)


TOPIC = Topic(
    script=shell_program("toolkit.doctor.topics", "rdma.sh"), read=read, checks={"rdma": rdma, "memlock": memlock}
)
