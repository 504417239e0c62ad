"""Where each rank runs, and the mpirun command that starts it there. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ddl.launcher.hosts import Host
from ddl.launcher.options import Options, UsageError
from ddl.mode import Mode

_ALWAYS_EXPORTED = ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH")  # sshd starts its sessions without them
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RANK_LINE = re.compile(r"(?m)^\s*rank\s+\d+\s*=\s*(\S+)")


@dataclass(frozen=True)
class Plan:
    """One job.

    Attributes:
        ranks: number of ranks.
        options: the value of DDL_OPTIONS; None leaves it unset.
        rank_file: the text of the rank file; None if the user has one.
        environment: additions to mpirun's own environment; it exports by name only, as values are visible in `ps`.
        exported: names that every rank gets.
    """

    ranks: int
    options: str | None
    rank_file: str | None
    environment: Mapping[str, str]
    exported: tuple[str, ...]


def make_plan(options: Options, hosts: Sequence[Host], rank_file: str | None, environ: Mapping[str, str]) -> Plan:
    """Decide where ranks run.

    Args:
        hosts: as probed; with `skip_checks`, only their names.
        rank_file: the text of the user's own; then `hosts` is empty.
        environ: the environment of `ddlrun` itself.
    Raises:
        UsageError: inconsistent numbers, or an invalid name of an environment variable.
    """
    environment, exported = _exports(options, environ)
    if rank_file is not None:
        return _plan_of_rank_file(options, rank_file, environment, exported)
    accelerators = _accelerators(options, hosts)
    text = None if options.no_ddl_options else _ddl_options(options, accelerators, len(hosts))
    if text is not None:
        environment, exported = {**environment, "DDL_OPTIONS": text}, (*exported, "DDL_OPTIONS")
    lines = [
        f"rank {number * accelerators + local}={host.name} slot={_cores(host.cores, local, accelerators)}"
        for number, host in enumerate(hosts)
        for local in range(accelerators)
    ]
    return Plan(len(lines), text, "\n".join(lines) + "\n", environment, exported)


def _plan_of_rank_file(options: Options, text: str, environment: Mapping[str, str], exported: tuple[str, ...]) -> Plan:
    hosts = _RANK_LINE.findall(text)
    if not hosts:
        raise UsageError(f"{options.rank_file}: it contains no line like `rank 0=HOST slot=0-3`")
    ranks, accelerators = len(hosts), options.accelerators or len(hosts) // len(set(hosts))
    if options.no_ddl_options:
        return Plan(ranks, None, None, environment, exported)
    if ranks % accelerators:
        raise UsageError(f"{options.rank_file}: {ranks} ranks are not a multiple of {accelerators} on each host")
    mode = _ddl_options(options, accelerators, ranks // accelerators)
    return Plan(ranks, mode, None, {**environment, "DDL_OPTIONS": mode}, (*exported, "DDL_OPTIONS"))


def _accelerators(options: Options, hosts: Sequence[Host]) -> int:
    gpus = len(hosts[0].gpus)
    if options.accelerators is None:
        if options.skip_checks:
            raise UsageError("--skipchecks needs --accelerators: the hosts' GPUs are not counted")
        return max(1, gpus)
    if 0 < gpus < options.accelerators:
        raise UsageError(f"--accelerators {options.accelerators}: {hosts[0].name} has {gpus}")
    return options.accelerators


def _ddl_options(options: Options, accelerators: int, hosts: int) -> str:
    """``-mode c:accelerators×hosts[×racks[×aisles]]``, hosts in each rack; overridden by the user's own -mode."""
    if "-mode" in options.ddl_arguments:
        return " ".join(options.ddl_arguments)
    places = options.racks * options.aisles
    nodes = options.nodes or hosts // places or 1
    if nodes * places != hosts:
        raise UsageError(
            f"{nodes} nodes × {options.racks} racks × {options.aisles} aisles are {nodes * places} hosts, "
            f"but there {'is 1' if hosts == 1 else f'are {hosts}'}"
        )
    dims = [accelerators, nodes, options.racks, options.aisles]
    while len(dims) > 2 and dims[-1] == 1:
        dims.pop()
    return " ".join([str(Mode(options.mode, tuple(dims))), *options.ddl_arguments])


def _cores(cores: int, local: int, accelerators: int) -> str:
    """A rank's share of its host's cores, such as `0-3`; all of them if there are fewer cores than ranks."""
    if cores == 0:
        return "0:*"  # not counted: the whole first socket
    share = cores // accelerators
    first, last = (local * share, (local + 1) * share - 1) if share else (0, cores - 1)
    return str(first) if first == last else f"{first}-{last}"


def _exports(options: Options, environ: Mapping[str, str]) -> tuple[Mapping[str, str], tuple[str, ...]]:
    environment: dict[str, str] = {}
    names = [name for name in _ALWAYS_EXPORTED if name in environ]
    for word in options.exported:
        name, equals, value = word.partition("=")
        if not _NAME.fullmatch(name):
            raise UsageError(f"-x {word}: {name!r} is not a name of an environment variable")
        if equals:
            environment[name] = value
        elif name not in environ:
            raise UsageError(f"-x {name}: it is not set here; set it, or write -x {name}=VALUE")
        names.append(name)
    return environment, tuple(dict.fromkeys(names))


def mpirun_argv(options: Options, plan: Plan, rank_file: str, open_mpi: str) -> list[str]:
    """The mpirun command.

    Args:
        rank_file: the file's path.
        open_mpi: the first line of `mpirun --version`; Open MPI 5 has other placement options than 4.
    """
    fifth = (re.search(r"\d+", open_mpi) or [""])[0] not in ("", "1", "2", "3", "4")
    placed = ["--map-by", f"rankfile:file={rank_file}"] if fifth else ["--rankfile", rank_file]
    shared_memory = "sm" if fifth else "vader"
    return [
        "mpirun",
        *("--np", str(plan.ranks)),
        *placed,
        *(word for name in plan.exported for word in ("-x", name)),
        *(("--mca", "pml", "ob1", "--mca", "btl", f"tcp,self,{shared_memory}") if options.tcp else ()),
        *options.mpi_arguments,
        *options.command,
    ]
