"""What an image is expected to be, and what was found: values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from toolkit.errors import Code, Problem, ToolkitError

Verdict = Literal["ok", "fail", "skipped"]


@dataclass(frozen=True)
class Expectation:
    """What a recipe promises of its image.

    `framework` is the Python module to import, empty for an image of the tool's own, which has none; `version` is
    how its version begins, empty for any; `python` likewise. `has_ops`: it carries ddl's native library.
    `architectures` are the GPUs that the CUDA code must serve (`sm_60`), none for a CPU image. `library_path` is where
    libraries are looked for instead of the image's own choice: with a stand-in for the driver, where the framework
    links with it.
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
"""What is expected of an image of the tool's own, such as the one that mounts buckets: only that it holds nothing
that it must not hold."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: which check, its verdict, and what there is to say, in one or more lines.

    `skipped` is only what the recipe has no use for; a check that could not be carried out has failed.
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
        """Whether nothing failed; a proof without a finding proves nothing."""
        return bool(self.findings) and not self.failed

    @property
    def failed(self) -> tuple[Finding, ...]:
        """What is not as it must be."""
        return tuple(finding for finding in self.findings if finding.verdict == "fail")

    def as_json(self) -> dict[str, Any]:
        """The same for machines."""
        findings = [{"check": f.check, "verdict": f.verdict, "said": f.said} for f in self.findings]
        return {"image": self.image, "ok": self.ok, "findings": findings}


def refuse(proof: Proof) -> None:
    """Raise `ToolkitError` (S103) with every failed finding, unless the proof holds."""
    if proof.ok:
        return
    count = len(proof.failed)
    raise ToolkitError(
        Code.IMAGE,
        f"{proof.image} failed validation: {count} finding{'' if count == 1 else 's'}",
        tuple(Problem(str(finding)) for finding in proof.failed),
        hint="the image was not tagged; fix the recipe, its lock or its template, and build again",
    )
