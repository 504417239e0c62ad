"""An S3 store's endpoint, its keys and its ways, and boto3's client of it."""

from __future__ import annotations

import base64
import threading
from dataclasses import dataclass
from typing import Any

from toolkit.loopback import is_loopback
from toolkit.secrets import Secret

DEFAULT_REGION = "us-east-1"
_ABOUT_OBJECTS = [
    "PutObject",
    "GetObject",
    "HeadObject",
    "CreateMultipartUpload",
    "UploadPart",
    "CompleteMultipartUpload",
]
"""Of the operations that `toolkit.storage.s3` uses, those that take a customer's key."""
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class Access:
    """An endpoint and its keys, resolved.

    Attributes:
        prefix: the part of the bucket that is meant; it begins every key.
        region: that requests are signed for; empty where it is not known yet, which is `us-east-1` to begin with.
        virtual_hosted: whether the bucket's name is part of the host's, and not of the path.
        md5_etags: whether the ETag of an object that was put whole is its MD5.
        encryption, kms_key: how the store encrypts what is put there without a word, and with which key, as it says
            itself; empty where it does not.
        customer_key: what the store encrypts each object with because the request says so (SSE-C): 32 bytes, base64.
        direct: whether it is reached without a proxy whatever the environment says: the tool's own server.
    """

    endpoint_url: str
    access_key_id: Secret
    secret_access_key: Secret
    prefix: str = ""
    session_token: Secret | None = None
    region: str = ""
    virtual_hosted: bool = False
    md5_etags: bool = True
    encryption: str = ""
    kms_key: str = ""
    customer_key: Secret | None = None
    direct: bool = False


def load_boto3() -> None:
    """Import all of it, before anything is started: Python loses a Ctrl-C that comes while a module is imported, as a
    lock's callback swallows it."""
    import boto3
    import boto3.s3.transfer  # noqa: F401


def client_of(access: Access) -> Any:
    """boto3's client."""
    load_boto3()
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=5,
        read_timeout=60,
        retries={"mode": "standard", "total_max_attempts": 2},
        proxies={} if access.direct or is_loopback(access.endpoint_url) else None,
        s3={"addressing_style": "virtual" if access.virtual_hosted else "path"},
        # Trailing checksums are Amazon's own; older and smaller S3 servers refuse them.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    with _ONE_AT_A_TIME:  # making a client is not safe in threads, using it is
        client = boto3.client(
            "s3",
            endpoint_url=access.endpoint_url,
            aws_access_key_id=access.access_key_id.reveal(),
            aws_secret_access_key=access.secret_access_key.reveal(),
            aws_session_token=access.session_token.reveal() if access.session_token else None,
            region_name=access.region or DEFAULT_REGION,
            config=config,
        )
    if access.customer_key:
        _name_key(client, access.customer_key)
    return client


def _name_key(client: Any, key: Secret) -> None:
    """Name the customer's key in every request that may; botocore itself adds the key's MD5."""

    def name_key(params: dict[str, Any], **_: object) -> None:
        params.update(SSECustomerAlgorithm="AES256", SSECustomerKey=base64.b64decode(key.reveal()))

    for operation in _ABOUT_OBJECTS:
        client.meta.events.register_first(f"before-parameter-build.s3.{operation}", name_key)
