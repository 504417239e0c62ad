"""The machine itself. No check uses these facts alone; other topics and launches use them."""

from __future__ import annotations

from toolkit.doctor.printed import Printed, number
from toolkit.doctor.topic import Topic
from toolkit.doctor.topics.cores import cores_of
from toolkit.shell_files import shell_program

CORES = shell_program("toolkit.doctor.topics", "cores.sh")
"""Prints which CPUs are allowed and online, each one's siblings, and each NUMA node's CPUs."""


def read(printed: Printed) -> dict[str, object]:
    """Its name, kernel, boot ID, CPUs and process limit."""
    return {
        "hostname": printed.first("hostname"),
        "kernel": printed.first("kernel"),
        "boot": printed.first("boot"),
        "cpus": number(printed.first("cpus")),
        "cores": cores_of(printed.section("cores")),
        "pid_max": number(printed.first("pid_max")),
    }


TOPIC = Topic(script=f"{shell_program('toolkit.doctor.topics', 'machine.sh')}at cores\n{CORES}", read=read)
