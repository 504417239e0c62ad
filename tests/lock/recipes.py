"""A catalogue of the tests' own: small, and nothing of it exists anywhere."""

from __future__ import annotations

from pathlib import Path

from toolkit.catalogue.model import Archive, DistributionBase, FrameworkRow, Keyring, Recipe, Suite
from toolkit.lock.model import DebPin, WheelPin

DEBIAN = Archive("debian", "http://deb.example/debian", ("twelve", "twelve-updates"), ("main",))
SECURITY = Archive("debian-security", "http://sec.example/debian-security/", ("twelve-security",), ("main", "extra"))
SUITE = Suite(
    name="twelve",
    title="Twelve",
    archives=(DEBIAN, SECURITY),
    keyring=None,
    python="3.11",
    glibc="2.36",
    open_mpi="4.1.4",
    packages=("python3", "openmpi-bin"),
    variant="apt",
)
KEYRING = Keyring("http://deb.example/debian/pool/k/keys_1_all.deb", "0" * 64)
BASE = DistributionBase(SUITE, SUITE.packages, SUITE.variant)


def deb(name: str, version: str = "1.0", sha256: str = "a" * 64) -> DebPin:
    """A package of `debian`."""
    return DebPin(name, version, "amd64", "debian", f"pool/main/{name}_{version}_amd64.deb", sha256, 10)


def wheel(name: str, version: str = "1.0", sha256: str = "b" * 64) -> WheelPin:
    """A wheel for every Python."""
    return WheelPin(name, version, f"{name}-{version}-py3-none-any.whl", sha256, 20)


def row(folder: Path, flavour: str = "cpu", framework: str = "flow", **changes: object) -> FrameworkRow:
    """A row whose lock lies in `folder`/flow/locks; its template exists."""
    template = folder / "learner.j2"
    template.write_text("FROM {{ parent }}\n")
    values: dict[str, object] = {
        "name": f"{framework}-1.0-py3.11-{flavour}",
        "title": "Flow",
        "base": BASE,
        "template": template,
        "lock": folder / "flow" / "locks" / f"1.0-py3.11-{flavour}.lock",
        "trees": (),
        "facts": "none",
        "python": "3.11",
        "requirements": (f"flow-{flavour}==1.0",),
    }
    return FrameworkRow(framework, "1.0", "3.11", flavour, Recipe(**(values | changes)))  # type: ignore[arg-type]
