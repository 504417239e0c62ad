"""From what a host printed to `HostFacts`: pure. Text of any kind is read; what makes no sense is not known."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass

from toolkit.doctor.fact_script import GPU_FIELDS, MARK
from toolkit.doctor.facts import Gpu, HostFacts, Room, SshdLimits
from toolkit.doctor.parse_cores import cores_of
from toolkit.doctor.parse_engine import engine_facts
from toolkit.doctor.parse_network import firewall, interfaces, listening

_NUMBER = re.compile(r"[0-9]{1,18}")
_CLOCK = re.compile(r"([0-9]{1,12})(\.[0-9]{1,9})?")
_DF = re.compile(r"\s([0-9]{1,18})\s+[0-9]{1,18}\s+(-?[0-9]{1,18})\s+[0-9]+%\s+/")
_DRIVER = re.compile(r"NVRM version:.*?\s{2}([0-9]{2,4}\.[0-9.]{1,16})\s")
_DRIVER_VERSION = re.compile(r"[0-9]{2,4}(\.[0-9]{1,8}){0,3}")
_STARTUPS = re.compile(r"[0-9]{1,9}(:[0-9]{1,9}:[0-9]{1,9})?")
_HALF_A_SECOND = 0.5
_KIB = 1024


@dataclass(frozen=True)
class Heard:
    """What a host printed, and this machine's clock (seconds since 1970) before it was asked and after its answer."""

    text: str
    asked: float
    answered: float


def host_facts(name: str, heard: Heard) -> HostFacts:
    """The facts of the host `name`; raises nothing, whatever the text."""
    sections = sections_of(heard.text)

    def lines(section: str) -> list[str]:
        return [line.strip() for line in sections.get(section, "").splitlines() if line.strip()]

    user, uid, groups = (*lines("user"), "", "", "")[:3]
    devices = lines("rdma")
    driver, gpus, trouble = gpu_facts(sections.get("gpus", ""), sections.get("gpu_nodes", ""))
    loaded = _DRIVER.search(sections.get("driver", ""))
    return HostFacts(
        name=name,
        whole="end" in sections,
        user=user,
        uid=_number(uid),
        groups=tuple(groups.split()),
        learner_account=_first(lines("learner")).partition(":")[0],
        hostname=_first(lines("hostname")),
        kernel=_first(lines("kernel")),
        boot=_first(lines("boot")),
        clock_offset=_offset(_clock(sections.get("begin", "")), _clock(sections.get("end", "")), heard),
        cpus=_number(_first(lines("cpus"))),
        cores=cores_of(sections.get("cores", "")),
        memory=_kib(sections.get("memory", "")),
        pid_max=_number(_first(lines("pid_max"))),
        fuse=_first(lines("fuse")[-1:]),
        shm=_df(sections.get("shm", ""))[0],
        memlock=_memlock(_first(lines("memlock"))),
        rdma_devices=tuple(one for one in devices if one.startswith("/dev/infiniband/")),
        rdma_adapters=tuple(one.rpartition("/")[2] for one in devices if one.startswith("/sys/class/infiniband/")),
        interfaces=interfaces(sections),
        ports_in_use=listening(lines("ports")),
        firewall=firewall(lines("firewall")),
        sshd=_sshd(lines("sshd")) if "sshd" in sections else None,
        engine=engine_facts(lines("engine")),
        images=_room(lines("images")),
        scratch=_room(lines("scratch")),
        driver=driver or (loaded[1] if loaded else ""),
        gpus=gpus,
        gpu_trouble=trouble,
    )


def sections_of(text: str) -> dict[str, str]:
    """The text below each `@toolkit NAME`; what stands before the first is the login shell's own."""
    sections: dict[str, str] = {}
    name = ""
    for line in text.split("\n"):
        if line.startswith(MARK):
            name = line.removeprefix(MARK).strip()
            sections[name] = ""
        elif name:
            sections[name] += f"{line}\n"
    return sections


def gpu_facts(text: str, nodes: str = "") -> tuple[str, tuple[Gpu, ...], str]:
    """nvidia-smi's driver version, its GPUs, and what it said besides where it failed or was not in order.

    `nodes` has a line for each PCI device of NVIDIA's: its address and its NUMA node, -1 where there is none.
    """
    node_of = dict(line.lower().split() for line in nodes.splitlines() if len(line.split()) == 2)
    driver, gpus, said, status = "", [], [], ""
    for line in text.splitlines():
        cells = [cell.strip() for cell in _cells(line)]
        if line.startswith("status "):
            status = line.removeprefix("status ").strip()
        elif len(cells) == GPU_FIELDS.count(",") + 1 and (index := _number(cells[0])) is not None:
            driver = driver or (cells[3] if _DRIVER_VERSION.fullmatch(cells[3]) else "")
            gpus.append(
                Gpu(
                    index,
                    uuid=cells[1],
                    name=cells[2],
                    memory_total=_number(cells[4]),
                    memory_used=_number(cells[5]),
                    ecc=cells[6],
                    ecc_errors=_number(cells[7]),
                    node=_number(node_of.get(cells[8].lower()[-len("0000:00:00.0") :], "")),
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


def _first(lines: list[str]) -> str:
    return lines[0] if lines else ""


def _number(text: str) -> int | None:
    return int(text) if _NUMBER.fullmatch(text) else None


def _kib(text: str) -> int | None:
    match = _NUMBER.search(text)
    return int(match[0]) * _KIB if match else None


def _df(text: str) -> tuple[int | None, int | None]:
    """Size and free bytes of `df -Pk`."""
    match = _DF.search(text)
    return (int(match[1]) * _KIB, max(int(match[2]), 0) * _KIB) if match else (None, None)


def _room(lines: list[str]) -> Room | None:
    if not lines:
        return None
    return Room(lines[0], _df("\n".join(lines[2:]))[1], writable=lines[1:2] == ["writable"])


def _memlock(text: str) -> int | None:
    """`ulimit -l` counts in KiB."""
    if text == "unlimited":
        return -1
    number = _number(text)
    return None if number is None else number * _KIB


def _sshd(lines: list[str]) -> SshdLimits:
    """The first value of a setting holds, up to the first Match."""
    found: dict[str, str] = {}
    for line in lines:
        name, _, value = line.replace("\t", " ").partition(" ")
        if name.lower() == "match":
            break
        found.setdefault(name.lower(), value.strip())
    known = SshdLimits()
    startups = found.get("maxstartups", "")
    sessions = _number(found.get("maxsessions", ""))
    return SshdLimits(
        startups if _STARTUPS.fullmatch(startups) else known.max_startups,
        known.max_sessions if sessions is None else sessions,
        effective=bool(lines) and "configured" not in lines,
    )


def _clock(text: str) -> float | None:
    """Seconds since 1970; a clock that is read in whole seconds is on average half a second further."""
    match = _CLOCK.match(text.strip())
    if not match:
        return None
    return float(match[0]) if match[2] else float(match[1]) + _HALF_A_SECOND


def _offset(begun: float | None, ended: float | None, heard: Heard) -> float | None:
    """As NTP has it: what the way there and the way back take alike falls out, and so does the time in between."""
    if begun is None or ended is None:
        return None
    return ((begun - heard.asked) + (ended - heard.answered)) / 2
