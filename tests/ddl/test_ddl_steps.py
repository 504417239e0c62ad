"""What is done after an optimizer's step."""

from collections.abc import Iterator
from typing import Any

import pytest
from ddl import steps


@pytest.fixture(autouse=True)
def no_callbacks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(steps, "_callbacks", [])
    yield


def test_callbacks_are_reported_in_their_order_and_may_change_what_is_returned() -> None:
    seen: list[Any] = []

    def look(*given: Any) -> None:
        seen.append(given)

    def change(_: Any, __: Any, applied: Any) -> Any:
        return f"{applied}, checked"

    steps.register(look)
    steps.register(change)
    steps.register(look)
    assert steps.notify_step("optimizer", ["v"], "applied") == "applied, checked"
    assert seen == [("optimizer", ["v"], "applied")]


def test_without_callbacks_the_method_returns_what_it_did() -> None:
    assert steps.notify_step("optimizer", [], 7) == 7
