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
    differs: dict[str, list[str]] = {facts.name: [] for facts in every}
    for members in groups.values():
        for noun, feature in _HARDWARE.items():
            _compare(noun, {facts.name: feature(facts) for facts in members}, differs)
    for noun, of_link in _LINK.items():
        _compare(noun, {facts.name: of_link(_link(facts, asked.cluster.network)) for facts in every}, differs)
    same = "same as the others" if len(every) > 1 else "no other host to compare with"
    hint = "make them the same, or use a cluster file for each kind of host"
    return tuple(
        warn(name, "alike", "; ".join(those), hint) if those else ok(name, "alike", same)
        for name, those in differs.items()
    )


def _compare(noun: str, values: dict[str, str], differs: dict[str, list[str]]) -> None:
    """Add to `differs` each host whose value is not the most frequent one; of two as frequent, the earlier host's."""
    known = {host: value for host, value in values.items() if value}
    usual = next((value for value, _ in Counter(known.values()).most_common(1)), "")
    for host, has in known.items():
        if has != usual:
            differs[host].append(f"{noun} {has}, others {usual}")


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
