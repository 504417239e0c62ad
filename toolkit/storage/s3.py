"""The operations on an S3 store that the tool needs: check a bucket, upload, list, download. Uses boto3."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from toolkit.agent.checksums import digest_of
from toolkit.agent.s3_refusals import DENIED
from toolkit.errors import Code, ToolkitError
from toolkit.storage.client import DEFAULT_REGION, Access, client_of

_ABSENT = {"404", "NoSuchBucket", "NotFound"}
_ENCRYPTED = "Server Side Encryption"
"""In the message of S3's refusal (InvalidRequest) if an object is read without the customer's key, or with one although
none was used; a HEAD request only gets 400."""
_CUSTOMER_KEY = "customer key"
_PIECE = 1 << 20
_PART = 8 << 20
_SHA256 = "toolkit-sha256"
"""The metadata key of the SHA-256 of an object that we uploaded."""
_RCLONE_MD5 = "md5chksum"
"""The metadata key of the MD5 of an object that rclone uploaded in parts or encrypted: base64."""
_MD5 = re.compile("[0-9a-f]{32}")

OnBytes = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object: its key, size in bytes, its ETag, which is the MD5 of its bytes if it has no dash, and when it was
    stored (seconds since 1970; 0 if the store does not say)."""

    key: str
    size: int
    etag: str
    time: float = 0.0

    @property
    def md5(self) -> str | None:
        """The MD5 of the bytes, if the store reports it."""
        return self.etag if _MD5.fullmatch(self.etag) else None


def is_encrypted(answer: Mapping[str, Any]) -> bool:
    """Whether an object's ETag is not an MD5, by the store's own headers: it was encrypted with a key of KMS or a
    customer's.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/API/RESTCommonResponseHeaders.html
    """
    return str(answer.get("ServerSideEncryption", "")).startswith("aws:kms") or bool(answer.get("SSECustomerAlgorithm"))


def refused_object(bucket: str, key: str, why: str, hint: str = "") -> ToolkitError:
    """An object (S302) that is not what it must be."""
    hint = hint or "it was damaged, or written by someone else: who may write to this bucket?"
    what = f"object {bucket}/{key} is refused: {why}"
    return ToolkitError(Code.LOADING_DATA, what, hint=hint, context={"reason": "refused"})


def _moment(text: str) -> float:
    """A store's time in ISO 8601, in seconds since 1970; 0 if it is none."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        return 0.0


class Store:
    """The buckets of `access`. Every failure is a `ToolkitError` that names bucket and endpoint."""

    def __init__(self, access: Access) -> None:
        self._endpoint = access.endpoint_url
        self._prefix = f"{access.prefix}/" if access.prefix else ""
        self._md5_etags = access.md5_etags
        self._region = "" if access.region == DEFAULT_REGION else access.region
        self._customer_key = access.customer_key is not None
        self._client: Any = client_of(access)

    def check_bucket(self, bucket: str) -> None:
        """Raises C103 if the keys are refused or the bucket is missing, S302 if nobody answers."""
        self._call("look into", bucket, self._client.list_objects_v2, Bucket=bucket, MaxKeys=1)

    def create_bucket(self, bucket: str) -> bool:
        """Create the bucket unless it exists; returns whether it was created."""
        try:
            self.check_bucket(bucket)
        except ToolkitError as error:
            if error.context.get("reason") != "absent":
                raise
            where = {"CreateBucketConfiguration": {"LocationConstraint": self._region}} if self._region else {}
            self._call("create", bucket, self._client.create_bucket, Bucket=bucket, **where)
            return True
        return False

    def objects(self, bucket: str, prefix: str = "") -> Iterator[StoredObject]:
        """The objects below `prefix`, by key without the access's own prefix; folder markers (`…/`) are skipped."""
        token: dict[str, str] = {}
        while True:
            request = {"Bucket": bucket, "Prefix": self._prefix + prefix, **token}
            page = self._call("list", bucket, self._client.list_objects_v2, **request)
            for item in page.get("Contents", []):
                if not item["Key"].startswith(request["Prefix"]):
                    raise self._odd(bucket, f"asked for what begins with {prefix!r}, it lists {item['Key'][:300]!r}")
                if not item["Key"].endswith("/"):
                    key, stored = item["Key"].removeprefix(self._prefix), _moment(item.get("LastModified", ""))
                    yield StoredObject(key, int(item["Size"]), item.get("ETag", "-").strip('"'), stored)
            if not page.get("IsTruncated"):
                return
            if token == (token := {"ContinuationToken": page.get("NextContinuationToken", "")}):
                raise self._odd(bucket, "its listing does not end")

    def put(self, bucket: str, key: str, file: Path, on_bytes: OnBytes | None = None) -> None:
        """Upload one file, in parts of 8 MiB if it is larger; its SHA-256 is stored with it, for `holds`.

        Raises S303 if the object does not have the same size afterwards.
        """
        from boto3.s3.transfer import TransferConfig

        whole, size = self._prefix + key, file.stat().st_size
        metadata = {_SHA256: digest_of(file, md5=False).sha256}
        if size < _PART:
            with file.open("rb") as stream:
                data = stream.read(_PART)
            # The store itself refuses data that was changed in transit.
            md5 = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
            words = {"Bucket": bucket, "Key": whole, "Body": data, "ContentMD5": md5, "Metadata": metadata}
            self._call("write to", bucket, self._client.put_object, **words)
            if on_bytes:
                on_bytes(len(data))
            return
        config = TransferConfig(multipart_threshold=_PART, multipart_chunksize=_PART, max_concurrency=2)
        words = dict[str, Any](ExtraArgs={"Metadata": metadata}, Callback=on_bytes, Config=config)
        self._call("write to", bucket, self._client.upload_file, str(file), bucket, whole, **words)
        there = self._head(bucket, key)
        if there.get("ContentLength") != size:
            raise ToolkitError(
                Code.STORING_RESULTS,
                f"{bucket}/{key} was damaged during the upload: {there.get('ContentLength')} of {size} bytes are there",
                hint="upload it again; the file must not change meanwhile",
            )

    def holds(self, bucket: str, item: StoredObject, file: Path) -> bool:
        """Whether the bucket has this file already, by its MD5 or by the SHA-256 stored with it."""
        if item.size != file.stat().st_size:
            return False
        digest = digest_of(file, md5=self._md5_etags and item.md5 is not None)
        if digest.md5 and digest.md5 == item.md5:
            return True
        answer = self._head(bucket, item.key)
        if digest.md5 and not is_encrypted(answer):
            return False  # its ETag is the MD5 of other bytes, whatever its metadata says
        return bool((answer.get("Metadata") or {}).get(_SHA256) == digest.sha256)

    def read(self, bucket: str, key: str, limit: int) -> bytes:
        """A complete small object; raises `ToolkitError` (S302) if it has more than `limit` bytes."""
        answer = self._call("read", bucket, self._client.get_object, Bucket=bucket, Key=self._prefix + key)
        whole: bytes = self._call("read", bucket, answer["Body"].read, limit + 1)
        if len(whole) > limit:
            raise refused_object(bucket, key, f"larger than {limit} bytes")
        return whole

    def pieces(self, bucket: str, key: str, offset: int = 0) -> Iterator[bytes]:
        """An object from byte `offset` on, in chunks of at most 1 MiB; nothing if it is not longer than that."""
        words = {"Bucket": bucket, "Key": self._prefix + key, "Range": f"bytes={offset}-"}
        return self._chunks(bucket, self._call("read", bucket, self._client.get_object, **words)["Body"])

    def _chunks(self, bucket: str, body: Any) -> Iterator[bytes]:
        pieces = body.iter_chunks(_PIECE)
        while piece := self._call("read", bucket, next, pieces, b""):
            yield piece

    def check_customer_key(self, bucket: str, key: str) -> None:
        """Raises `ToolkitError` (C103) if an object is encrypted with a customer's key and none, or another one, is
        given. Other errors are left to the caller's own read."""
        try:
            self._head(bucket, key)
        except ToolkitError as error:
            if error.context.get("reason") in (_CUSTOMER_KEY, *(["denied"] if self._customer_key else [])):
                raise

    def probe(self, bucket: str, key: str, data: bytes) -> dict[str, Any]:
        """Write a small object and remove it; returns the store's response. It may remain: not all keys may delete."""
        words = {"Bucket": bucket, "Key": self._prefix + key}
        answer: dict[str, Any] = self._call("write to", bucket, self._client.put_object, **words, Body=data)
        with suppress(ToolkitError):
            self._call("write to", bucket, self._client.delete_object, **words)
        return answer

    def write(self, bucket: str, key: str, data: bytes) -> None:
        """Write a small object."""
        self._call("write to", bucket, self._client.put_object, Bucket=bucket, Key=self._prefix + key, Body=data)

    def get(self, bucket: str, item: StoredObject, target: Path, on_bytes: OnBytes, *, compare: bool = True) -> str:
        """Download `item` to `target`; returns the SHA-256 of its bytes.

        Raises S302 if its size is not what the store says; with `compare` also if the bytes do not match the MD5 or
        SHA-256 given by the store or its uploader: a damaged model must never be accepted.
        """
        sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
        answer = self._call("read", bucket, self._client.get_object, Bucket=bucket, Key=self._prefix + item.key)
        with target.open("xb") as file:
            for piece in self._chunks(bucket, answer["Body"]):
                size += len(piece)
                if size > item.size:
                    break  # it has grown since it was listed, or is endless: the disk is not
                file.write(piece)
                sha256.update(piece)
                md5.update(piece)
                on_bytes(len(piece))
        expected = self._expected(item, answer) if compare else {}
        wrong = [
            f"{name} {found}"
            for name, found in (("MD5", md5.hexdigest()), ("SHA-256", sha256.hexdigest()))
            if expected.get(name, found) != found
        ]
        if size != item.size or wrong:
            raise ToolkitError(
                Code.LOADING_DATA,
                f"{bucket}/{item.key} was damaged during the download: "
                f"{', '.join([f'{size} of {item.size} bytes', *wrong])}",
                hint="collect again; if it is still damaged, so is the object in the bucket",
                context={"reason": "damaged"},
            )
        return sha256.hexdigest()

    def _expected(self, item: StoredObject, answer: Mapping[str, Any]) -> dict[str, str]:
        """The checksums of an object's bytes: from the store, if its ETags are MD5s, and from its uploader."""
        metadata = answer.get("Metadata") or {}
        expected: dict[str, str] = {}
        with suppress(ValueError):
            expected["MD5"] = base64.b64decode(metadata.get(_RCLONE_MD5, ""), validate=True).hex()
        if self._md5_etags and item.md5 and not is_encrypted(answer):
            expected["MD5"] = item.md5
        expected["SHA-256"] = str(metadata.get(_SHA256, ""))
        return {name: value for name, value in expected.items() if value}

    def _head(self, bucket: str, key: str) -> Any:
        return self._call("look into", bucket, self._client.head_object, Bucket=bucket, Key=self._prefix + key)

    def _call(self, verb: str, bucket: str, action: Callable[..., Any], /, *words: Any, **named: Any) -> Any:
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return action(*words, **named)
        except ClientError as error:
            raise self._refused(verb, bucket, str(error.response.get("Error", {}).get("Code", "")), error) from None
        except UnicodeError as error:
            what = f"cannot {verb} bucket {bucket} at {self._endpoint}: a name in it is not UTF-8"
            raise ToolkitError(Code.LOADING_DATA, what, evidence=str(error)) from None
        except ValueError as error:  # an invalid number in a response's headers
            raise self._odd(bucket, f"its response cannot be parsed: {error}") from None
        except (BotoCoreError, Boto3Error) as error:
            raise ToolkitError(
                Code.LOADING_DATA,
                f"cannot {verb} bucket {bucket}: {self._endpoint} does not answer",
                evidence=str(error),
                hint="is endpoint_url right, and is the store reachable from this machine?",
                context={"reason": "unreachable"},
            ) from None

    def _odd(self, bucket: str, what: str) -> ToolkitError:
        return ToolkitError(
            Code.LOADING_DATA,
            f"{self._endpoint} does not behave like an S3 store: bucket {bucket}: {what}",
            hint="is endpoint_url right?",
        )

    def _refused(self, verb: str, bucket: str, code: str, error: Exception) -> ToolkitError:
        what = f"cannot {verb} bucket {bucket} at {self._endpoint}"
        if code in DENIED:
            keys = "access_key_id and secret_access_key"
            if self._customer_key:
                keys = "access_key_id, secret_access_key and sse_customer_key (S3 does not say which is wrong)"
            return ToolkitError(
                Code.CREDENTIALS,
                f"{what}: the keys are refused ({code})",
                hint=f"check {keys} in the manifest, and the bucket's policy",
                context={"reason": "denied"},
            )
        if code in _ABSENT:
            return ToolkitError(
                Code.CREDENTIALS,
                f"{what}: there is no such bucket",
                hint="check the bucket's name in the manifest, or create it: toolkit bucket put MANIFEST FOLDER",
                context={"reason": "absent"},
            )
        if code == "400" or (code == "InvalidRequest" and _ENCRYPTED in str(error)):
            return self._encrypted_otherwise(what, error)
        return ToolkitError(Code.LOADING_DATA, what, evidence=str(error), context={"reason": code})

    def _encrypted_otherwise(self, what: str, error: Exception) -> ToolkitError:
        if self._customer_key:
            found = "an object seems not to be encrypted with a customer's key (SSE-C), but the manifest names one"
            hint = "leave sse_customer_key out of the manifest's connection"
        else:
            found = "an object seems to be encrypted with a customer's key (SSE-C), but the manifest names none"
            hint = "name that key in the manifest's connection: sse_customer_key: ${file:PATH}"
        context = {"reason": _CUSTOMER_KEY}
        return ToolkitError(Code.CREDENTIALS, f"{what}: {found}", evidence=str(error), hint=hint, context=context)
