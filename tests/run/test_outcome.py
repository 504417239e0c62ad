"""A final record as the end of a command."""

from __future__ import annotations

from dataclasses import replace

import pytest

from toolkit.agent.end_reasons import Reason
from toolkit.containers.engine import LOCAL, engine_unreachable
from toolkit.errors import Code, ToolkitError
from toolkit.process import Result
from toolkit.run.launch.errors import raise_for, reason_of
from toolkit.run.records.record import State

from .clients import RECORD


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ToolkitError(Code.IMAGE, "not here"), Reason.IMAGE),
        (ToolkitError(Code.LOADING_DATA, "not mounted", context={"reason": "NoSuchBucket"}), Reason.BUCKET_READ),
        (ToolkitError(Code.CREDENTIALS, "refused"), Reason.BUCKET_CREDENTIALS),
        (ToolkitError(Code.RESOURCES, "gone", context={"host": "p100-01", "reason": "lease lost"}), Reason.LEASE),
        (ToolkitError(Code.RESOURCES, "gone", context={"host": "p100-01", "reason": "cut"}), Reason.HOST_LOST),
        (engine_unreachable("", "p100-01"), Reason.HOST_LOST),
        (LOCAL.failed(Result(("docker", "run"), 125, "", "")), Reason.HOST_LOST),
        (LOCAL.failed(Result(("docker", "exec"), 1, "", "Error: No such container: toolkit-x")), Reason.HOST_LOST),
        (LOCAL.failed(Result(("docker", "run"), 125, "", "port is already allocated")), Reason.SYSTEM),
    ],
)
def test_what_kept_a_run_from_beginning_is_one_of_the_reasons(error: ToolkitError, reason: Reason) -> None:
    assert reason_of(error) is reason


@pytest.mark.parametrize("state", [State.COMPLETED, State.HALTED, State.STORING])
def test_what_has_not_failed_is_no_error(state: State) -> None:
    raise_for(replace(RECORD, state=state, error_code="S303"))


def test_a_failure_is_reported_with_all_that_the_record_has() -> None:
    failed = replace(RECORD, state=State.FAILED, end="bucket full", error_code="S303", reason="why", hint="fix it")
    with pytest.raises(ToolkitError) as caught:
        raise_for(replace(failed, evidence="507"))
    error = caught.value
    assert (error.code.label, error.what, error.evidence, error.hint) == ("S303", "why", "507", "fix it")
    assert error.context == {"training_id": RECORD.training_id, "reason": "bucket full"}


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason.state == "FAILED"])
def test_every_reason_to_fail_has_a_code_that_the_command_line_knows(reason: Reason) -> None:
    with pytest.raises(ToolkitError) as caught:
        raise_for(replace(RECORD, state=State.FAILED, error_code=reason.code))
    assert caught.value.code.label == reason.code


def test_a_code_of_another_version_is_the_systems_fault() -> None:
    with pytest.raises(ToolkitError) as caught:
        raise_for(replace(RECORD, state=State.FAILED, error_code="X999"))
    assert caught.value.code.label == "S100"
