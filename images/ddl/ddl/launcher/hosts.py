"""What the hosts of a job have, and whether they fit together. `look` asks them; the rest is pure."""

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
_LOOK_SECONDS = 30
_AT_ONCE = 32

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
        gpus: the kind of each GPU, in the driver's order.
        mpirun: the first line of what its mpirun says of itself; empty where there is none.
        ddl: where its Python finds this package; empty where it does not.
        trouble: why nothing is known of it; empty where it answered.
    """

    name: str
    machine: str = ""
    cores: int = 0
    gpus: tuple[str, ...] = ()
    mpirun: str = ""
    ddl: str = ""
    trouble: str = ""


def read_host_file(text: str) -> tuple[str, ...]:
    """The names in a host file: the first word of each line that is not empty or a comment.

    Raises:
        ValueError: a line with no name of a host, or a name twice; or none at all.
    """
    names: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            check_host(words[0])
        except ValueError:
            raise ValueError(f"line {number}: {words[0]!r} is no name of a host") from None
        if words[0] in names:
            raise ValueError(f"line {number}: {words[0]} is there twice (ranks per host: --accelerators)")
        names.append(words[0])
    if not names:
        raise ValueError("there is no host in it")
    return tuple(names)


def look(names: Sequence[str]) -> tuple[Host, ...]:
    """Ask all hosts at once: this one by a shell of its own, others over ssh, which must not ask anything back."""
    with ThreadPoolExecutor(max_workers=min(_AT_ONCE, len(names))) as pool:
        return tuple(pool.map(_look_at, names))


def look_argv(name: str, here: Iterable[str]) -> list[str]:
    """The command that asks one host; `here` are the names that this one goes by."""
    program = _PROGRAM.replace("{python}", f"env PYTHONPATH={shlex.quote(str(_PACKAGE))} {shlex.quote(sys.executable)}")
    if name in here:
        return ["sh", "-c", program]
    path = "PATH=$PATH:/usr/local/bin:/usr/bin:/bin"  # sshd starts a session with little
    return ["ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", name, f"{path}; export PATH; {program}"]


def _look_at(name: str) -> Host:
    here = {"localhost", "127.0.0.1", "::1", socket.gethostname(), socket.getfqdn()}
    try:
        done = subprocess.run(
            look_argv(name, here),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_LOOK_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Host(name, trouble=f"no answer in {_LOOK_SECONDS} s")
    except FileNotFoundError as error:
        return Host(name, trouble=f"{error.filename} is not installed here")
    if "machine " not in done.stdout:
        return Host(name, trouble=(done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1])
    return read_host(name, done.stdout)


def read_host(name: str, said: str) -> Host:
    """What a host said, as a value."""
    facts: dict[str, list[str]] = {}
    for line in said.splitlines():
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


def faults(hosts: Sequence[Host]) -> list[str]:
    """What is wrong with the hosts, a line each with what to do; empty where a job can start."""
    silent = [host for host in hosts if host.trouble]
    if silent:
        return [
            f"{host.name}: {host.trouble}\n  next: make `ssh {host.name} true` work without a question: "
            f"ssh-copy-id {host.name}"
            for host in silent
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
    """Every host is measured by the first: ranks are laid out as if all were the same."""
    first, *others = hosts
    looked_at = {"processors": "machine", "cores": "cores", "GPUs": "gpus", "Open MPI": "mpirun"}
    return [
        f"{host.name}: {title} differ: {_told(getattr(host, field))}; {first.name} has {_told(getattr(first, field))}\n"
        "  next: use hosts of one kind, or --skipchecks with --accelerators"
        for host in others
        for title, field in looked_at.items()
        if getattr(host, field) != getattr(first, field)
    ]


def _told(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(f"{value.count(kind)} × {kind}" for kind in dict.fromkeys(value)) or "none"
    return str(value)
