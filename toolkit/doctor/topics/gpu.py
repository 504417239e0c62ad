"""The GPUs and NVIDIA's driver."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence

from toolkit.cluster.gpu_kinds import same_kind
from toolkit.compatibility.model import version_of
from toolkit.containers.engine import Engine
from toolkit.doctor.facts import Gpu, HostFacts
from toolkit.doctor.finding import Finding, fail, ok, skipped, warn
from toolkit.doctor.printed import Printed, number
from toolkit.doctor.probes import CONTAINER_SECONDS, NOT_HERE, Trial, last_line
from toolkit.doctor.requirements import Asked
from toolkit.doctor.topic import Topic
from toolkit.runtimes.docker_run import confined
from toolkit.runtimes.specs import Argv
from toolkit.shell_files import shell_program

_FIELDS = (
    "index,uuid,name,driver_version,memory.total,memory.used,ecc.mode.current,ecc.errors.uncorrected.volatile.total,"
    "pci.bus_id"
)
_DRIVER = re.compile(r"NVRM version:.*?\s{2}([0-9]{2,4}\.[0-9.]{1,16})\s")
_DRIVER_VERSION = re.compile(r"[0-9]{2,4}(\.[0-9]{1,8}){0,3}")
_USED_MIB = 1024
"""On an idle GPU the driver itself uses some hundred MiB."""


def read(printed: Printed) -> dict[str, object]:
    """The GPUs that nvidia-smi lists, and the driver, which the kernel reports even if nvidia-smi does not answer."""
    driver, gpus, trouble = gpu_facts(printed.section("gpus"), printed.section("gpu_nodes"))
    loaded = _DRIVER.search(printed.section("driver"))
    return {"driver": driver or (loaded[1] if loaded else ""), "gpus": gpus, "gpu_trouble": trouble}


def gpu_facts(text: str, nodes: str = "") -> tuple[str, tuple[Gpu, ...], str]:
    """nvidia-smi's driver version, its GPUs, and its other output if it failed or lists none.

    `nodes` has a line for each of NVIDIA's PCI devices: its address and its NUMA node, -1 if there is none.
    """
    node_of = dict(line.lower().split() for line in nodes.splitlines() if len(line.split()) == 2)
    driver, gpus, said, status = "", [], [], ""
    for line in text.splitlines():
        cells = [cell.strip() for cell in _cells(line)]
        if line.startswith("status "):
            status = line.removeprefix("status ").strip()
        elif len(cells) == _FIELDS.count(",") + 1 and (index := number(cells[0])) is not None:
            driver = driver or (cells[3] if _DRIVER_VERSION.fullmatch(cells[3]) else "")
            gpus.append(
                Gpu(
                    index,
                    uuid=cells[1],
                    name=cells[2],
                    memory_total=number(cells[4]),
                    memory_used=number(cells[5]),
                    ecc=cells[6],
                    ecc_errors=number(cells[7]),
                    node=number(node_of.get(cells[8].lower()[-len("0000:00:00.0") :], "")),
                )
            )
        elif line.strip() and line.strip() != "missing":
            said.append(line.strip())
    if status == "124":
        said.append("nvidia-smi does not answer")
    return driver, tuple(gpus), " ".join(said) if status not in ("", "0") or not gpus else ""


def _cells(line: str) -> list[str]:
    try:
        return next(csv.reader([line]), [])
    except csv.Error:
        return []


def gpu(facts: HostFacts, asked: Asked) -> Finding:
    """The kind and the count that the cluster file lists."""
    wanted = asked.gpu(facts.name)
    if wanted is None:
        who = "this run does not use" if asked.on_cpu else "no run uses"
        has = f"; it has {described(facts.gpus)}, which {who}" if facts.gpus else ""
        return ok(facts.name, "gpu", f"{asked.why_no_gpu}{has}")
    says = f"the cluster file says {wanted.count} × {wanted.kind}"
    if not facts.gpus:
        why = facts.gpu_trouble or "nvidia-smi lists none"
        hint = "install or reload NVIDIA's driver (nvidia-smi must list the GPUs), or set `gpu: none`"
        return fail(facts.name, "gpu", f"no GPU, and {says}: {why}", hint)
    fitting = [one for one in facts.gpus if same_kind(one.kind, wanted.kind)]
    if len(fitting) < wanted.count:
        hint = "fix the cluster file; or a GPU has fallen off the bus: dmesg | grep -i nvrm, then reboot the host"
        return fail(facts.name, "gpu", f"{described(facts.gpus)}; {says}", hint)
    if len(fitting) > wanted.count or len(fitting) < len(facts.gpus):
        return warn(
            facts.name, "gpu", f"{described(facts.gpus)}; {says}", "fix the cluster file: no run uses the others"
        )
    return ok(facts.name, "gpu", described(facts.gpus))


def driver(facts: HostFacts, asked: Asked) -> Finding:
    """Not too old for the CUDA, nor too new for the GPU."""
    wanted, need = asked.gpu(facts.name), asked.driver
    if wanted is None:
        return ok(facts.name, "driver", asked.why_no_gpu)
    has = version_of(facts.driver)
    if has is None:
        why = facts.gpu_trouble or "its version is unknown"
        hint = "install NVIDIA's driver, or reload it: modprobe nvidia"
        return fail(facts.name, "driver", f"NVIDIA's driver is not loaded: {why}", hint)
    last = asked.last_driver(wanted.kind)
    if need and has < need.at_least:
        upto = f", up to branch {last.branch}" if last else ""
        hint = f"install driver {need.at_least} or newer{upto} ({need.source})"
        return fail(facts.name, "driver", f"driver {has}; {need.why} needs {need.at_least} or newer", hint)
    if last and has.major > last.branch:
        what = f"driver {has}; {last.branch} is the last branch with {last.generation}, and so with {wanted.kind}"
        return fail(facts.name, "driver", what, f"install branch {last.branch}")
    return ok(facts.name, "driver", f"driver {has}" + (f"; {need.why} needs {need.at_least}" if need else ""))


def gpu_errors(facts: HostFacts, asked: Asked) -> Finding:
    """Uncorrected errors of the GPUs' memory."""
    if not facts.gpus:
        return _no_gpu(facts, asked, "gpu errors")
    bad = [f"GPU {one.index} has {one.ecc_errors} uncorrected memory errors" for one in facts.gpus if one.ecc_errors]
    if bad:
        hint = "reset it when idle (nvidia-smi --gpu-reset -i N) or reboot; if errors return, replace it"
        return fail(facts.name, "gpu errors", "; ".join(bad), hint)
    off = [str(one.index) for one in facts.gpus if one.ecc == "Disabled"]
    if off:
        hint = "nvidia-smi --ecc-config=1, then reboot: without ECC, flipped bits reach the weights unnoticed"
        return warn(facts.name, "gpu errors", f"ECC is off on GPU {', '.join(off)}", hint)
    if all(one.ecc_errors is None for one in facts.gpus):
        return ok(facts.name, "gpu errors", "these GPUs do not count memory errors")
    return ok(facts.name, "gpu errors", "no uncorrected memory errors")


def gpu_memory(facts: HostFacts, asked: Asked) -> Finding:
    """A program without a lease may be using GPU memory."""
    if not facts.gpus:
        return _no_gpu(facts, asked, "gpu memory")
    if any(one.memory_used is None for one in facts.gpus):
        return skipped(facts.name, "gpu memory", "nvidia-smi does not report memory in use")
    used = [
        f"GPU {one.index}: {one.memory_used} of {one.memory_total} MiB in use"
        for one in facts.gpus
        if (one.memory_used or 0) > _USED_MIB
    ]
    if used:
        return warn(facts.name, "gpu memory", "; ".join(used), "find the process: nvidia-smi on the host")
    return ok(facts.name, "gpu memory", "free")


def start_with_gpus(image: str, uuids: Sequence[str]) -> Argv:
    """A container that lists the GPUs it sees, and exits; the NVIDIA container toolkit gives it nvidia-smi."""
    return [
        *("docker", "run", "--rm", "--pull", "never", "--network", "none", *confined()),
        *("--gpus", f'"device={",".join(uuids)}"'),
        *("--env", "NVIDIA_DRIVER_CAPABILITIES=utility", "--entrypoint", "nvidia-smi", image, "-L"),
    ]


def try_gpus(engine: Engine, facts: HostFacts, images: Sequence[str]) -> Finding:
    """Start a container from the first of `images` that is on the host, with all of its GPUs."""
    if not facts.gpus:
        return skipped(facts.name, "gpu container", "no GPU was found")
    for image in images:
        argv = start_with_gpus(image, [one.uuid for one in facts.gpus])
        done = engine.run(argv, check=False, timeout=CONTAINER_SECONDS)
        if done.ok:
            return gpu_container(facts, done.output)
        if not NOT_HERE.search(done.errors):
            return gpu_container(facts, done.output, last_line(done))
    return gpu_container(facts, None, "no image of the tool is on the host yet; a launch transfers it")


def gpu_container(facts: HostFacts, listed: str | None, trouble: str = "") -> Finding:
    """`listed` is the output of `nvidia-smi -L` in a container with all GPUs; None: none could be started."""
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


def _tried(trial: Trial) -> Sequence[Finding]:
    def act(facts: HostFacts, engine: Engine) -> Finding:
        if trial.asked.gpu(facts.name) is None:
            return ok(facts.name, "gpu container", trial.asked.why_no_gpu)
        return try_gpus(engine, facts, trial.images)

    return trial.on_engines("gpu container", act)


TOPIC = Topic(
    script=shell_program("toolkit.doctor.topics", "gpu.sh"),
    variables={"gpu_fields": _FIELDS},
    read=read,
    before_launch={"gpu": gpu, "driver": driver},
    checks={"gpu errors": gpu_errors, "gpu memory": gpu_memory},
    tried={"gpu container": _tried},
)
