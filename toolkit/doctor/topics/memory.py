"""Memory: how much there is, and how much is shared memory."""

from __future__ import annotations

from toolkit.doctor.facts import HostFacts
from toolkit.doctor.finding import Finding, ok, warn
from toolkit.doctor.printed import Printed, kib
from toolkit.doctor.requirements import Asked
from toolkit.doctor.topic import Topic
from toolkit.doctor.topics.disk import size_and_free
from toolkit.plural import human_size
from toolkit.shell_files import shell_program

_SMALL_SHM = 64 << 20


def read(printed: Printed) -> dict[str, object]:
    """Bytes of memory, and of /dev/shm."""
    return {"memory": kib(printed.section("memory")), "shm": size_and_free(printed.section("shm"))[0]}


def shared_memory(facts: HostFacts, _asked: Asked) -> Finding:
    """The host's own; learners get 1 GB of their own, from the same memory."""
    if facts.shm is None:
        hint = "mount -t tmpfs tmpfs /dev/shm"
        return warn(facts.name, "shared memory", "no /dev/shm", hint)
    found = f"{human_size(facts.shm)} in /dev/shm; learners get their own 1 GB"
    if facts.shm < _SMALL_SHM:
        return warn(facts.name, "shared memory", found, "mount -o remount,size=1g /dev/shm")
    return ok(facts.name, "shared memory", found)


TOPIC = Topic(
    script=shell_program("toolkit.doctor.topics", "memory.sh"), read=read, checks={"shared memory": shared_memory}
)
