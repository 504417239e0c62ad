"""From an error to a record's reason, and from a final record to a command's error. Pure."""

from __future__ import annotations

from toolkit.agent.end_reasons import Reason
from toolkit.errors import Code, ToolkitError
from toolkit.run.records.record import Record, State

_BY_CODE = {
    Code.IMAGE: Reason.IMAGE,
    Code.LOADING_DATA: Reason.BUCKET_READ,
    Code.STORING_RESULTS: Reason.BUCKET_WRITE,
    Code.CREDENTIALS: Reason.BUCKET_CREDENTIALS,
}
_LOST = ("unreachable", "refused", "cut", "authentication", "host key unknown", "host key changed", "engine away")
_BY_WORD = {"lease lost": Reason.LEASE} | dict.fromkeys((*_LOST, "container gone"), Reason.HOST_LOST)


def reason_of(error: ToolkitError) -> Reason:
    """Why a run could not start: by the error's own reason, else by its code."""
    return _BY_WORD.get(error.context.get("reason", ""), _BY_CODE.get(error.code, Reason.SYSTEM))


def raise_for(record: Record) -> None:
    """Raise a failed run's reason as `ToolkitError`, with the record's code, evidence and hint."""
    if record.state is not State.FAILED:
        return
    code = next((code for code in Code if code.label == record.error_code), Code.RESOURCES)
    context = {"training_id": record.training_id, "reason": record.end}
    raise ToolkitError(code, record.reason, evidence=record.evidence, hint=record.hint, context=context)
