"""A key that a store refuses is known by the store's code, whoever quotes it."""

from __future__ import annotations

import pytest

from toolkit.agent.s3_refusals import DENIAL


@pytest.mark.parametrize(
    "message",
    [
        "AccessDenied: Access Denied",
        "api error ExpiredToken: The provided token has expired.",
        "HTTP 403 Forbidden",
        "status code: 403, request id: 17",
        "(SignatureDoesNotMatch)",
        "InvalidAccessKeyId",
    ],
)
def test_a_denial_is_found_in_a_message(message: str) -> None:
    assert DENIAL.search(message)


@pytest.mark.parametrize("message", ["NoSuchBucket", "request id 1403 timed out", "14034 bytes", "NotForbiddenHere"])
def test_other_messages_and_longer_numbers_are_none(message: str) -> None:
    assert DENIAL.search(message) is None
