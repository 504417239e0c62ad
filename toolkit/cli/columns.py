"""Rows of text in columns, as `docker ps` and `squeue` print them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from rich.cells import cell_len

from toolkit.printable import cut, neutral

_GAP = "  "


def columns(
    titles: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[str] = (), gap: str = _GAP
) -> Iterator[str]:
    """The lines: `titles`, then `rows`, each cell as wide as the widest of its column. Text may be anyone's.

    The columns whose titles are in `right`, of numbers, are aligned at their ends.
    """
    return aligned([titles, *rows], [number for number, title in enumerate(titles) if title in right], gap)


def aligned(rows: Sequence[Sequence[str]], right: Collection[int] = (), gap: str = _GAP) -> Iterator[str]:
    """Rows without titles; columns in which nothing is are left out."""
    cells = [[" ".join(neutral(cut(cell)).splitlines()) for cell in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        padded = [
            " " * (width - cell_len(cell)) + cell if number in right else cell + " " * (width - cell_len(cell))
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
            if width
        ]
        yield gap.join(padded).rstrip()
