"""A bundle: images, the packages of their locks and the tool itself in one file, for machines without a network.

It is an OCI layout, as `toolkit save` writes it, plus `tool/` (wheels), `pool/<sha256>/<file>` (the locks' files),
README.txt, and SHA256SUMS over everything. So `docker load` and `tar` can read it, too.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.atomic_file import sha256_of
from toolkit.errors import Code, ToolkitError
from toolkit.image.store import ImageStore
from toolkit.lock.pool import Pin, Pool
from toolkit.progress import Report, counted
from toolkit.shipping.oci import OciImage
from toolkit.shipping.output_file import new_file
from toolkit.shipping.save import Saved, check_here, layout_blobs, layout_documents, layout_entries, spooled
from toolkit.shipping.spool import Spool
from toolkit.tar.write import Entry, tar_stream

README, SUMS, TOOL, POOL = "README.txt", "SHA256SUMS", "tool/", "pool/"


@dataclass(frozen=True)
class Contents:
    """The contents of a bundle: images by name, the pins of their locks, the wheels of the tool, and for which
    Pythons."""

    references: tuple[str, ...]
    pins: tuple[Pin, ...]
    wheels: tuple[Path, ...]
    pythons: tuple[str, ...]


def make_bundle(contents: Contents, pool: Pool, target: Path, store: ImageStore, report: Report) -> Saved:
    """Write `contents` to `target`, which appears once it is complete; equal contents give equal bytes.

    Raises `ToolkitError`: S103 for a missing image or pool file, S100 for a full disk.
    """
    check_here(contents.references, store)
    check_pool(contents.pins, pool)
    folder = target.absolute().parent
    with new_file(target) as stream, spooled(contents.references, folder, store, report) as (images, spool):
        total = sum(blob.size for blob in layout_blobs(images)) + sum(pin.size for pin in contents.pins)
        total += sum(wheel.stat().st_size for wheel in contents.wheels)
        tar = tar_stream(_entries(contents, images, spool, pool, target.name))
        stream.writelines(counted(tar, report, "writing", target.name, total))
    return Saved(target, target.stat().st_size, images)


def check_pool(pins: Sequence[Pin], pool: Pool) -> None:
    """Check that the pool has every file, undamaged; raises `ToolkitError` (S103), and drops a damaged one."""
    if missing := pool.missing(pins):
        raise ToolkitError(Code.IMAGE, f"the pool lacks {missing[0].file}", hint="toolkit build MANIFEST")
    for pin in pins:
        if sha256_of(pool.path(pin)) != pin.sha256:
            pool.drop(pin)
            raise ToolkitError(
                Code.IMAGE,
                f"the pool's {pin.file} was damaged and was dropped",
                hint="try again: it will be fetched again",
            )


def readme(contents: Contents, file: str) -> str:
    """Instructions for a person with this file and no network. Pure."""
    images = "\n".join(f"  {reference}" for reference in contents.references)
    file = shlex.quote(file)
    return f"""\
This bundle installs `toolkit` on a machine without a network. That machine needs Docker Engine and Python {
        " or ".join(contents.pythons)
    }.

1. tar -xf {file} tool
2. python3 -m venv toolkit-venv && . toolkit-venv/bin/activate
3. pip install --no-index --find-links tool toolkit
4. toolkit bundle load {file}      (verifies SHA256SUMS first)
5. toolkit launch MANIFEST

Images in this bundle:
{images}
"""


def sums_text(digests: Mapping[str, str]) -> str:
    """In the format of `sha256sum`, sorted by name."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))


def pool_name(pin: Pin) -> str:
    """The path of the pin's file in a bundle."""
    return f"{POOL}{pin.sha256}/{pin.file}"


def _entries(contents: Contents, images: Sequence[OciImage], spool: Spool, pool: Pool, file: str) -> Iterator[Entry]:
    """The bundle's files; those for people come first."""
    text = readme(contents, file).encode()
    pins = [Entry(pool_name(pin), pool.path(pin), sha256=pin.sha256) for pin in set(contents.pins)]
    wheels = [Entry(f"{TOOL}{wheel.name}", wheel, sha256=sha256_of(wheel)) for wheel in contents.wheels]
    digests = {README: hashlib.sha256(text).hexdigest()}
    digests |= {name: hashlib.sha256(document).hexdigest() for name, document in layout_documents(images).items()}
    digests |= {blob.name: blob.digest.removeprefix("sha256:") for blob in layout_blobs(images)}
    digests |= {entry.name: entry.sha256 for entry in (*wheels, *pins)}
    yield Entry(README, text)
    yield Entry(SUMS, sums_text(digests).encode())
    yield from sorted(wheels, key=lambda entry: entry.name)
    yield from layout_entries(images, spool)
    yield from sorted(pins, key=lambda entry: entry.name)
