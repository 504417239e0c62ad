"""The files that the tool is installed from: every package pinned, every wheel by its SHA-256."""

from __future__ import annotations

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from toolkit.paths import assets

FILES = ("tool", "examples", "test", "bench", "ddl", "report", "record")
_HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def packages_of(name: str) -> dict[str, tuple[Requirement, int]]:
    """Each package of `requirements/<name>.txt`, with how many hashes it has; lines that go on are joined."""
    text = (assets() / "requirements" / f"{name}.txt").read_text().replace("\\\n", " ")
    found = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            words = line.partition("--hash")[0].strip()
            requirement = Requirement(words)
            found[words] = (requirement, len(_HASH.findall(line)))
            assert len(line.split("--hash")) - 1 == found[words][1], line
    return found


def names_of(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(line).name) for line in requirements}


@pytest.mark.parametrize("name", [*FILES, "peers"])
def test_every_package_has_one_version_and_its_hashes(name: str) -> None:
    packages = packages_of(name)
    assert packages
    for requirement, hashes in packages.values():
        assert [one.operator for one in requirement.specifier] == ["=="], requirement
        assert hashes, requirement


@pytest.mark.parametrize("name", FILES)
def test_what_the_tool_asks_for_is_in_each_file(name: str) -> None:
    project = tomllib.loads((assets() / "pyproject.toml").read_text())
    asked = names_of(project["project"]["dependencies"])
    if name != "tool":
        asked |= names_of(project["dependency-groups"]["build"])
        asked |= names_of(project["project"]["optional-dependencies"]["examples" if name == "examples" else "test"])
    assert asked <= {canonicalize_name(one.name) for one, _ in packages_of(name).values()}


@pytest.mark.parametrize("name", ["tool", "examples", "test"])
def test_the_versions_are_those_of_the_constraints(name: str) -> None:
    lines = (assets() / "constraints.txt").read_text().splitlines()
    assert packages_of(name).keys() <= {line for line in lines if not line.startswith("#")}


def test_nothing_is_installed_without_a_hash() -> None:
    machine = (assets() / "setup" / "machine.sh").read_text()
    tox = (assets() / "tox.ini").read_text()
    for text in (machine, tox):
        installs = [line for line in text.replace("\\\n", " ").splitlines() if "pip install" in line]
        assert installs
        for line in installs:
            safe = "--require-hashes" in line or "--no-index --no-deps --no-build-isolation" in " ".join(line.split())
            assert safe or "torch==" in line, line
