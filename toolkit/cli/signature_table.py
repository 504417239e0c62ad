"""A model's signatures as a table."""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Table

from toolkit.printable import neutral
from toolkit.run.serving.signatures import Signature, table_rows


def signature_table(signatures: Mapping[str, Signature]) -> Table:
    """Name, inputs and outputs with dtype and shape; n is an open size."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("SIGNATURE", "INPUTS", "OUTPUTS"):
        table.add_column(title, overflow="fold")
    for row in table_rows(signatures):
        table.add_row(*map(neutral, row))
    return table
