"""A request that is refused: an HTTP status and the message that the answer has as `error`."""

import re

INVALID = 400
NOT_FOUND = 404
UNIMPLEMENTED = 501
INTERNAL = 500

_STATUS_OF_CODE = {
    1: 499,  # cancelled
    3: INVALID,
    4: 504,  # deadline exceeded
    5: NOT_FOUND,
    6: 409,  # already exists
    7: 403,  # permission denied
    8: 429,  # resource exhausted
    9: INVALID,  # failed precondition
    10: 409,  # aborted
    11: INVALID,  # out of range
    12: UNIMPLEMENTED,
    14: 503,  # unavailable
    16: 401,  # unauthenticated
}
_LONGEST = 10000
_LONGEST_VALUE = 200
_BEFORE = re.compile(r"\AGraph execution error:\n(?:.*?^Node: '[^\n]*'\n|\n)", re.DOTALL | re.MULTILINE)
_AFTER = re.compile(r"\n(?:\nOriginal stack trace for|\nCaused by op|Hint: ).*\Z", re.DOTALL)


class Refused(Exception):
    """`status` is the answer's, `message` is cut to some thousand characters: it may quote the request."""

    def __init__(self, message: str, status: int = INVALID) -> None:
        super().__init__(message)
        self.status, self.message = status, message[:_LONGEST]


def said(message: str) -> str:
    """TensorFlow's message without the Python code that its Python API adds."""
    return _AFTER.sub("", _BEFORE.sub("", message, count=1)).rstrip()


def status_of(code: int) -> int:
    """The HTTP status that TensorFlow Serving gives an error code of TensorFlow."""
    return _STATUS_OF_CODE.get(code, INTERNAL)


def shown(text: str) -> str:
    """The text of a JSON value for a message, cut to a line."""
    return text if len(text) <= _LONGEST_VALUE else text[:_LONGEST_VALUE] + "..."
