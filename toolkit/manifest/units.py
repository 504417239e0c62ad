"""Sizes and durations, read strictly: a value that can be read in two ways is refused, and both are shown.

FfDL silently turned memory that it could not read (`1.5GB`, `8g`, nothing) into 512 MB.
"""

from __future__ import annotations

import re
from decimal import Decimal

_SIZE = {
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
    "TiB": 1 << 40,
    "Mi": 1 << 20,  # as in Kubernetes
    "Gi": 1 << 30,
    "Ti": 1 << 40,
}
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
SIZE_PATTERN = rf"(?:[1-9]\d{{0,5}}(?:\.\d{{1,3}})?|0\.\d?[1-9]\d?) ?(?:{'|'.join(_SIZE)})|[1-9]\d{{0,14}}B"
DURATION_PATTERN = r"[1-9]\d{0,5}[smhd]"
FFDL_SIZE_PATTERN = r"(?:[1-9]\d{0,5}(?:\.\d{1,3})?|0\.\d?[1-9]\d?)\s{0,9}[MGTmgt](?:[Ii]?[Bb]|[Ii])|[1-9]\d{0,14}B"
"""FfDL read units in any case, `16Gb` as 16 GB: convertMemoryFromManifest in restapi/api_v1/server/manifest.go."""
_FFDL_READ = re.compile(r"\d+\s*[MGT]I?B", re.IGNORECASE)
_AMBIGUOUS = re.compile(r"(\d+(?:\.\d+)?) ?([KMGTkmgt])([Ii]?[Bb]?)")
SIZE_WRONG = "expected a size such as 24GB (powers of 1000) or 24GiB (powers of 1024)"
DURATION_WRONG = "expected a whole number with its unit: 90s, 30m, 12h or 2d"


def bytes_of(text: str) -> int:
    """`1.5GB` → 1500000000; `text` must match `SIZE_PATTERN`."""
    number = text.rstrip("MGTiB ")
    return int(Decimal(number) * _SIZE.get(text[len(number) :].strip(), 1))


def ffdl_size(text: str) -> tuple[str, bool]:
    """`16 Gb` as `16GB`, for `bytes_of`, and whether FfDL could read it; `text` must match `FFDL_SIZE_PATTERN`."""
    number = re.match(r"[\d.]+", text)
    assert number
    unit = text[number.end() :].strip().upper().replace("I", "i")
    return number[0] + unit, bool(_FFDL_READ.fullmatch(text))


def seconds_of(text: str) -> int:
    """`12h` → 43200; `text` must match `DURATION_PATTERN`."""
    return int(text[:-1]) * _SECONDS[text[-1]]


def size_hint(text: str) -> str:
    """What `8g` or `24gb` may have meant, for the end of an error; empty if it is not a size at all."""
    match = _AMBIGUOUS.fullmatch(text.strip())
    if not match or match[2] in "kK" or match[3] in ("B", "iB") or not float(match[1]):
        return ""
    number, letter = match[1], match[2].upper()
    return f"; `{text}` could be {number}{letter}B or {number}{letter}iB"


def shown_size(size: int) -> str:
    """A size in the form that `bytes_of` reads, exact: in the largest unit that gives a whole number."""
    for unit in ("TiB", "TB", "GiB", "GB", "MiB", "MB"):
        if size % _SIZE[unit] == 0:
            return f"{size // _SIZE[unit]}{unit}"
    return f"{size}B"


def shown_duration(seconds: int) -> str:
    """A duration in the form that `seconds_of` reads, exact."""
    for unit in ("d", "h", "m"):
        if seconds % _SECONDS[unit] == 0:
            return f"{seconds // _SECONDS[unit]}{unit}"
    return f"{seconds}s"
