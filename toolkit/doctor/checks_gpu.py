"""The checks of a host's GPUs: pure, from its facts to findings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from toolkit.cluster.gpu_kinds import same_kind
from toolkit.compatibility.model import version_of
from toolkit.doctor.facts import Gpu, HostFacts
from toolkit.doctor.finding import Finding, fail, ok, skipped, warn
from toolkit.doctor.requirements import Asked

_USED_MIB = 1024
"""An idle GPU shows some hundred MiB that the driver keeps for itself."""


def gpu(facts: HostFacts, asked: Asked) -> Finding:
    """The kind and the count that the cluster's file says."""
    wanted = asked.gpu(facts.name)
    if wanted is None:
        who = "this run does not get" if asked.on_cpu else "no run gets"
        has = f"; it has {described(facts.gpus)}, which {who}" if facts.gpus else ""
        return ok(facts.name, "gpu", f"{asked.why_no_gpu}{has}")
    says = f"the cluster's file says {wanted.count} × {wanted.kind}"
    if not facts.gpus:
        why = facts.gpu_trouble or "there is no nvidia-smi that lists any"
        hint = "install or reload NVIDIA's driver (nvidia-smi must list the GPUs), or say `gpu: none`"
        return fail(facts.name, "gpu", f"no GPU, and {says}: {why}", hint)
    fitting = [one for one in facts.gpus if same_kind(one.kind, wanted.kind)]
    if len(fitting) < wanted.count:
        hint = "fix the cluster's file; or a GPU has fallen off the bus: dmesg | grep -i nvrm, then reboot the host"
        return fail(facts.name, "gpu", f"{described(facts.gpus)}; {says}", hint)
    if len(fitting) > wanted.count or len(fitting) < len(facts.gpus):
        return warn(
            facts.name, "gpu", f"{described(facts.gpus)}; {says}", "fix the cluster's file: no run gets the rest"
        )
    return ok(facts.name, "gpu", described(facts.gpus))


def driver(facts: HostFacts, asked: Asked) -> Finding:
    """Not too old for the CUDA, nor too new for the GPU."""
    wanted, need = asked.gpu(facts.name), asked.driver
    if wanted is None:
        return ok(facts.name, "driver", asked.why_no_gpu)
    has = version_of(facts.driver)
    if has is None:
        why = facts.gpu_trouble or "nothing tells its version"
        hint = "install NVIDIA's driver, or reload it: modprobe nvidia"
        return fail(facts.name, "driver", f"NVIDIA's driver is not loaded: {why}", hint)
    last = asked.last_driver(wanted.kind)
    if need and has < need.at_least:
        upto = f", up to branch {last.branch}" if last else ""
        hint = f"install driver {need.at_least} or newer{upto} ({need.source})"
        return fail(facts.name, "driver", f"driver {has}; {need.why} needs {need.at_least} or newer", hint)
    if last and has.major > last.branch:
        what = f"driver {has}; {last.branch} is the last branch with {last.generation}, so with {wanted.kind}"
        return fail(facts.name, "driver", what, f"install branch {last.branch}")
    return ok(facts.name, "driver", f"driver {has}" + (f"; {need.why} needs {need.at_least}" if need else ""))


def gpu_errors(facts: HostFacts, asked: Asked) -> Finding:
    """Uncorrected errors of the GPUs' memory."""
    if not facts.gpus:
        return _no_gpu(facts, asked, "gpu errors")
    bad = [f"GPU {one.index} has {one.ecc_errors} uncorrected memory errors" for one in facts.gpus if one.ecc_errors]
    if bad:
        hint = "reset it while it is idle (nvidia-smi --gpu-reset -i N) or reboot; where they come back, it is broken"
        return fail(facts.name, "gpu errors", "; ".join(bad), hint)
    off = [str(one.index) for one in facts.gpus if one.ecc == "Disabled"]
    if off:
        hint = "nvidia-smi --ecc-config=1, then reboot: without it a flipped bit goes unseen into the weights"
        return warn(facts.name, "gpu errors", f"ECC is off on GPU {', '.join(off)}", hint)
    if all(one.ecc_errors is None for one in facts.gpus):
        return ok(facts.name, "gpu errors", "these GPUs count no memory errors")
    return ok(facts.name, "gpu errors", "no uncorrected memory errors")


def gpu_memory(facts: HostFacts, asked: Asked) -> Finding:
    """Someone else's program may be there, one that holds no lease."""
    if not facts.gpus:
        return _no_gpu(facts, asked, "gpu memory")
    if any(one.memory_used is None for one in facts.gpus):
        return skipped(facts.name, "gpu memory", "nvidia-smi does not say how much is in use")
    used = [
        f"GPU {one.index}: {one.memory_used} of {one.memory_total} MiB in use"
        for one in facts.gpus
        if (one.memory_used or 0) > _USED_MIB
    ]
    if used:
        return warn(facts.name, "gpu memory", "; ".join(used), "whose is it? nvidia-smi on the host lists the programs")
    return ok(facts.name, "gpu memory", "free")


def gpu_container(facts: HostFacts, listed: str | None, trouble: str = "") -> Finding:
    """`listed` is what `nvidia-smi -L` printed in a container that was given all GPUs; None: none could be started."""
    if listed is None:
        return skipped(facts.name, "gpu container", trouble)
    hint = "install nvidia-container-toolkit, then: nvidia-ctk runtime configure --runtime=docker; restart the engine"
    if trouble:
        return fail(facts.name, "gpu container", f"a container with GPUs does not start: {trouble}", hint)
    missing = [str(one.index) for one in facts.gpus if one.uuid not in listed]
    if missing:
        return fail(facts.name, "gpu container", f"a container does not see GPU {', '.join(missing)}", hint)
    return ok(facts.name, "gpu container", f"a container sees {described(facts.gpus)}")


def described(gpus: Sequence[Gpu]) -> str:
    """`4 × p100`."""
    kinds = Counter(one.kind or one.name for one in gpus)
    return ", ".join(f"{count} × {kind}" for kind, count in kinds.items()) or "no GPU"


def _no_gpu(facts: HostFacts, asked: Asked, check: str) -> Finding:
    if asked.gpu(facts.name) is None:
        return ok(facts.name, check, asked.why_no_gpu)
    return skipped(facts.name, check, "no GPU was found")
