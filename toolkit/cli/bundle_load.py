"""`toolkit bundle load FILE`."""

from __future__ import annotations

import argparse
from pathlib import Path

from toolkit.cli import load
from toolkit.cli.output import console, print_json, progress_bar
from toolkit.image.store import ImageStore
from toolkit.lock.pool import Pool
from toolkit.paths import cache
from toolkit.shipping.archive import read_archive
from toolkit.shipping.load import load_images
from toolkit.shipping.unbundle import check_bundle, fill_pool


def run(arguments: argparse.Namespace) -> int:
    """Check the whole file; then fill the pool, and give the images to the engine."""
    pool = Pool(cache() / "pool")
    with progress_bar() as report:
        bundle = check_bundle(read_archive(Path(arguments.file)), report)
        taken = fill_pool(bundle, pool, report)
        loaded = () if arguments.no_images else load_images(bundle.archive, bundle.images, ImageStore(), report)
    if arguments.json:
        print_json({"pool": str(pool.folder), "pool_files": taken, "images": load.facts(loaded)})
    console.print(f"{pool.folder}: {taken} packages taken, {len(bundle.pins) - taken} there already", soft_wrap=True)
    load.show(loaded)
    return 0
