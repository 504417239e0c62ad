"""Read `images/suites.yml`: strict, like a manifest."""

from __future__ import annotations

from pathlib import Path

from toolkit.catalogue.model import Archive, Keyring, Suite
from toolkit.errors import Code
from toolkit.yaml.source import read_source
from toolkit.yaml.validate import Section, validate

SUITES = "suites.yml"


class ArchiveSection(Section):
    name: str
    url: str
    suites: list[str]
    components: list[str]


class KeyringSection(Section):
    url: str
    sha256: str


class SuiteSection(Section):
    name: str
    title: str
    python: str
    glibc: str
    open_mpi: str
    packages: list[str]
    variant: str = "apt"
    archives: list[ArchiveSection]
    keyring: KeyringSection | None = None

    def to_suite(self) -> Suite:
        return Suite(
            **self.model_dump(exclude={"archives", "keyring", "packages"}),
            archives=tuple(Archive(a.name, a.url, tuple(a.suites), tuple(a.components)) for a in self.archives),
            keyring=Keyring(self.keyring.url, self.keyring.sha256) if self.keyring else None,
            packages=tuple(self.packages),
        )


class SuitesFile(Section):
    suites: list[SuiteSection]


def read_suites(images: Path) -> dict[str, Suite]:
    """The distributions by name; raises `ToolkitError` (S103) if the file is invalid."""
    source = read_source(images / SUITES, Code.IMAGE, ours=True)
    return {section.name: section.to_suite() for section in validate(source, SuitesFile, Code.IMAGE).suites}
