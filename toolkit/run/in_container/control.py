"""What a rank tells the supervisor on its own output: lines that begin with the byte 0x1e. Python 3.5.

A program writes there, too, so nothing in them is believed without bounds.
"""

import json
from typing import Any, Dict, Optional, Tuple

MARK = b"\x1etoolkit "
UNSYNCHRONISED = MARK + b"unsynchronised "
LONGEST = 1 << 13
"""Bytes; a longer line is no control line."""
_WORDS = 2000
_LARGEST = 1 << 53


def read_unsynchronised(line: bytes, rank: int) -> Optional[Dict[str, Any]]:
    """What ddl says of ranks that do not train one model, with the rank that says it; None for any other line.

    It has `why`, a sentence, and where the divergence guard knows them `first_step`, `last_step`, `variable` and
    `difference`.
    """
    if not line.startswith(UNSYNCHRONISED) or len(line) > LONGEST:
        return None
    try:
        said = json.loads(line[len(UNSYNCHRONISED) :].decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict) or not _text(said.get("why")):
        return None
    return {
        "rank": rank,
        "why": _text(said["why"]),
        "first_step": _number(said.get("first_step"), (int,)),
        "last_step": _number(said.get("last_step"), (int,)),
        "variable": _text(said.get("variable")),
        "difference": _number(said.get("difference"), (int, float)),
    }


def _number(value: Any, kinds: Tuple[type, ...]) -> Any:
    return value if type(value) in kinds and 0 <= value <= _LARGEST else None


def _text(value: Any) -> str:
    """As much of a text as a person may be shown, in one line."""
    if not isinstance(value, str):
        return ""
    return "".join(sign if sign.isprintable() else " " for sign in value[:_WORDS]).strip()
