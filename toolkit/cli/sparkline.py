"""A curve in one line of text. Pure."""

from __future__ import annotations

from collections.abc import Sequence

_BLOCKS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], width: int = 20) -> str:
    """The values as at most `width` blocks, each the mean of its part, between the least and the greatest mean."""
    count = min(width, len(values))
    parts = [values[len(values) * place // count : len(values) * (place + 1) // count] for place in range(count)]
    means = [sum(value / len(part) for value in part) for part in parts]
    least, span = min(means, default=0.0), max(means, default=0.0) - min(means, default=0.0)
    if not 0 < span < float("inf"):
        return _BLOCKS[0] * count
    return "".join(_BLOCKS[round((mean - least) / span * (len(_BLOCKS) - 1))] for mean in means)
