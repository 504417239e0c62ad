"""Which bucket names a store accepts, where that is known without asking it. Pure."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from toolkit.manifest.model import EMBEDDED, BucketReference, DataReference

_STRICT = re.compile(r"(?!xn--)(?!.*(?:\.\.|\.-|-\.))(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html; the embedded server's are the same."""
_AMAZON = re.compile(r"(?:^|\.)amazonaws\.com(?:\.cn)?$")
RULE = "3-63 small letters, digits, dots and dashes"


def refused_by(endpoint_url: str, bucket: str) -> str:
    """Why the store at `endpoint_url` cannot have a bucket of this name; empty if it may have one."""
    host = (urlsplit(endpoint_url).hostname or "") if endpoint_url != EMBEDDED else ""
    if _STRICT.fullmatch(bucket) or not (endpoint_url == EMBEDDED or _AMAZON.search(host)):
        return ""
    whose = "the embedded store's" if endpoint_url == EMBEDDED else "Amazon's"
    return f"`{bucket}` is no bucket name: {RULE} ({whose} rule)"


def refused(reference: DataReference) -> str:
    """`refused_by` for the reference of a manifest."""
    if not isinstance(reference, BucketReference):
        return ""
    return refused_by(reference.connection.endpoint_url, reference.bucket)
