"""Fewer points for the same picture. Pure."""

from __future__ import annotations

from collections.abc import Sequence

XY = tuple[float, float]


def largest_triangles(points: Sequence[XY], most: int) -> tuple[XY, ...]:
    """At most `most` (3 or more) of the points, in order; the first and the last stay.

    Of each bucket it takes the point that spans the largest triangle with the one taken before and the mean of the next
    bucket (Steinarsson, 2013).
    """
    if len(points) <= most:
        return tuple(points)
    kept = [points[0]]
    inner = len(points) - 2
    edges = [1 + inner * bucket // (most - 2) for bucket in range(most - 1)]
    for bucket in range(most - 2):
        begin, end = edges[bucket], edges[bucket + 1]
        following = points[end : edges[bucket + 2]] if bucket + 2 < len(edges) else points[-1:]
        mean_x = sum(x for x, _ in following) / len(following)
        mean_y = sum(y for _, y in following) / len(following)
        (x0, y0) = kept[-1]
        kept.append(
            max(
                points[begin:end],
                key=lambda point: abs((x0 - mean_x) * (point[1] - y0) - (x0 - point[0]) * (mean_y - y0)),
            )
        )
    return (*kept, points[-1])


def extremes(points: Sequence[XY], most: int) -> tuple[XY, ...]:
    """At most `most` (2 or more) of the points, in order: the lowest and the highest of each column of equally many. No
    peak of a host's load is lost, however short it was.
    """
    if len(points) <= most:
        return tuple(points)
    columns = most // 2
    kept: list[XY] = []
    for column in range(columns):
        piece = range(len(points) * column // columns, len(points) * (column + 1) // columns)
        low, high = min(piece, key=lambda at: points[at][1]), max(piece, key=lambda at: points[at][1])
        kept += [points[at] for at in sorted({low, high})]
    return tuple(kept)
