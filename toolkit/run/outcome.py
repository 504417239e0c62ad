"""A final record as a command's end: nothing to say, or the error that a person and a script can use. Pure."""

from __future__ import annotations

from toolkit.errors import Code, ToolkitError
from toolkit.run.record import Record, State


def raise_for(record: Record) -> None:
    """Raise what kept the run from completing, as `ToolkitError` with the record's own code, evidence and mend."""
    if record.state is not State.FAILED:
        return
    code = next((code for code in Code if code.label == record.error_code), Code.RESOURCES)
    context = {"training_id": record.training_id, "reason": record.end}
    raise ToolkitError(code, record.reason, evidence=record.evidence, mend=record.mend, context=context)
