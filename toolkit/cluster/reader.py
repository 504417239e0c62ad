"""Read `clusters/*.yml`: strict, like a manifest. `clusters/lab-p100.yml` documents every field by example."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import yaml

from toolkit.cluster import sections
from toolkit.cluster.kinds import KINDS, loaded
from toolkit.cluster.model import NO_GPU, Access, Cluster, Deadlines, Gpu, Host
from toolkit.cluster.ranges import MOST, expand
from toolkit.errors import Code, Problem, ToolkitError
from toolkit.yaml.source import Source, raise_if_any, read_source
from toolkit.yaml.validate import validate

_CODE = Code.RESOURCES_ASKED
_BRACKET = re.compile(r"got '[\[{]'")
"""PyYAML's message for a bracket in an unquoted text between braces, where it begins a list."""


def read_cluster(file: Path) -> Cluster:
    """Read `file`; raises `ToolkitError` (C104) that lists every problem with its line, column and path."""
    try:
        source = read_source(file, _CODE)
    except ToolkitError as error:
        if any(_BRACKET.search(problem.what) for problem in error.problems):
            raise replace(error, hint='inside { }, quote a name with a range: {name: "node[1-8]"}') from None
        raise
    node = source.find(("engine",))
    engine = node.value if isinstance(node, yaml.ScalarNode) else ""  # any other error in it is found later
    kind = KINDS.get(engine, KINDS["local"])  # a file of an unknown kind is refused there
    cluster: Cluster = loaded(kind.read)(source)
    return cluster


def read_local(source: Source) -> Cluster:
    """A file with `engine: local`; raises as `read_cluster` does."""
    read = validate(source, sections.LocalFile, _CODE)
    deadlines, limit = Deadlines(**read.deadlines.model_dump()), read.limits.processes
    return Cluster(read.name, read.engine, read.gpu, deadlines, binding=read.binding, processes=limit)


def read_ssh(source: Source) -> Cluster:
    """A file with `engine: ssh`; raises as `read_cluster` does."""
    read = validate(source, sections.SshFile, _CODE)
    hosts = _hosts(source, read)
    kinds = dict.fromkeys(host.gpu.kind for host in hosts if host.gpu)
    return Cluster(
        name=read.name,
        engine=read.engine,
        gpu=", ".join(kinds) or NO_GPU,
        deadlines=Deadlines(**read.deadlines.model_dump()),
        hosts=hosts,
        access=Access(
            user=read.user,
            port=read.port,
            identity=_beside(source, read.identity),
            known_hosts=_beside(source, read.known_hosts),
            jump=read.jump,
            connections=read.limits.connections,
            ssh=read.ssh,
        ),
        network=read.network,
        operator=read.operator,
        container_engine=read.container_engine,
        scratch=read.scratch,
        registry=read.registry,
        binding=read.binding,
        processes=read.limits.processes,
    )


def _beside(source: Source, name: str) -> Path | None:
    """A path in the file: `~` is the user's home, and a relative path starts at the file's folder."""
    return (Path(source.file).parent / Path(name).expanduser()).absolute() if name else None


def _hosts(source: Source, read: sections.SshFile) -> tuple[Host, ...]:
    """Every host of every line; raises `ToolkitError` for duplicate names and for addresses that do not pair up."""
    hosts: list[Host] = []
    problems: list[Problem] = []
    first: dict[str, int] = {}
    for index, line in enumerate(read.hosts):
        names = expand(line.name)
        addresses = expand(line.address) if line.address else ("",) * len(names)
        if len(addresses) != len(names):
            what = f"addresses: {len(addresses)}, names: {len(names)}; each name needs one"
            problems.append(source.problem(what, ("hosts", index, "address")))
            continue
        problems += _twice(source, index, names, first)
        section = line.gpu if "gpu" in line.model_fields_set else read.gpu
        gpu = Gpu(section.kind, section.count) if section else None
        hosts += [
            Host(name, address, line.user, line.port, gpu) for name, address in zip(names, addresses, strict=True)
        ]
    if len(hosts) > MOST:
        problems.append(source.problem(f"{len(hosts)} hosts; at most {MOST} are read", ("hosts",), at_key=True))
    raise_if_any(source, problems, _CODE)
    return tuple(hosts)


def _twice(source: Source, index: int, names: Sequence[str], first: dict[str, int]) -> list[Problem]:
    """A problem for each name of entry `index` that occurred before; `first` records where each was first."""
    path = ("hosts", index, "name")
    again = [name for name in names if first.setdefault(name, index) != index or names.count(name) > 1]
    if not again:
        return []
    earlier = source.problem("", ("hosts", first[again[0]], "name")).place
    where = "twice in this entry" if first[again[0]] == index else f"also on line {earlier.line if earlier else 0}"
    more = f" and {len(set(again)) - 1} more" if len(set(again)) > 1 else ""
    return [source.problem(f"{again[0]}{more}: {where}; a host is listed once", path)]
