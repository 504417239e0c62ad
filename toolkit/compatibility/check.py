"""Whether a combination can work, before anything is downloaded; if not, why, and the nearest that can."""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from toolkit.compatibility import gpus, rules
from toolkit.compatibility.bounds import asked_of, exact, parse, spelled
from toolkit.compatibility.model import CUDA, Combination, Conflict, Framework, Note, Table, version_of
from toolkit.compatibility.reader import FILE
from toolkit.compatibility.rules import Broken, Case
from toolkit.errors import Code, Problem, ToolkitError

NOTHING = "nothing in the table"


def check(combination: Combination, table: Table) -> tuple[Conflict, ...]:
    """Every reason why `combination` cannot work; empty if it can. Pure.

    A framework that is not in the table is not checked. A version that is missing from a known framework is refused:
    nobody has recorded what it needs.
    """
    requirements = parse(combination.requirements, combination.python)
    found = [
        Conflict(one.what, one.fact, one.source, " or ".join(one.hints))
        for one in rules.open_mpi(combination, table, requirements)
    ]
    framework = table.framework(combination.framework)
    if framework is None:
        return tuple(found)
    case = _case(combination, table, framework)
    if case is None:
        return (*found, _unknown(combination, table, framework))
    broken = rules.broken(case)
    others = _others(combination, table, framework, case.version) if any(one.releases for one in broken) else {}
    for one in broken:
        releases = _nearest_release(framework, case.version, others, one.rule) if one.releases else ""
        nearest = ", or ".join(filter(None, (*one.hints, releases))) or NOTHING
        found.append(Conflict(one.what, one.fact, one.source, nearest))
    return tuple(found)


def notes(combination: Combination, table: Table) -> tuple[Note, ...]:
    """What is worth knowing about `combination` but not a conflict: a site bundle that it needs, its Open MPI."""
    found: list[Note] = []
    framework = table.framework(combination.framework)
    case = _case(combination, table, framework) if framework else None
    if case and case.release.site_bundle and combination.flavour == CUDA:
        needed = f"CUDA {case.release.cuda} with cuDNN {spelled(SpecifierSet(case.release.cudnn))}"
        fact = f"{case.title} needs {needed}, which a site supplies as a bundle"
        found.append(Note(fact, case.release.source("site_bundle")))
    has = version_of(combination.open_mpi)
    for note in table.mpi_notes:
        if has and note.versions.contains(has):
            found.append(Note(f"Open MPI {has}: {note.fact}", note.source))
    return tuple(found)


def as_error(what: str, conflicts: tuple[Conflict, ...], code: Code) -> ToolkitError:
    """The error for `what`: `Code.MANIFEST` for a manifest's request, `Code.IMAGE` for a recipe's row."""
    return ToolkitError(
        code,
        f"{what} cannot work",
        tuple(
            Problem(f"{one.fact}\n    in: {one.what}\n    source: {one.source}\n    nearest: {one.nearest}")
            for one in conflicts
        ),
        hint=f"take the nearest, or fix images/{FILE} where it is wrong; nothing was downloaded",
    )


def gpu_architecture(kind: str, table: Table) -> str:
    """`sm_60` for `p100`; raises `ToolkitError` (C104) for a GPU that is not in the table."""
    known = {gpu.kind: gpu.architecture for gpu in table.gpus}
    found = known.get(kind.lower())
    if found is None:
        near = get_close_matches(kind.lower(), known, n=1)
        hint = f"did you mean `{near[0]}`? " if near else ""
        hint = f"{hint}images/{gpus.FILE} has: {', '.join(known)}"
        raise ToolkitError(Code.RESOURCES_ASKED, f"unknown GPU `{kind}`", hint=hint)
    return found


def _case(combination: Combination, table: Table, framework: Framework) -> Case | None:
    """The framework's version is that of a lock or a pin, else the requested one."""
    requirements = parse(combination.requirements, combination.python)
    known = [combination.locked(package) for package in framework.packages]
    known += [exact(asked_of(requirements, package)[0]) for package in framework.packages]
    version = next((version for version in known if version), version_of(combination.version))
    release = framework.release(version) if version else None
    if version is None or release is None:
        return None
    return Case(combination, table, framework, version, release, requirements)


def _unknown(combination: Combination, table: Table, framework: Framework) -> Conflict:
    asked = version_of(combination.version) or framework.releases[-1].last
    others = _others(combination, table, framework, asked)
    return Conflict(
        what=f"{framework.title} {combination.version}",
        fact=f"the table knows nothing of {framework.title} {combination.version}, so nothing of it can be checked",
        source=f"images/{FILE}",
        nearest=_nearest_release(framework, asked, others, "") or NOTHING,
    )


def _others(
    combination: Combination, table: Table, framework: Framework, asked: Version
) -> dict[int, tuple[Broken, ...]]:
    """What breaks with each other release, by its row: it has no lock, and the framework's own pin changes with it."""
    own = {canonicalize_name(package) for package in framework.packages}
    kept = parse(combination.requirements, combination.python)
    requirements = tuple(one for one in kept if canonicalize_name(one.name) not in own)
    here, found = _row(framework, asked), {}
    for index, release in enumerate(framework.releases):
        if asked not in release:
            version = _name(framework, index, older=index <= here)
            changed = replace(combination, version=version, packages=())
            found[index] = rules.broken(Case(changed, table, framework, Version(version), release, requirements))
    return found


def _nearest_release(framework: Framework, asked: Version, others: dict[int, tuple[Broken, ...]], rule: str) -> str:
    """The nearest releases with which everything works, or else with which `rule` holds; empty if there is none."""
    works = {index for index, broken in others.items() if not broken}
    works = works or {index for index, broken in others.items() if all(one.rule != rule for one in broken)}
    if not works:
        return ""
    here = _row(framework, asked)
    near = min(works, key=lambda index: (abs(index - here), -index))
    step = 1 if near > here else -1
    far = near
    while far + step in works:
        far += step
    return _named(framework, near, far, step)


def _row(framework: Framework, version: Version) -> int:
    """The row that contains `version` or precedes it; -1 before the first."""
    return sum(release.first <= version for release in framework.releases) - 1


def _named(framework: Framework, near: int, far: int, step: int) -> str:
    """`TensorFlow 2.20 or newer`, `TensorFlow 2.12 to 2.20`, `TensorFlow 2.14`: all rows from `near` to `far`."""
    rows, nearest = framework.releases, _name(framework, near, older=step < 0)
    if far == near:
        return f"{framework.title} {nearest}"
    if far == (len(rows) - 1 if step > 0 else 0):
        return f"{framework.title} {nearest} or {'newer' if step > 0 else 'older'}"
    low, high = sorted((near, far))
    return f"{framework.title} {_name(framework, low, older=False)} to {_name(framework, high, older=True)}"


def _name(framework: Framework, index: int, *, older: bool) -> str:
    """A version in that row: the last when moving to older ones, else the first."""
    row = framework.releases[index]
    return str(row.last if older and framework.release(row.last) is row else row.first)
