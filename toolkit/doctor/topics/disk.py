"""Free space on the disks of the images and of the cluster's scratch folder."""

from __future__ import annotations

import re

from toolkit.doctor.facts import HostFacts, Room
from toolkit.doctor.finding import Finding, fail, ok, skipped, warn
from toolkit.doctor.printed import KIB, Printed
from toolkit.doctor.requirements import Asked
from toolkit.doctor.topic import Topic
from toolkit.plural import human_size
from toolkit.shell_files import shell_program

GB = 1_000_000_000
_ROOM_WARN, _ROOM_FAIL = 20 * GB, 5 * GB
_DF = re.compile(r"\s([0-9]{1,18})\s+[0-9]{1,18}\s+(-?[0-9]{1,18})\s+[0-9]+%\s+/")


def read(printed: Printed) -> dict[str, object]:
    """The free space for images, and for scratch files."""
    return {"images": _room_of(printed.lines("images")), "scratch": _room_of(printed.lines("scratch"))}


def size_and_free(text: str) -> tuple[int | None, int | None]:
    """Size and free bytes from the output of `df -Pk`."""
    match = _DF.search(text)
    return (int(match[1]) * KIB, max(int(match[2]), 0) * KIB) if match else (None, None)


def _room_of(lines: list[str]) -> Room | None:
    if not lines:
        return None
    return Room(lines[0], size_and_free("\n".join(lines[2:]))[1], writable=lines[1:2] == ["writable"])


def disk_of_images(facts: HostFacts, _asked: Asked) -> Finding:
    """The engine's root: images, and the volumes of runs with their caches."""
    hint = "free space there (docker image ls; docker image rm …), or move the engine's data-root"
    if facts.images is None:
        return skipped(facts.name, "disk of images", "the engine does not report where it stores them")
    return _room(facts.name, "disk of images", facts.images, hint)


def disk_of_scratch(facts: HostFacts, asked: Asked) -> Finding:
    """The cluster's scratch folder: free space, and permission to write."""
    room, folder = facts.scratch, asked.cluster.scratch
    if not folder:
        return ok(facts.name, "disk of scratch", "the cluster file sets no scratch folder")
    if room is None:
        return skipped(facts.name, "disk of scratch", "could not be determined")
    if not room.writable:
        hint = f"on the host, as root: install -d -o {facts.user or 'USER'} {folder}; or set another `scratch`"
        return fail(facts.name, "disk of scratch", f"{facts.user} cannot write to {room.path}", hint)
    return _room(facts.name, "disk of scratch", room, f"free space, or set another `scratch` than {folder}")


def _room(host: str, check: str, room: Room, hint: str) -> Finding:
    if room.free is None:
        return skipped(host, check, f"df reports nothing for {room.path}")
    found = f"{human_size(room.free)} free in {room.path}"
    if room.free < _ROOM_FAIL:
        return fail(host, check, f"{found}; {_ROOM_FAIL // GB} GB are required", hint)
    if room.free < _ROOM_WARN:
        return warn(host, check, f"{found}; loading a GPU image takes up to {_ROOM_WARN // GB}", hint)
    return ok(host, check, found)


TOPIC = Topic(
    script=shell_program("toolkit.doctor.topics", "disk.sh"),
    read=read,
    before_launch={"disk of images": disk_of_images, "disk of scratch": disk_of_scratch},
)
