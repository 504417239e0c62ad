"""What an image must be, and what was found: values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from toolkit.errors import Code, Problem, ToolkitError
from toolkit.plural import counted

Verdict = Literal["ok", "fail", "skipped"]


@dataclass(frozen=True)
class Expectation:
    """What a recipe promises of its image.

    `framework` is the Python module to import, empty for a tool image, which has none; `version` is a prefix of its
    version, empty for any; `python` likewise. `has_ops`: it contains ddl's native library. `architectures` are the GPUs
    that the CUDA code must support (`sm_60`), none for a CPU image. `library_path` overrides the library search path,
    for a stand-in for the driver if the framework links with it.
    """

    framework: str = ""
    version: str = ""
    python: str = ""
    has_ddl: bool = False
    has_mpi4py: bool = False
    has_ops: bool = False
    architectures: tuple[str, ...] = ()
    library_path: str = ""


TOOL_IMAGE = Expectation()
"""What a tool image, such as the one that mounts buckets, must be: free of what no image may contain."""


@dataclass(frozen=True)
class Finding:
    """The result of one check: its name, its verdict, and one or more lines of text.

    `skipped` means that the recipe does not need it; a check that could not be carried out has failed.
    """

    check: str
    verdict: Verdict
    said: str

    def __str__(self) -> str:
        return f"{self.check}: {self.said}"


@dataclass(frozen=True)
class Proof:
    """Every finding about one image, in the order in which they were made."""

    image: str
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing failed; without a finding nothing is proved."""
        return bool(self.findings) and not self.failed

    @property
    def failed(self) -> tuple[Finding, ...]:
        """The failed findings."""
        return tuple(finding for finding in self.findings if finding.verdict == "fail")

    def as_json(self) -> dict[str, Any]:
        """The same for machines."""
        return {"image": self.image, "ok": self.ok, "findings": [asdict(finding) for finding in self.findings]}


def refuse(proof: Proof) -> None:
    """Raise `ToolkitError` (S103) with every failed finding, unless validation succeeded."""
    if proof.ok:
        return
    raise ToolkitError(
        Code.IMAGE,
        f"{proof.image} failed validation: {counted(len(proof.failed), 'finding')}",
        tuple(Problem(str(finding)) for finding in proof.failed),
        hint="the image was not tagged; fix the recipe, its lock or its template, and build again",
    )
