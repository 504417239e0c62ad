"""Loads a bundle at its destination: everything is checked, then the pool is filled and images are loaded."""

from __future__ import annotations

import re
from dataclasses import dataclass

from toolkit.lock.model import DebPin, WheelPin
from toolkit.lock.pool import Pin, Pool
from toolkit.progress import Progress, Report
from toolkit.shipping.archive import Archive, damaged
from toolkit.shipping.bundle import POOL, SUMS
from toolkit.shipping.load import ShippedImage, check_digests, read_layout
from toolkit.shipping.output_file import full_disk_translated

_SUM = re.compile(r"([0-9a-f]{64})  (\S.*)")
_POOL_FILE = re.compile(r"pool/([0-9a-f]{64})/([A-Za-z0-9][A-Za-z0-9._+~!%-]{0,250}\.(?:deb|whl))")


@dataclass(frozen=True)
class CheckedBundle:
    """A verified bundle: the file, its images, the files for the pool."""

    archive: Archive
    images: tuple[ShippedImage, ...]
    pins: tuple[Pin, ...]


def check_bundle(archive: Archive, report: Report) -> CheckedBundle:
    """Verify all of it; raises `ToolkitError` (S103) with the differences, before any of it is used."""
    expected = read_sums(archive)
    found = check_digests(archive, report)
    del found[SUMS]
    if differing := sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)):
        shown = "\n".join(f"{name}: {_difference(expected.get(name), found.get(name))}" for name in differing[:5])
        raise damaged(archive.file, shown + (f"\nand {len(differing) - 5} more" if len(differing) > 5 else ""))
    pins = tuple(_pin(archive, name) for name in sorted(archive.members) if name.startswith(POOL))
    return CheckedBundle(archive, read_layout(archive), pins)


def read_sums(archive: Archive) -> dict[str, str]:
    """SHA256SUMS as digests by name; raises `ToolkitError` (S103) if it is missing or invalid."""
    if SUMS not in archive.members:
        raise damaged(archive.file, f"it has no {SUMS}; use `toolkit load` for a file from `toolkit save`")
    sums: dict[str, str] = {}
    *lines, end = archive.document(SUMS).decode("utf-8", "replace").split("\n")
    for line in lines + [end] * bool(end):
        match = _SUM.fullmatch(line)
        if not match or match[2] in sums:
            raise damaged(archive.file, f"{SUMS} has an invalid line: {line[:100]!r}")
        sums[match[2]] = match[1]
    return sums


def fill_pool(bundle: CheckedBundle, pool: Pool, report: Report) -> int:
    """Add the bundle's files that `pool` lacks, each compared once more; returns their number.

    Raises `ToolkitError`: S103 if the file changed meanwhile, S100 if the disk is full.
    """
    missing = pool.lacking(bundle.pins)
    if not missing:
        return 0
    with pool.scratch() as folder, full_disk_translated(pool.folder):
        for count, pin in enumerate(missing, 1):
            report(Progress("pool", pin.file, count, len(missing)))
            with (folder / pin.file).open("xb") as target:
                target.writelines(bundle.archive.pieces(f"{POOL}{pin.sha256}/{pin.file}"))
            pool.take(folder / pin.file, pin)
    return len(missing)


def _pin(archive: Archive, name: str) -> Pin:
    """A pin made from a path only: the pool needs just its hash and its file's name."""
    match, size = _POOL_FILE.fullmatch(name), archive.members[name].size
    if not match:
        raise damaged(archive.file, f"{name!r} is not a file of a pool")
    if match[2].endswith(".whl"):
        return WheelPin("", "", match[2], match[1], size)
    return DebPin("", "", "", "", match[2], match[1], size)


def _difference(expected: str | None, found: str | None) -> str:
    if expected is None:
        return f"not in {SUMS}"
    return "not there" if found is None else f"SHA-256 {found}, expected {expected}"
