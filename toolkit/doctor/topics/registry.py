"""The doctor's topics. A new one is its module and a line here."""

from __future__ import annotations

from toolkit.doctor.topic import Check, Comparison, Probe, Topic
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


def before_launch() -> dict[str, Check]:
    """The checks of one host alone that every launch runs, too."""
    return {name: check for topic in TOPICS for name, check in topic.before_launch.items()}


def checks() -> dict[str, Check]:
    """Every check of one host alone."""
    return before_launch() | {name: check for topic in TOPICS for name, check in topic.checks.items()}


def compared_before_launch() -> dict[str, Comparison]:
    """The checks that compare hosts and that every launch runs, too."""
    return {name: compare for topic in TOPICS for name, compare in topic.compared_before_launch.items()}


def compared() -> dict[str, Comparison]:
    """Every check that compares hosts."""
    return compared_before_launch() | {name: compare for topic in TOPICS for name, compare in topic.compared.items()}


def tried() -> dict[str, Probe]:
    """The checks that have to try something, and are in every report."""
    return {name: probe for topic in TOPICS for name, probe in topic.tried.items()}


def tried_where_asked() -> dict[str, Probe]:
    """Those that are reported only if the manifest requires them."""
    return {name: probe for topic in TOPICS for name, probe in topic.tried_where_asked.items()}
