"""`toolkit bucket put MANIFEST FOLDER` and `toolkit bucket list MANIFEST`."""

from __future__ import annotations

import argparse

from toolkit.api.buckets import list_buckets, put_data
from toolkit.cli.console import console
from toolkit.cli.output import human_size, print_json, progress_bar


def run(arguments: argparse.Namespace) -> int:
    """Put or list."""
    return _list(arguments) if arguments.act == "list" else _put(arguments)


def _put(arguments: argparse.Namespace) -> int:
    with progress_bar() as report:
        put = put_data(arguments.manifest, arguments.folder, report=report)
    if arguments.json:
        print_json({"bucket": put.bucket, "put": list(put.keys), "there_already": put.there_already})
    kept = f", {put.there_already} already there" if put.there_already else ""
    console.print(f"bucket {put.bucket}: {len(put.keys)} files uploaded ({human_size(put.size)}){kept}")
    return 0


def _list(arguments: argparse.Namespace) -> int:
    found = list_buckets(arguments.manifest)
    if arguments.json:
        print_json(
            {bucket: [{"key": item.key, "bytes": item.size} for item in items] for bucket, items in found.items()}
        )
        return 0
    for bucket, items in found.items():
        print(f"{bucket}: {len(items)} objects, {human_size(sum(item.size for item in items))}")
        for item in items:
            print(f"  {item.size:>12}  {item.key}")
    return 0
