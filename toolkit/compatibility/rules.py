"""The rules: each checks one fact of the table, and returns what violates it and what would fix that. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from toolkit.compatibility.bounds import as_requirement, asked_of, exact, newest_admitted, spelled
from toolkit.compatibility.model import CUDA, Combination, Framework, Line, Release, Table, runs_on, version_of

if TYPE_CHECKING:
    from packaging.requirements import Requirement

_OTHER_MAJORS = ("11", "12", "13")
_FIRST_WITH_WHEELS = 11


@dataclass(frozen=True)
class Case:
    """A combination with what the table knows about it; `version` is the framework's, as precisely as it is known."""

    combination: Combination
    table: Table
    framework: Framework
    version: Version
    release: Release
    requirements: tuple[Requirement, ...]

    @property
    def title(self) -> str:
        """`TensorFlow 2.19`."""
        return f"{self.framework.title} {self.version}"

    def lines(self, library: str, package: str = "") -> list[Line]:
        """The library's lines, oldest first."""
        found = [line for line in self.table.lines if line.library == library and line.package == package]
        return sorted(found, key=lambda line: line.first)

    def runs(self, line: Line) -> bool:
        """Whether the line has code for all requested GPUs."""
        return all(runs_on(line.architectures, architecture) for architecture in self.combination.architectures)

    def gpu(self, architecture: str) -> str:
        """The common names of the GPUs of that architecture; the architecture if the table has none."""
        kinds = [gpu.kind.upper() for gpu in self.table.gpus if gpu.architecture == architecture]
        return "/".join(kinds) or architecture


@dataclass(frozen=True)
class Broken:
    """A broken rule; `hints` are what would fix it in place, `releases` whether another release may do so too."""

    rule: str
    what: str
    fact: str
    source: str
    hints: tuple[str, ...] = ()
    releases: bool = False


def python(case: Case) -> Iterator[Broken]:
    """The framework has wheels for some Python versions only. `3` asks for any Python 3."""
    asked, known = version_of(case.combination.python), case.release.python
    if asked is None or not known:
        return
    parts = asked.release[:2]
    if any(Version(one).release[: len(parts)] == parts for one in known):
        return
    nearest = min(known, key=lambda one: abs(_rank(Version(one)) - _rank(asked)))
    yield Broken(
        "python",
        f"Python {case.combination.python} with {case.title}",
        f"{case.title} has wheels for Python {_listed(known)}",
        case.release.source("python"),
        (f"Python {nearest}",),
        releases=True,
    )


def glibc(case: Case) -> Iterator[Broken]:
    """A manylinux tag names the oldest glibc on which the wheel runs."""
    has, needs = version_of(case.combination.glibc), version_of(case.release.glibc)
    if has is None or needs is None or has >= needs:
        return
    yield Broken(
        "glibc",
        f"{case.combination.suite or 'the suite'} (glibc {has}) with {case.title}",
        f"{case.title} needs glibc ≥ {needs}",
        case.release.source("glibc"),
        (f"a suite with glibc {needs} or newer",),
        releases=True,
    )


def numpy(case: Case) -> Iterator[Broken]:
    """The framework limits numpy's version."""
    if case.release.numpy:
        yield from _within(case, "numpy", "numpy", "numpy", SpecifierSet(case.release.numpy))


def code(case: Case) -> Iterator[Broken]:
    """The framework's own wheel has code for each GPU."""
    has = case.release.architectures
    for architecture in case.combination.architectures if has else ():
        if not runs_on(has, architecture):
            yield Broken(
                f"code {architecture}",
                f"{case.title} on {case.gpu(architecture)}",
                f"{case.title} has code for {', '.join(has)}, and none of it runs on {architecture}",
                case.release.source("architectures"),
                releases=True,
            )


def cuda(case: Case) -> Iterator[Broken]:
    """CUDA's own libraries have code for each GPU."""
    version = version_of(case.release.cuda)
    if version:
        what = f"{case.title} with its CUDA {version}"
        yield from _covered(case, case.lines("cuda"), version, what, (), releases=True)


def driver(case: Case) -> Iterator[Broken]:
    """Not older than CUDA requires, nor newer than the last branch that supports the GPU."""
    has, needed = version_of(case.combination.driver), version_of(case.release.cuda)
    if has is None:
        return
    minimum = next((row for row in case.table.drivers if needed and row.cuda.contains(needed)), None)
    asked = set(case.combination.architectures)
    ends = [row for row in case.table.generations if row.last_driver and asked & set(row.architectures)]
    last = min(ends, key=lambda row: row.last_driver, default=None)
    possible = not minimum or not last or minimum.at_least.major <= last.last_driver
    oldest = str(minimum.at_least) if minimum else ""
    if minimum and has < minimum.at_least:
        hint = f"driver {oldest} or newer" + (f", up to branch {last.last_driver}" if last else "")
        yield Broken(
            "oldest driver",
            f"driver {case.combination.driver} with {case.title}",
            f"CUDA {needed} needs a driver ≥ {oldest}",
            minimum.source,
            (hint,) if possible else (),
            releases=not possible,
        )
    if last and has.major > last.last_driver:
        gpu = case.gpu(min(asked & set(last.architectures)))
        yield Broken(
            "last driver",
            f"driver {case.combination.driver} on {gpu}",
            f"{gpu} needs a driver ≤ {last.last_driver}: {last.last_driver} is the last branch with {last.title}",
            last.source,
            (f"driver branch {last.last_driver}" + (f", from {oldest}" if oldest else ""),) if possible else (),
            releases=not possible,
        )


def cudnn(case: Case) -> Iterator[Broken]:
    """Within the framework's bounds, for its CUDA, and with code for each GPU."""
    yield from _library(case, "cudnn", "cuDNN", case.release.cudnn)


def nccl(case: Case) -> Iterator[Broken]:
    """Like cuDNN."""
    yield from _library(case, "nccl", "NCCL", case.release.nccl)


def open_mpi(combination: Combination, table: Table, requirements: tuple[Requirement, ...]) -> Iterator[Broken]:
    """A wheel that is linked with Open MPI finds the version it was linked with."""
    has = version_of(combination.open_mpi)
    for wheel in table.mpi_wheels if has else ():
        version = combination.locked(wheel.package) or exact(asked_of(requirements, wheel.package)[0])
        if has and version and wheel.versions.contains(version) and not wheel.needs.contains(has):
            yield Broken(
                f"open_mpi {wheel.package}",
                f"Open MPI {has} with {wheel.package} {version}",
                f"{wheel.package} {version} needs Open MPI {spelled(wheel.needs)}",
                wheel.source,
                (f"Open MPI {spelled(wheel.needs)}",),
            )


RULES: tuple[Callable[[Case], Iterator[Broken]], ...] = (python, glibc, numpy)
CUDA_RULES: tuple[Callable[[Case], Iterator[Broken]], ...] = (code, cuda, cudnn, nccl, driver)


def broken(case: Case) -> tuple[Broken, ...]:
    """Every rule of the framework that the case violates."""
    rules = (*RULES, *CUDA_RULES) if case.combination.flavour == CUDA else RULES
    return tuple(found for rule in rules for found in rule(case))


def _library(case: Case, library: str, title: str, bound: str) -> Iterator[Broken]:
    major = case.release.cuda_major
    if not bound or not major or int(major) < _FIRST_WITH_WHEELS:
        return
    package = f"nvidia-{library}-cu{major}"
    hints = _hints(case, library, package, SpecifierSet(bound))
    for other in _OTHER_MAJORS:
        wrong = f"nvidia-{library}-cu{other}"
        named = any(canonicalize_name(requirement.name) == wrong for requirement in case.requirements)
        if other != major and (case.combination.locked(wrong) or named):
            yield Broken(
                f"{library} package",
                f"{wrong} with {case.title}",
                f"{case.title} is built with CUDA {case.release.cuda}, and {wrong} overwrites {package}",
                case.release.source("cuda"),
                hints,
                releases=not hints,
            )
    yield from _within(case, library, title, package, SpecifierSet(bound))


def _within(case: Case, library: str, title: str, package: str, bound: SpecifierSet) -> Iterator[Broken]:
    """`package` within `bound`, and with code for each GPU; without a lock, this applies to the newest allowed."""
    lines = case.lines(library, package)
    locked = case.combination.locked(package)
    asked, by_url = asked_of(case.requirements, package)
    hints = _hints(case, library, package, bound)
    if locked is None and (case.combination.packages or by_url):
        return
    landmarks = [version for line in lines for version in (line.first, line.last) if version]
    version = locked or newest_admitted(bound & asked, landmarks)
    if version is None or not bound.contains(version, prereleases=True):
        yield Broken(
            f"{library} bounds",
            f"{package}{f' {locked}' if locked else as_requirement(asked)} with {case.title}",
            f"{case.title} needs {title} {spelled(bound)}",
            case.release.source(library),
            hints,
            releases=not hints,
        )
    else:
        pin = locked or exact(bound & asked)
        what = f"{package} {pin}" if pin else f"the newest of {package}{as_requirement(bound & asked)}"
        yield from _covered(case, lines, version, what, hints, releases=not hints)


def _covered(
    case: Case, lines: list[Line], version: Version, what: str, hints: tuple[str, ...], *, releases: bool
) -> Iterator[Broken]:
    """The line that contains `version` has code for each GPU; if no line is known, nothing is refused."""
    line = next((line for line in lines if version in line), None)
    for architecture in case.combination.architectures if line else ():
        if line and not runs_on(line.architectures, architecture):
            gpu = case.gpu(architecture)
            fact = _what_it_needs(gpu, architecture, line, lines)
            yield Broken(f"{line.library} {architecture}", f"{what} on {gpu}", fact, line.source, hints, releases)


def _what_it_needs(gpu: str, architecture: str, line: Line, lines: list[Line]) -> str:
    """For example: `P100 needs cuDNN ≤ 9.10.2: 9.11 dropped sm_60`."""
    good = [other for other in lines if runs_on(other.architectures, architecture)]
    if older := [other for other in good if other.first < line.first and other.last]:
        after = next(other for other in lines if other.first > older[-1].first)
        last = ".".join(str(older[-1].last).split(".")[:3])
        return f"{gpu} needs {line.title} ≤ {last}: {after.first} dropped {architecture}"
    if newer := [other for other in good if other.first > line.first]:
        return f"{gpu} needs {line.title} ≥ {newer[0].first}: an older one has no code for {architecture}"
    return f"no {line.package or line.title} has code for {gpu} ({architecture})"


def _hints(case: Case, library: str, package: str, bound: SpecifierSet) -> tuple[str, ...]:
    """The newest of `package` that the framework allows and every GPU can run, as a requirement."""
    lines = case.lines(library, package)
    pin = exact(bound)
    if pin:
        line = next((line for line in lines if pin in line), None)
        return (f"{package}=={pin}",) if line is None or case.runs(line) else ()
    newest = newest_admitted(bound, [version for line in lines for version in (line.first, line.last) if version])
    line = next((line for line in lines if newest and newest in line), None)
    if line is None or case.runs(line):
        return (f"{package}{as_requirement(bound)}",)
    for other in reversed(lines):
        if case.runs(other) and other.last and bound.contains(other.last):
            return (f"{package}<={other.last}",)
    return ()


def _rank(version: Version) -> int:
    """A number by which Python versions are ordered: minors count, a major counts more than any minor."""
    return version.major * 100 + version.minor


def _listed(pythons: tuple[str, ...]) -> str:
    ranks = [_rank(Version(one)) for one in pythons]
    if len(ranks) > 1 and ranks == list(range(ranks[0], ranks[0] + len(ranks))):
        return f"{pythons[0]} to {pythons[-1]}"
    return ", ".join(pythons)
