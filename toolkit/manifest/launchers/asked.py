"""Compares the ranks and nodes in a launcher's flags with those of the manifest. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from toolkit.manifest.launchers.model import Front
from toolkit.manifest.model import Compute


def other_counts(front: Front, compute: Compute) -> Iterator[str]:
    """A sentence for each count that differs here."""
    each = ", nodes × GPUs on each" if compute.gpus_per_node else ""
    numbers = {"ranks": compute.ranks, "per node": compute.ranks_per_node, "nodes": compute.nodes}
    words = {
        "ranks": f"there are {{}} ranks{each}",
        "per node": "ranks on each node here: {}",
        "nodes": "nodes here: {}",
    }
    for count in front.counts:
        number = numbers[count.what]
        if not count.least <= number <= count.most:
            yield f"{count.shown} is left out: {words[count.what].format(number)}"
