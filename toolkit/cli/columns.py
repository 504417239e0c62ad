"""Rows of text in columns, as `docker ps` and `squeue` print them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len

from toolkit.printable import cut, neutral

_GAP = "  "


def columns(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The lines: `titles`, then `rows`, each cell as wide as the widest of its column. Text may be anyone's."""
    cells = [[" ".join(neutral(cut(cell)).splitlines()) for cell in row] for row in (titles, *rows)]
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        padded = (cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True))
        yield _GAP.join(padded).rstrip()
