"""Hosts as they printed themselves, and a cluster that names them."""

from __future__ import annotations

from pathlib import Path

from toolkit.cluster.model import Access, Cluster, Deadlines, Gpu, Host
from toolkit.doctor.examine import host_facts
from toolkit.doctor.facts import HostFacts
from toolkit.doctor.printed import Printed
from toolkit.doctor.requirements import Asked

RECORDED = Path(__file__).parent / "recorded"
P100 = Gpu("p100", 4)
# When the recorded hosts were asked, and when their answers had come, by this machine's clock.
ASKED, ANSWERED = 1717999999.25, 1718000001.75


def text_of(recording: str) -> str:
    return (RECORDED / f"{recording}.txt").read_text()


def facts_of(recording: str, name: str = "", **changes: str) -> HostFacts:
    """A recorded host, with words of it replaced."""
    text = text_of(recording)
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    return host_facts(name or f"{recording}-1", Printed(text, ASKED, ANSWERED))


def cluster_of(*names: str, gpu: Gpu | None = P100, engine: str = "docker", jump: str = "") -> Cluster:
    hosts = tuple(Host(name, gpu=gpu) for name in names)
    return Cluster(
        name="lab",
        engine="ssh",
        gpu=gpu.kind if gpu else "none",
        deadlines=Deadlines(60, 10, 600),
        hosts=hosts,
        access=Access(jump=jump),
        network="10.0.0.0/16",
        container_engine=engine,
        scratch="/var/tmp/toolkit",
    )


def asked(*names: str, gpu: Gpu | None = P100, engine: str = "docker", jump: str = "") -> Asked:
    return Asked(cluster_of(*(names or ("p100-1",)), gpu=gpu, engine=engine, jump=jump))
