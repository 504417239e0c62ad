"""Detects a store's properties before a run relies on them: the region that it wants requests signed for, how a bucket
is addressed, and whether an ETag is an MD5. boto3 and rclone get the same settings (`toolkit.storage.sidecar`)."""

from __future__ import annotations

import hashlib
import re
import secrets
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from toolkit.storage.client import DEFAULT_REGION, Access, client_of
from toolkit.storage.s3 import Store, StoredObject, is_encrypted

PROBE = ".toolkit-etag"
"""The object that is written below the bucket's prefix and removed again."""
_TRIES = 4
_SAMPLES = 3
_SAMPLE_BYTES = 1 << 20
_LOOKED_AT = 1000
# Amazon's endpoints name their region: https://docs.aws.amazon.com/general/latest/gr/s3.html
_IN_ENDPOINT = re.compile(
    r"//(?:[^/]+\.)?s3(?:[.-]fips)?(?:\.dualstack)?[.-]([a-z]{2}(?:-[a-z]+)+-\d)\.amazonaws\.com(?:\.cn)?(?:[:/]|$)"
)
_IN_SIGNATURE = re.compile(r"Credential=[^/]+/\d{8}/([^/]+)/")
_IN_MESSAGE = re.compile(r"expecting '([a-z0-9-]+)'")
_WRONG_REGION = {
    *("AuthorizationHeaderMalformed", "AuthorizationQueryParametersError", "PermanentRedirect", "TemporaryRedirect"),
    *("301", "307", "IllegalLocationConstraintException", "InvalidRegion", "IncorrectEndpoint"),
}
_REGION = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_KMS_KEY = re.compile(r"[A-Za-z0-9:/_+=.@-]{1,2048}")
_ENCRYPTIONS = ("AES256", "aws:kms", "aws:kms:dsse", "aws:fsx")
"""A store's response becomes a line of rclone's configuration: only values of this form are accepted."""
_NO_PATHS = {"SecondLevelDomainForbidden", "PathStyleDomainForbidden", "InvalidPathStyleAccess"}
"""Error codes of stores that accept a bucket's name only as part of the host name (Alibaba's, Tencent's)."""


def examined(access: Access, bucket: str, *, write: bool = False) -> Access:
    """The access, completed with the store's properties.

    With `write`, a small object is written and removed, and the encryption that the store reports for it is recorded;
    without, nothing is written: the ETags of a few small objects are examined, if there are any.

    Raises `ToolkitError` (C103, S302, S303) as `Store.check_bucket` does, and if the bucket is not writable.
    """
    access, answered = _located(access, bucket)
    store = Store(access)
    if not answered:
        store.check_bucket(bucket)
    return _written(access, store, bucket) if write else _looked_at(access, store, bucket)


def located(access: Access, bucket: str) -> Access:
    """The access, with the store's region and addressing style; unchanged if it reports neither."""
    return _located(access, bucket)[0]


def _located(access: Access, bucket: str) -> tuple[Access, bool]:
    """The same, and whether the store answered successfully."""
    from botocore.exceptions import BotoCoreError, ClientError

    tried = replace(access, region=access.region or region_in(access.endpoint_url))
    for _ in range(_TRIES):
        client, signed = client_of(tried), list[str]()
        client.meta.events.register("before-send.s3", partial(_note_region, signed))
        try:
            client.list_objects_v2(Bucket=bucket, MaxKeys=1)
        except ClientError as error:
            found = _wanted(client, tried, bucket, error.response)
            if found is None or found == tried:
                return tried, False
            tried = found
        except BotoCoreError:
            return tried, False
        else:  # boto3 follows Amazon's redirects itself
            region = next((one for one in reversed(signed) if one), "")
            return replace(tried, region=tried.region if region in ("", DEFAULT_REGION) else region), True
    return tried, False


def differences_of(access: Access) -> str:
    """Unusual properties of the store, to be appended to `it answers`; empty if there are none."""
    ways = [f"region {access.region}"] if access.region not in ("", DEFAULT_REGION) else []
    if access.virtual_hosted:
        ways.append("its name is part of the host's")
    if not access.md5_etags:
        how = f" ({access.encryption})" if access.encryption else ""
        ways.append(f"its ETags are not MD5s{how}: results are read back completely and compared by SHA-256")
    return "".join(f"; {way}" for way in ways)


def region_in(endpoint: str) -> str:
    """The region in an Amazon endpoint; empty if there is none."""
    match = _IN_ENDPOINT.search(endpoint)
    return match[1] if match else ""


def _wanted(client: Any, tried: Access, bucket: str, answer: dict[str, Any]) -> Access | None:
    """What to try next, after the store has refused; None if it is not about region or addressing."""
    from botocore.exceptions import BotoCoreError, ClientError

    error = answer.get("Error", {})
    code = str(error.get("Code", ""))
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    if code in _NO_PATHS and not tried.virtual_hosted:
        return replace(tried, virtual_hosted=True)
    message = _IN_MESSAGE.search(str(error.get("Message", "")))
    named = str(error.get("Region") or headers.get("x-amz-bucket-region") or (message[1] if message else ""))
    if not named and code in _WRONG_REGION:
        with suppress(BotoCoreError, ClientError):
            named = client.get_bucket_location(Bucket=bucket).get("LocationConstraint") or DEFAULT_REGION
    region = {"EU": "eu-west-1"}.get(named, named)
    return replace(tried, region=region) if _REGION.fullmatch(region) else None


def _note_region(signed: list[str], request: Any, **_: object) -> None:
    """Record what a request is signed for."""
    words = request.headers.get("Authorization", b"")
    match = _IN_SIGNATURE.search(words.decode("ascii", "replace") if isinstance(words, bytes) else str(words))
    signed.append(match[1] if match and _REGION.fullmatch(match[1]) else "")


def _written(access: Access, store: Store, bucket: str) -> Access:
    data = secrets.token_bytes(64)  # new each time: a leftover of an earlier one has another ETag
    answer = store.probe(bucket, PROBE, data)
    etag = str(answer.get("ETag", "")).strip('"').lower()
    encryption, kms_key = str(answer.get("ServerSideEncryption", "")), str(answer.get("SSEKMSKeyId", ""))
    return replace(
        access,
        md5_etags=etag == hashlib.md5(data, usedforsecurity=False).hexdigest() and not is_encrypted(answer),
        encryption=encryption if encryption in _ENCRYPTIONS else "",
        kms_key=kms_key if _KMS_KEY.fullmatch(kms_key) else "",
    )


def _looked_at(access: Access, store: Store, bucket: str) -> Access:
    """Of a few small objects, one whose ETag is its MD5 is enough: others may be damaged, or encrypted individually."""
    small: list[StoredObject] = []
    for count, item in enumerate(store.objects(bucket)):
        if count == 0:
            store.check_customer_key(bucket, item.key)
        if count == _LOOKED_AT:
            break
        if item.md5 and item.size <= _SAMPLE_BYTES:
            small = sorted([*small, item], key=lambda one: one.size)[:_SAMPLES]
    for item in small:
        data = store.read(bucket, item.key, _SAMPLE_BYTES)
        if item.md5 == hashlib.md5(data, usedforsecurity=False).hexdigest():
            return access
    return replace(access, md5_etags=not small)
