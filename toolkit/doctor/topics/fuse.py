"""/dev/fuse, through which buckets are mounted."""

from __future__ import annotations

from toolkit.doctor.facts import HostFacts
from toolkit.doctor.finding import Finding, fail, ok, skipped
from toolkit.doctor.printed import Printed
from toolkit.doctor.requirements import Asked
from toolkit.doctor.topic import Topic
from toolkit.shell_files import shell_program


def read(printed: Printed) -> dict[str, object]:
    """The result of opening it."""
    return {"fuse": next(iter(printed.lines("fuse")[-1:]), "")}


def fuse(facts: HostFacts, _asked: Asked) -> Finding:
    """A container that runs as root mounts buckets through it."""
    if facts.fuse == "opens" or (facts.uid and "permission denied" in facts.fuse.lower()):
        return ok(facts.name, "fuse", "/dev/fuse exists")
    if not facts.fuse:
        return skipped(facts.name, "fuse", "could not be determined")
    what = "/dev/fuse is missing" if facts.fuse == "missing" else f"/dev/fuse does not open: {facts.fuse}"
    return fail(facts.name, "fuse", what, "on the host, as root: modprobe fuse; at boot: /etc/modules-load.d")


TOPIC = Topic(script=shell_program("toolkit.doctor.topics", "fuse.sh"), read=read, before_launch={"fuse": fuse})
