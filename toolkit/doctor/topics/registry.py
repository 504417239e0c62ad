"""The doctor's topics. A new one is its module and a line here."""

from __future__ import annotations

from toolkit.doctor.topic import Topic
from toolkit.doctor.topics import (
    accounts,
    alike,
    clock,
    disk,
    engine,
    fuse,
    gpu,
    machine,
    memory,
    network,
    rdma,
    reach,
    sshd,
    storage,
)

TOPICS: tuple[Topic, ...] = (
    machine.TOPIC,
    engine.TOPIC,
    reach.TOPIC,
    gpu.TOPIC,
    network.TOPIC,
    accounts.TOPIC,
    fuse.TOPIC,
    disk.TOPIC,  # after the engine, which reports where its images are
    clock.TOPIC,
    rdma.TOPIC,
    memory.TOPIC,
    sshd.TOPIC,
    alike.TOPIC,
    storage.TOPIC,
)
"""In the order of the fact script, and in which a report lists the checks: first those of every launch, then the other
checks of one host, then what compares hosts, then what is tried."""


def every() -> Topic:
    """All of them as one topic; `checks` and `compared` have those of a launch, too."""
    before = {name: check for topic in TOPICS for name, check in topic.before_launch.items()}
    compared_before = {name: compare for topic in TOPICS for name, compare in topic.compared_before_launch.items()}
    return Topic(
        script="".join(topic.script for topic in TOPICS),
        variables={name: value for topic in TOPICS for name, value in topic.variables.items()},
        read=lambda printed: {fact: value for topic in TOPICS for fact, value in topic.read(printed).items()},
        before_launch=before,
        checks=before | {name: check for topic in TOPICS for name, check in topic.checks.items()},
        compared_before_launch=compared_before,
        compared=compared_before | {name: compare for topic in TOPICS for name, compare in topic.compared.items()},
        tried={name: probe for topic in TOPICS for name, probe in topic.tried.items()},
        tried_where_asked={name: probe for topic in TOPICS for name, probe in topic.tried_where_asked.items()},
    )
