"""Whether hosts are alike: a run is as fast as its slowest host, and hangs if two are incompatible. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from toolkit.doctor.facts import HostFacts, Interface
from toolkit.doctor.finding import Finding, ok, warn
from toolkit.doctor.requirements import Asked
from toolkit.doctor.topic import Topic
from toolkit.doctor.topics.gpu import described
from toolkit.errors import ToolkitError

Feature = Callable[[HostFacts], str]


def alike(every: Sequence[HostFacts], asked: Asked) -> tuple[Finding, ...]:
    """Compare each host with most of those with the same GPUs in the cluster file; unknown values are left out."""
    groups: dict[object, list[HostFacts]] = {}
    for facts in every:
        groups.setdefault(asked.host(facts.name).gpu, []).append(facts)
    usual = {
        (group, noun): _usual([feature(facts) for facts in members])
        for group, members in groups.items()
        for noun, feature in _HARDWARE.items()
    }
    network = asked.cluster.network
    across = {noun: _usual([feature(_link(facts, network)) for facts in every]) for noun, feature in _LINK.items()}
    return tuple(_compared(facts, len(every), asked, usual, across) for facts in every)


def _compared(
    facts: HostFacts,
    hosts: int,
    asked: Asked,
    usual: dict[tuple[object, str], str],
    across: dict[str, str],
) -> Finding:
    group, link = asked.host(facts.name).gpu, _link(facts, asked.cluster.network)
    differs = [
        f"{noun} {has}, others {most}"
        for noun, has, most in (
            *((noun, feature(facts), usual[group, noun]) for noun, feature in _HARDWARE.items()),
            *((noun, feature(link), across[noun]) for noun, feature in _LINK.items()),
        )
        if has and most and has != most
    ]
    if differs:
        hint = "make them the same, or use a cluster file for each kind of host"
        return warn(facts.name, "alike", "; ".join(differs), hint)
    return ok(facts.name, "alike", "same as the others" if hosts > 1 else "no other host to compare with")


def _usual(values: Sequence[str]) -> str:
    """The most frequent value; of two as frequent, that of the earlier host."""
    known = Counter(value for value in values if value)
    return known.most_common(1)[0][0] if known else ""


def _link(facts: HostFacts, network: str) -> Interface:
    try:
        return facts.place_in(network)[0] if network else Interface("")
    except ToolkitError:
        return Interface("")


_HARDWARE: dict[str, Feature] = {
    "GPUs": lambda facts: described(facts.gpus) if facts.whole else "",
    "driver": lambda facts: facts.driver,
    "CPUs": lambda facts: str(facts.cpus or ""),
    "engine": lambda facts: facts.engine.major,
    "RDMA adapters": lambda facts: (", ".join(facts.rdma_adapters) or "none") if facts.whole else "",
}
_LINK: dict[str, Callable[[Interface], str]] = {
    "MTU": lambda link: str(link.mtu or ""),
    "link speed in Mb/s": lambda link: str(link.speed or ""),
}

TOPIC = Topic(compared={"alike": alike})
