"""Access to an S3 store: endpoint, keys, properties, and boto3's client."""

from __future__ import annotations

import base64
import threading
from dataclasses import dataclass
from functools import cache
from typing import Any

from toolkit.loopback import is_loopback
from toolkit.secrets import Secret

DEFAULT_REGION = "us-east-1"
_ABOUT_OBJECTS = (
    *("PutObject", "GetObject", "HeadObject"),
    *("CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"),
)
"""Of the operations that `toolkit.storage.s3` uses, those that accept a customer's key."""
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class Access:
    """An endpoint and its keys, resolved.

    Attributes:
        prefix: the part of the bucket to use; every key begins with it.
        region: that requests are signed for; empty if not known yet, which means `us-east-1` at first.
        virtual_hosted: whether the bucket's name is part of the host name instead of the path.
        md5_etags: whether the ETag of an object uploaded in one piece is its MD5.
        encryption, kms_key: the store's default encryption and its key, as the store reports them; empty if there is
            none.
        customer_key: the key that each request names for encryption (SSE-C): 32 bytes, base64.
        direct: whether it is reached without a proxy, whatever the environment says: the tool's own server.
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
    """Import it before anything is started: Python loses a Ctrl-C during an import (a lock's callback swallows it)."""
    import boto3
    import boto3.s3.transfer  # noqa: F401


def client_of(access: Access) -> Any:
    """boto3's client."""
    load_boto3()
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
    with _ONE_AT_A_TIME:  # creating a client is not thread-safe, using it is
        client = _session().client(
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


@cache
def _session() -> Any:
    """boto3's session, which leaves times as text: nothing here reads one, and parsing them takes most of the time of a
    long list."""
    import boto3
    import botocore.session

    core = botocore.session.get_session()
    core.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=str)
    return boto3.Session(botocore_session=core)


def _name_key(client: Any, key: Secret) -> None:
    """Add the customer's key to every request that accepts it; botocore itself adds the key's MD5."""

    def name_key(params: dict[str, Any], **_: object) -> None:
        params.update(SSECustomerAlgorithm="AES256", SSECustomerKey=base64.b64decode(key.reveal()))

    for operation in _ABOUT_OBJECTS:
        client.meta.events.register_first(f"before-parameter-build.s3.{operation}", name_key)
