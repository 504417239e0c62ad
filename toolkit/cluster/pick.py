"""Which hosts a run gets. Pure: from the manifest's request and what others hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from toolkit.cluster.gpu_kinds import same_kind
from toolkit.cluster.model import NO_GPU, Cluster, Host
from toolkit.errors import Code, Problem, ToolkitError
from toolkit.manifest.compute import CPU

_NOTHING_TAKEN: Mapping[str, int] = {}


def pick_hosts(
    cluster: Cluster, kind: str, count: int, nodes: int, *, taken: Mapping[str, int] = _NOTHING_TAKEN
) -> tuple[Host, ...]:
    """The first `nodes` hosts in the file with `count` free GPUs of `kind`.

    If no host of the cluster has a GPU, ranks run on the CPU instead, and a host is either free as a whole or not at
    all. The same applies to the kind `cpu`, for `count` ranks on each host: any host qualifies, those without GPUs
    first. A host's cores are divided among its GPUs, so ranks on the CPU would take cores from them.

    Args:
        taken: how many GPUs of a host others hold, by the host's name; more than it has if it is held as a whole.

    Raises `ToolkitError` (C104) with what the cluster has, and what of it is taken.
    """
    whole = kind == CPU or cluster.gpu == NO_GPU
    fitting = [host for host in cluster.hosts if whole or _has(host, kind, count)]
    if kind == CPU:
        fitting.sort(key=lambda host: host.gpu is not None)
    free = [host for host in fitting if _is_free(host, taken.get(host.name, 0), 0 if whole else count)]
    if len(free) >= nodes:
        return tuple(free[:nodes])
    asked = f"{nodes} × {count} {'CPU ranks' if kind == CPU else kind}"
    if len(fitting) >= nodes:
        what = f"cluster {cluster.name}: {len(free)} of the {nodes} hosts that {asked} needs are free now"
        hint = "wait until they are released, or ask for fewer nodes"
    else:
        what = f"cluster {cluster.name} does not have {asked}: {len(fitting)} of its hosts fit"
        hint = "ask for fewer nodes" + ("" if kind == CPU else ", fewer GPUs on each, or a kind that it has")
    raise ToolkitError(Code.RESOURCES_ASKED, what, _stock(cluster, taken), hint=hint)


def _has(host: Host, kind: str, count: int) -> bool:
    return host.gpu is not None and same_kind(host.gpu.kind, kind) and host.gpu.count >= count


def _is_free(host: Host, held: int, gpus: int) -> bool:
    """Whether that many GPUs of the host are free; 0: the whole host."""
    return not held if not gpus or not host.gpu else host.gpu.count - held >= gpus


def _stock(cluster: Cluster, taken: Mapping[str, int]) -> tuple[Problem, ...]:
    """What the cluster has, by kind, then what is taken."""
    kinds = Counter(host.gpu for host in cluster.hosts)
    lines = [f"{count} × {gpu.count} {gpu.kind}" if gpu else f"{count} × no GPU" for gpu, count in kinds.items()]
    problems = [Problem(f"it has {', '.join(lines) or 'no hosts'}")]
    for host in cluster.hosts:
        if held := taken.get(host.name, 0):
            of = f"{min(held, host.gpu.count)} of {host.gpu.count} GPUs" if host.gpu else "all of it"
            problems.append(Problem(f"taken on {host.name}: {of}"))
    return tuple(problems)
