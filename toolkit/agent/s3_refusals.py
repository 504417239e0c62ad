"""How an S3 store says that it refuses a key: by its code, or by HTTP's status where there is no code."""

from __future__ import annotations

import re

DENIED = frozenset({"403", "AccessDenied", "ExpiredToken", "Forbidden", "InvalidAccessKeyId", "SignatureDoesNotMatch"})
DENIAL = re.compile(rf"\b({'|'.join(sorted(DENIED))})\b")
"""Such a code inside a program's message; a 403 inside a longer number is none."""
