"""A model's signatures as a table."""

from __future__ import annotations

from collections.abc import Mapping

from toolkit.cli.columns import columns
from toolkit.run.serving.signatures import Signature, table_rows


def signature_table(signatures: Mapping[str, Signature]) -> str:
    """Name, inputs and outputs with dtype and shape; n is an open size."""
    return "\n".join(columns(("SIGNATURE", "INPUTS", "OUTPUTS"), table_rows(signatures)))
