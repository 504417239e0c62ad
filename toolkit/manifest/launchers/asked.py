"""What a launcher was told of ranks and nodes, against those that the manifest asks for. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from toolkit.manifest.launchers.model import Front
from toolkit.manifest.model import Compute


def other_counts(front: Front, compute: Compute) -> Iterator[str]:
    """A sentence for each count that is another one here."""
    there_are = {
        "ranks": (compute.ranks, "ranks, nodes × GPUs on each" if compute.gpus_per_node else "ranks"),
        "per node": (compute.ranks_per_node, "on each node"),
        "nodes": (compute.nodes, "nodes"),
    }
    for count in front.counts:
        number, words = there_are[count.what]
        if not count.least <= number <= count.most:
            yield f"{count.shown} is left out: there are {number} {words}"
