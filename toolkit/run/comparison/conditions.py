"""What decides a run's result: manifest, ranks, code, image, data, hosts; and how two runs differ in it. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from toolkit.lock.packages import LockedPackage
from toolkit.run.comparison.data import data_differences
from toolkit.run.comparison.packages import package_differences
from toolkit.run.document.model import Data, HostFacts, Launched
from toolkit.run.records.record import Record

Part = Literal["manifest", "ranks", "device", "code", "package", "image", "data", "host"]
_NO_CONDITIONS = ("name", "author", "description")
"""Fields of a model's definition that change nothing of a run."""
_INPUTS = {
    "below": "its base, environment or native libraries",
    "lock": "the lock of its packages",
    "template": "its Dockerfile",
    "labels": "its title and facts",
    "additions": "the lock of the packages that the code or the manifest adds",
    "additions template": "the Dockerfile of added packages",
}
_LOCKS = ("lock", "additions")
"""Inputs that are not named if their packages are."""
_MOST_INPUTS, _MOST_PACKAGES = 20, 100


@dataclass(frozen=True)
class Difference:
    """One condition that is not the same: `name` is a field, a file, a variable; empty texts mean that it is absent."""

    part: Part
    name: str
    first: str
    second: str

    def __str__(self) -> str:
        return f"{self.part} {self.name}: {self.first or 'absent'} → {self.second or 'absent'}"


@dataclass(frozen=True)
class ImageFacts:
    """An image: name and version, ID (empty: not built here), SHA-256 of each of its inputs, packages (empty:
    unknown)."""

    reference: str
    image_id: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)
    packages: tuple[LockedPackage, ...] = ()


@dataclass(frozen=True)
class Conditions:
    """The conditions of a run; what is None is not known, and not compared.

    Attributes:
        manifest: the canonical form.
        on_cpu: whether its ranks run on CPUs.
        code: for each file, its SHA-256 and mode.
        hosts: facts of each host, learner 1's first; empty before hosts are allocated.
        host_count: how many there are, or will be.
        why_no_hosts: why there are none that fit.
    """

    manifest: Mapping[str, Any] | None
    ranks: int
    on_cpu: bool
    code: Mapping[str, str] | None
    image: ImageFacts
    data: Data | None
    hosts: tuple[HostFacts, ...] = ()
    host_count: int = 0
    why_no_hosts: str = ""


@dataclass(frozen=True)
class Compared:
    """One condition that is not the same in all of several runs: its text in each, in their order."""

    part: Part
    name: str
    texts: tuple[str, ...]


def conditions_of(document: Launched) -> Conditions:
    """Those of a recorded run."""
    image = document.image
    return Conditions(
        without_own_id(document.manifest, document.run.id),
        document.run.ranks,
        document.run.on_cpu,
        {one.path: code_entry(one.sha256, one.executable) for one in document.code.files},
        ImageFacts(image.reference, image.id, image.inputs, tuple(one.locked for one in image.packages)),
        document.data,
        tuple(host.facts for host in document.hosts),
        len(document.hosts),
    )


def conditions_in(record: Record) -> Conditions:
    """As far as a run's own record has them: of a run that did not start, or that an earlier version launched."""
    return Conditions(None, record.ranks, record.on_cpu, None, ImageFacts(record.image, record.image_id), None)


def without_own_id(manifest: Mapping[str, Any], run: str) -> Mapping[str, Any]:
    """The manifest with a placeholder for the run's own ID, which a variable of a run on a checkpoint has."""
    found: dict[str, Any] = json.loads(json.dumps(manifest).replace(run, "TRAINING_ID"))
    return found


def code_entry(sha256: str, executable: bool) -> str:
    """What is compared of a file of code."""
    return f"{sha256}{' executable' if executable else ''}"


def condition_differences(first: Conditions, second: Conditions) -> tuple[Difference, ...]:
    """Every difference, in the order in which it matters. A run has none from itself."""
    return tuple(_differences(first, second))


def compared_conditions(runs: Sequence[Conditions]) -> tuple[Compared, ...]:
    """What is not the same in all of the runs: each is compared with the first one."""
    first, found = runs[0], dict[tuple[Part, str], list[str]]()
    for place, other in enumerate(runs[1:], 1):
        for one in condition_differences(first, other):
            texts = found.setdefault((one.part, one.name), [one.first] * len(runs))
            texts[place] = one.second
    order = {part: place for place, part in enumerate(get_args(Part))}
    names = sorted(found, key=lambda key: order[key[0]])  # stable: within a part they stay in their order
    return tuple(Compared(part, name, tuple(found[part, name])) for part, name in names)


def _differences(first: Conditions, second: Conditions) -> Iterator[Difference]:
    if first.manifest is not None and second.manifest is not None:
        yield from manifest_differences(first.manifest, second.manifest)
    if first.ranks != second.ranks:
        yield Difference("ranks", "number of ranks", str(first.ranks), str(second.ranks))
    if first.on_cpu != second.on_cpu:
        yield Difference("device", "ranks run on", _device(first), _device(second))
    if first.code is not None and second.code is not None:
        yield from code_differences(first.code, second.code)
    yield from image_differences(first.image, second.image)
    if first.data is not None and second.data is not None:
        for name, one, other in data_differences(first.data, second.data):
            yield Difference("data", name, one, other)
    counts = tuple(one.why_no_hosts or str(one.host_count or "") for one in (first, second))
    if all(counts) and first.host_count != second.host_count:
        yield Difference("host", "number of hosts", *counts)
    elif first.hosts and second.hosts:
        yield from _host_differences(first.hosts, second.hosts)


def manifest_differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> Iterator[Difference]:
    """Fields that differ, by their path below `model_definition`. Names, authors and the places of data and results
    are no conditions: the data itself is compared."""
    ours, theirs = _fields(first), _fields(second)
    for path in sorted(ours.keys() | theirs.keys()):
        if ours.get(path) != theirs.get(path):
            yield Difference("manifest", path, _shown(ours.get(path)), _shown(theirs.get(path)))


def code_differences(first: Mapping[str, str], second: Mapping[str, str]) -> Iterator[Difference]:
    """Files of the code that were changed, removed or added."""
    for path in sorted(first.keys() | second.keys()):
        if first.get(path) != second.get(path):
            yield Difference("code", path, *_entries(first.get(path, ""), second.get(path, "")))


def image_differences(first: ImageFacts, second: ImageFacts) -> Iterator[Difference]:
    """Packages and other inputs that differ; if none does, or they are unknown, the name, or else the ID of an image
    that is built."""
    names = first.reference.partition(":")[0], second.reference.partition(":")[0]
    if names[0] != names[1]:
        yield Difference("image", "name", *names)
    elif first.inputs and second.inputs and first.inputs != second.inputs:
        packages = list(_package_differences(first, second))
        yield from packages
        every = first.inputs.keys() | second.inputs.keys()
        other = sorted(name for name in every if first.inputs.get(name) != second.inputs.get(name))
        other = [name for name in other if not (packages and name in _LOCKS)]
        for name in other[:_MOST_INPUTS]:
            one, two = first.inputs.get(name, ""), second.inputs.get(name, "")
            yield Difference("image", _INPUTS.get(name, name), *_entries(one, two))
        if more := other[_MOST_INPUTS:]:
            yield Difference("image", f"{len(more)} more inputs", first.reference, second.reference)
    elif first.reference != second.reference:
        yield Difference("image", "name and version", first.reference, second.reference)
    elif first.image_id and second.image_id and first.image_id != second.image_id:
        yield Difference("image", "image ID, of the same inputs", first.image_id, second.image_id)


def _package_differences(first: ImageFacts, second: ImageFacts) -> Iterator[Difference]:
    if first.packages and second.packages:
        found = list(package_differences(first.packages, second.packages))
        for one in found[:_MOST_PACKAGES]:
            yield Difference("package", *one)
        if more := found[_MOST_PACKAGES:]:
            yield Difference("package", f"{len(more)} more packages", first.reference, second.reference)


def _host_differences(first: tuple[HostFacts, ...], second: tuple[HostFacts, ...]) -> Iterator[Difference]:
    for number, (one, other) in enumerate(zip(first, second, strict=True), 1):
        for name in ("cpus", "gpus", "driver"):
            ours, theirs = getattr(one, name), getattr(other, name)
            if ours and theirs and ours != theirs:
                yield Difference("host", f"{number}, {name}", _shown(ours), _shown(theirs))


def _fields(manifest: Mapping[str, Any]) -> dict[str, Any]:
    definition = manifest.get("model_definition")
    if not isinstance(definition, Mapping):
        return {}
    kept = {name: value for name, value in definition.items() if name not in _NO_CONDITIONS}
    return dict(_leaves(kept, ""))


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Each value that has no parts, with its path; lists count from 1, as people do."""
    if isinstance(value, Mapping):
        parts = [(str(name), part) for name, part in value.items()]
    elif isinstance(value, list | tuple):
        parts = [(str(number), part) for number, part in enumerate(value, 1)]
    else:
        yield path, value
        return
    for name, part in parts:
        yield from _leaves(part, f"{path}.{name}" if path else name)


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def _entries(first: str, second: str) -> tuple[str, str]:
    """Two digests as short as they can be, which differ."""
    short = tuple(f"sha256 {one[:12]}{one[64:]}" if one else "" for one in (first, second))
    return (short[0], short[1]) if short[0] != short[1] else (f"sha256 {first}", f"sha256 {second}")


def _device(conditions: Conditions) -> str:
    return "CPUs" if conditions.on_cpu else "GPUs"
