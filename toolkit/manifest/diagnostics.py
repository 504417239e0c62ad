"""What a dialect's reader reports besides the manifest: what it refuses, and what has another meaning here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from toolkit.yaml.source import Path_


@dataclass(frozen=True)
class Remark:
    """A message about the field at `path`; `here` is the canonical form of what was meant, as lines of YAML."""

    path: Path_
    what: str
    here: Sequence[str] = ()
    at_key: bool = False


@dataclass
class Diagnostics:
    """Remarks collected while a file is converted to a `Manifest`."""

    refusals: list[Remark] = field(default_factory=list)
    warnings: list[Remark] = field(default_factory=list)

    def refuse(self, path: Path_, what: str) -> None:
        """The file cannot be read as a manifest because of this."""
        self.refusals.append(Remark(path, what))

    def warn(self, path: Path_, what: str, *here: str, at_key: bool = False) -> None:
        """The file can be read, but this means something else here, or nothing."""
        self.warnings.append(Remark(path, what, here, at_key))
