"""The resources of a job's hosts, and whether they are consistent. `probe` asks them; the rest is pure."""

from __future__ import annotations

import shlex
import socket
import subprocess
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ddl.launcher.options import check_host

_PACKAGE = Path(__file__).parents[2]
_PROBE_SECONDS = 30
_MAX_PARALLEL = 32

# Cores, not hardware threads: a rank file counts cores. Without lscpu, processors.
_PROGRAM = """
echo "machine $(uname -m)"
echo "cores $(lscpu -p=core,socket 2>/dev/null | grep -v '^#' | sort -u | wc -l)"
echo "processors $(getconf _NPROCESSORS_ONLN)"
nvidia-smi --query-gpu=name --format=csv,noheader 2>/dev/null | sed 's/^/gpu /'
echo "mpirun $(mpirun --version 2>/dev/null | head -n 1)"
{python} -c 'import ddl; print("ddl", ddl.__file__)' 2>&1 | tail -n 1
"""


@dataclass(frozen=True)
class Host:
    """What one host has.

    Attributes:
        cores: physical cores.
        gpus: the model of each GPU, in the driver's order.
        mpirun: the first line of ``mpirun --version``; empty if it is not installed.
        ddl: where its Python finds this package; empty if it does not.
        error: why nothing is known of it; empty if it answered.
    """

    name: str
    machine: str = ""
    cores: int = 0
    gpus: tuple[str, ...] = ()
    mpirun: str = ""
    ddl: str = ""
    error: str = ""


def read_host_file(text: str) -> tuple[str, ...]:
    """The names in a host file: the first word of each line that is not empty or a comment.

    Raises:
        ValueError: a line without a valid host name, or a duplicate; or no hosts at all.
    """
    names: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            check_host(words[0])
        except ValueError:
            raise ValueError(f"line {number}: {words[0]!r} is not a host name") from None
        if words[0] in names:
            raise ValueError(f"line {number}: {words[0]} is listed twice (ranks per host: --accelerators)")
        names.append(words[0])
    if not names:
        raise ValueError("it contains no hosts")
    return tuple(names)


def probe(names: Sequence[str]) -> tuple[Host, ...]:
    """Probe all hosts in parallel: this one with a local shell, others over ssh, which must not prompt."""
    with ThreadPoolExecutor(max_workers=min(_MAX_PARALLEL, len(names))) as pool:
        return tuple(pool.map(_probe_host, names))


def probe_argv(name: str, here: Iterable[str]) -> list[str]:
    """The command that probes one host; `here` are this host's names."""
    program = _PROGRAM.replace("{python}", f"env PYTHONPATH={shlex.quote(str(_PACKAGE))} {shlex.quote(sys.executable)}")
    if name in here:
        return ["sh", "-c", program]
    path = "PATH=$PATH:/usr/local/bin:/usr/bin:/bin"  # sshd starts a session with a minimal PATH
    return ["ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", name, f"{path}; export PATH; {program}"]


def _probe_host(name: str) -> Host:
    here = {"localhost", "127.0.0.1", "::1", socket.gethostname(), socket.getfqdn()}
    try:
        done = subprocess.run(
            probe_argv(name, here),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PROBE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Host(name, error=f"no answer in {_PROBE_SECONDS} s")
    except FileNotFoundError as error:
        return Host(name, error=f"{error.filename} is not installed here")
    if "machine " not in done.stdout:
        return Host(name, error=(done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1])
    return read_host(name, done.stdout)


def read_host(name: str, output: str) -> Host:
    """Parse a host's answer."""
    facts: dict[str, list[str]] = {}
    for line in output.splitlines():
        key, _, value = line.partition(" ")
        facts.setdefault(key, []).append(value.strip())
    first = {key: values[0] for key, values in facts.items()}
    return Host(
        name=name,
        machine=first.get("machine", ""),
        cores=int(first.get("cores") or 0) or int(first.get("processors") or 1),
        gpus=tuple(facts.get("gpu", ())),
        mpirun=first.get("mpirun", ""),
        ddl=first.get("ddl", ""),
    )


def problems(hosts: Sequence[Host]) -> list[str]:
    """What is wrong with the hosts, one line each with a hint; empty if a job can start."""
    unreachable = [host for host in hosts if host.error]
    if unreachable:
        return [
            f"{host.name}: {host.error}\n  next: make `ssh {host.name} true` work without a prompt: "
            f"ssh-copy-id {host.name}"
            for host in unreachable
        ]
    found = []
    for host in hosts:
        if not host.mpirun:
            found.append(f"{host.name}: no mpirun in its PATH\n  next: install Open MPI there, as on the first host")
        if not host.ddl:
            found.append(
                f"{host.name}: {sys.executable} does not find ddl in {_PACKAGE}\n"
                "  next: install the same Python and ddl at the same paths on every host"
            )
    return found or _differences(hosts)


def _differences(hosts: Sequence[Host]) -> list[str]:
    """Every host is compared with the first: ranks are placed as if all were the same."""
    first, *others = hosts
    compared = {"processors": "machine", "cores": "cores", "GPUs": "gpus", "Open MPI": "mpirun"}
    return [
        f"{host.name}: {title} differ: {_format(getattr(host, field))}; "
        f"{first.name} has {_format(getattr(first, field))}\n"
        "  next: use hosts of one kind, or --skipchecks with --accelerators"
        for host in others
        for title, field in compared.items()
        if getattr(host, field) != getattr(first, field)
    ]


def _format(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(f"{value.count(kind)} × {kind}" for kind in dict.fromkeys(value)) or "none"
    return str(value)
