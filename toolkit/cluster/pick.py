"""Which hosts a run gets: pure, from what the manifest asks and what others hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from toolkit.cluster.model import NO_GPU, Cluster, Host
from toolkit.errors import Code, Problem, ToolkitError

_NOTHING_TAKEN: Mapping[str, int] = {}


def pick_hosts(
    cluster: Cluster, gpu_kind: str, gpus_per_node: int, nodes: int, *, taken: Mapping[str, int] = _NOTHING_TAKEN
) -> tuple[Host, ...]:
    """The first `nodes` hosts of the file that have `gpus_per_node` free GPUs of `gpu_kind`.

    Where no host of the cluster has a GPU, ranks run on the CPU in their place, and a host is free as a whole or
    not at all.

    Args:
        taken: how many GPUs of a host others hold, by the host's name; of a host without GPUs, how many CPU ranks.

    Raises `ToolkitError` (C104) that says what the cluster has, and what of it is taken.
    """
    fitting = [host for host in cluster.hosts if _fits(cluster, host, gpu_kind, gpus_per_node)]
    free = [host for host in fitting if _free(host, taken.get(host.name, 0)) >= _wanted(host, gpus_per_node)]
    if len(free) >= nodes:
        return tuple(free[:nodes])
    asked = f"{nodes} × {gpus_per_node} {gpu_kind}"
    if len(fitting) >= nodes:
        what = f"cluster {cluster.name}: {len(free)} of the {nodes} hosts that {asked} needs are free now"
        mend = "wait until they are given back, or ask for fewer nodes"
    else:
        what = f"cluster {cluster.name} does not have {asked}: {len(fitting)} of its hosts fit"
        mend = "ask for fewer nodes, fewer GPUs on each, or a kind that it has"
    raise ToolkitError(Code.RESOURCES_ASKED, what, _stock(cluster, taken), mend=mend)


def _fits(cluster: Cluster, host: Host, gpu_kind: str, gpus_per_node: int) -> bool:
    if cluster.gpu == NO_GPU:
        return True
    return host.gpu is not None and host.gpu.kind.lower() == gpu_kind.lower() and host.gpu.count >= gpus_per_node


def _free(host: Host, held: int) -> int:
    return (host.gpu.count if host.gpu else 1) - held


def _wanted(host: Host, gpus_per_node: int) -> int:
    return gpus_per_node if host.gpu else 1


def _stock(cluster: Cluster, taken: Mapping[str, int]) -> tuple[Problem, ...]:
    """What there is, kind by kind, then what is taken."""
    kinds = Counter(host.gpu for host in cluster.hosts)
    lines = [f"{count} × {gpu.count} {gpu.kind}" if gpu else f"{count} × no GPU" for gpu, count in kinds.items()]
    problems = [Problem(f"it has {', '.join(lines) or 'no hosts'}")]
    for host in cluster.hosts:
        if held := taken.get(host.name, 0):
            of = f"{held} of {host.gpu.count} GPUs" if host.gpu else "all of it"
            problems.append(Problem(f"taken on {host.name}: {of}"))
    return tuple(problems)
