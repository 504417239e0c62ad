"""An S3 store as its users need it: is the bucket there, put a folder, list, get. boto3 does the talking."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from toolkit.errors import Code, ToolkitError
from toolkit.secrets import Secret

_DENIED = {"403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "Forbidden"}
_ABSENT = {"404", "NoSuchBucket", "NotFound"}
_PIECE = 1 << 20

OnBytes = Callable[[int], None]


@dataclass(frozen=True)
class Access:
    """An endpoint and its keys, resolved; `prefix` is the part of the bucket that is meant, and begins every key."""

    endpoint_url: str
    access_key_id: Secret
    secret_access_key: Secret
    prefix: str = ""
    session_token: Secret | None = None


@dataclass(frozen=True)
class StoredObject:
    """An object: its key, size in bytes, and its ETag, which is the MD5 of its bytes where it has no dash."""

    key: str
    size: int
    etag: str

    @property
    def md5(self) -> str | None:
        """The MD5 of the bytes, where the store tells it."""
        return None if "-" in self.etag else self.etag


def md5_of(file: Path) -> str:
    """The MD5 of a file's bytes: what a store gives as the ETag of an object that was put whole."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


class Store:
    """The buckets that `access` leads to. Every failure is a `ToolkitError` that names bucket and endpoint."""

    def __init__(self, access: Access) -> None:
        # All of it now: Python loses a Ctrl-C that comes while a module is imported (a lock's callback swallows it),
        # and this is before anything is started.
        import boto3
        import boto3.s3.transfer
        from botocore.config import Config

        self._endpoint = access.endpoint_url
        self._prefix = f"{access.prefix}/" if access.prefix else ""
        self._client: Any = boto3.client(
            "s3",
            endpoint_url=access.endpoint_url,
            aws_access_key_id=access.access_key_id.reveal(),
            aws_secret_access_key=access.secret_access_key.reveal(),
            aws_session_token=access.session_token.reveal() if access.session_token else None,
            region_name="us-east-1",
            config=Config(
                connect_timeout=5,
                read_timeout=60,
                retries={"mode": "standard", "total_max_attempts": 2},
                s3={"addressing_style": "path"},
                # Trailing checksums are Amazon's own; older and smaller S3 servers refuse them.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )

    def check_bucket(self, bucket: str) -> None:
        """Raises C103 where the keys are refused or the bucket is missing, S302 where nobody answers."""
        self._call("look into", bucket, partial(self._client.list_objects_v2, Bucket=bucket, MaxKeys=1))

    def create_bucket(self, bucket: str) -> bool:
        """Make the bucket unless it is there; whether it was made."""
        try:
            self.check_bucket(bucket)
        except ToolkitError as error:
            if error.context.get("reason") != "absent":
                raise
            self._call("create", bucket, partial(self._client.create_bucket, Bucket=bucket))
            return True
        return False

    def objects(self, bucket: str, prefix: str = "") -> Iterator[StoredObject]:
        """The objects below `prefix`, by key without the access's own; folder markers (`…/`) are left out."""
        token: dict[str, str] = {}
        while True:
            request = {"Bucket": bucket, "Prefix": self._prefix + prefix, **token}
            page = self._call("list", bucket, partial(self._client.list_objects_v2, **request))
            for item in page.get("Contents", []):
                if not item["Key"].startswith(request["Prefix"]):
                    raise self._odd(bucket, f"asked for what begins with {prefix!r}, it lists {item['Key'][:300]!r}")
                if not item["Key"].endswith("/"):
                    yield StoredObject(
                        item["Key"].removeprefix(self._prefix), int(item["Size"]), item.get("ETag", "-").strip('"')
                    )
            if not page.get("IsTruncated"):
                return
            if token == (token := {"ContinuationToken": page.get("NextContinuationToken", "")}):
                raise self._odd(bucket, "its listing has no end")

    def put(self, bucket: str, key: str, file: Path, on_bytes: OnBytes | None = None) -> None:
        """Upload one file in pieces of 8 MiB."""
        from boto3.s3.transfer import TransferConfig

        config = TransferConfig(max_concurrency=2)
        self._call(
            "write to",
            bucket,
            lambda: self._client.upload_file(str(file), bucket, self._prefix + key, Callback=on_bytes, Config=config),
        )

    def read(self, bucket: str, key: str, limit: int) -> bytes:
        """A small object, whole; raises `ToolkitError` (S302) where it has more than `limit` bytes."""

        def fetch() -> bytes:
            body: bytes = self._client.get_object(Bucket=bucket, Key=self._prefix + key)["Body"].read(limit + 1)
            return body

        whole: bytes = self._call("read", bucket, fetch)
        if len(whole) > limit:
            raise ToolkitError(
                Code.LOADING_DATA,
                f"object {bucket}/{key} is refused: larger than {limit} bytes",
                mend="it was damaged, or written by someone else: who may write to this bucket?",
                context={"reason": "refused"},
            )
        return whole

    def pieces(self, bucket: str, key: str, offset: int = 0) -> Iterator[bytes]:
        """An object from byte `offset` on, in pieces of at most 1 MiB; nothing where it is no longer than that."""

        def fetch() -> Any:
            return self._client.get_object(Bucket=bucket, Key=self._prefix + key, Range=f"bytes={offset}-")["Body"]

        body = self._call("read", bucket, fetch)
        pieces = body.iter_chunks(_PIECE)
        while piece := self._call("read", bucket, partial(next, pieces, b"")):
            yield piece

    def write(self, bucket: str, key: str, data: bytes) -> None:
        """Write a small object."""
        self._call(
            "write to", bucket, partial(self._client.put_object, Bucket=bucket, Key=self._prefix + key, Body=data)
        )

    def get(self, bucket: str, item: StoredObject, target: Path, on_bytes: OnBytes) -> str:
        """Download `item` to `target`; the SHA-256 of its bytes.

        Raises S302 where size or MD5 is not what the store says: a model must not come home damaged.
        """
        sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0

        def fetch() -> None:
            nonlocal size
            body = self._client.get_object(Bucket=bucket, Key=self._prefix + item.key)["Body"]
            with target.open("xb") as file:
                for piece in body.iter_chunks(_PIECE):
                    size += len(piece)
                    if size > item.size:
                        break  # it has grown since it was listed, or has no end: this disk has one
                    file.write(piece)
                    sha256.update(piece)
                    md5.update(piece)
                    on_bytes(len(piece))

        self._call("read", bucket, fetch)
        if size != item.size or (item.md5 and item.md5 != md5.hexdigest()):
            raise ToolkitError(
                Code.LOADING_DATA,
                f"{bucket}/{item.key} came home damaged: {size} of {item.size} bytes, MD5 {md5.hexdigest()}",
                mend="collect again",
            )
        return sha256.hexdigest()

    def _call(self, verb: str, bucket: str, action: Callable[[], Any]) -> Any:
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return action()
        except ClientError as error:
            raise self._refused(verb, bucket, str(error.response.get("Error", {}).get("Code", "")), error) from None
        except UnicodeError as error:
            what = f"cannot {verb} bucket {bucket} at {self._endpoint}: a name in it is not UTF-8"
            raise ToolkitError(Code.LOADING_DATA, what, evidence=str(error)) from None
        except (BotoCoreError, Boto3Error) as error:
            raise ToolkitError(
                Code.LOADING_DATA,
                f"cannot {verb} bucket {bucket}: {self._endpoint} does not answer",
                evidence=str(error),
                mend="is endpoint_url right, and is the store reachable from this machine?",
                context={"reason": "unreachable"},
            ) from None

    def _odd(self, bucket: str, what: str) -> ToolkitError:
        return ToolkitError(
            Code.LOADING_DATA,
            f"{self._endpoint} is no S3 store that can be believed: bucket {bucket}: {what}",
            mend="is endpoint_url right?",
        )

    def _refused(self, verb: str, bucket: str, code: str, error: Exception) -> ToolkitError:
        what = f"cannot {verb} bucket {bucket} at {self._endpoint}"
        if code in _DENIED:
            return ToolkitError(
                Code.CREDENTIALS,
                f"{what}: the keys are refused ({code})",
                mend="look at access_key_id and secret_access_key in the manifest, and at the bucket's policy",
                context={"reason": "denied"},
            )
        if code in _ABSENT:
            return ToolkitError(
                Code.CREDENTIALS,
                f"{what}: there is no such bucket",
                mend="look at the bucket's name in the manifest, or make it: toolkit bucket put MANIFEST FOLDER",
                context={"reason": "absent"},
            )
        return ToolkitError(Code.LOADING_DATA, what, evidence=str(error), context={"reason": code})
