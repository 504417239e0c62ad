"""A stand-in S3 server: real HTTP and S3's own answers, with a store's ways that no store here has.

It checks no signature. What it can be set to do: give ETags that are no MD5, as SSE-KMS, DSSE and SSE-C do; insist on
a region; damage what is stored, whole objects or uploads in parts, and say nothing of it; keep no metadata; refuse.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from xml.sax.saxutils import escape

_CREDENTIAL = re.compile(r"Credential=[^/]+/\d+/([^/]+)/")
_QUERY_CREDENTIAL = re.compile(r"[^/]+/\d+/([^/]+)/")
_MODIFIED = "Thu, 01 Jan 2026 00:00:00 GMT"
_XML = '<?xml version="1.0" encoding="UTF-8"?>'


def md5(data: bytes) -> bytes:
    """Of an object or a part."""
    return hashlib.md5(data, usedforsecurity=False).digest()


@dataclass
class Held:
    """An object: what is stored, the ETag and the metadata that it is given out with."""

    data: bytes
    etag: str
    metadata: dict[str, str] = field(default_factory=dict)


class StandInS3(ThreadingHTTPServer):
    """A store on this machine's loopback.

    Attributes:
        objects: by `bucket/key`.
        md5_etags: whether an ETag is the MD5 of its object, or of an upload's parts, as on plain S3.
        region: that requests must be signed for; any where it is empty.
        tells_region: whether a refusal names the region, as Amazon does.
        damages: "" (nothing), "parts" (what was uploaded in parts), or a part of the names that are damaged.
        keeps_metadata: whether `x-amz-meta-…` come back.
        refuses: by the beginnings of `bucket/key`, the status that writes get.
        encryption, kms_key: what it says of how it encrypts.
        asked_encryption: what each write asked for of that.
        hides: objects, by `bucket/key`, that nobody may read.
        customer_key: that each object is encrypted with (SSE-C), base64: a request about one must name it.
        made: what each bucket was made with.
        turn: done before each request.
        seen: each request, `METHOD path`; `regions` is what each was signed for.
    """

    daemon_threads = True

    def __init__(
        self, *, md5_etags: bool = True, region: str = "", customer_key: str = "", address: str = "127.0.0.1"
    ) -> None:
        super().__init__((address, 0), Answer)
        self.objects: dict[str, Held] = {}
        self.buckets: set[str] = set()
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.upload_metadata: dict[str, dict[str, str]] = {}
        self.md5_etags, self.region = md5_etags, region
        self.customer_key = customer_key
        self.tells_region = True
        self.damages = ""
        self.keeps_metadata = True
        self.refuses: dict[str, int] = {}
        self.encryption = self.kms_key = ""
        self.asked_encryption: list[tuple[str, str] | None] = []
        self.hides: set[str] = set()
        self.made: dict[str, bytes] = {}
        self.turn: Callable[[], object] = lambda: None
        self.seen: list[str] = []
        self.regions: list[str] = []
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        """Its endpoint."""
        return f"http://{self.server_address[0]!s}:{self.server_port}"

    def etag(self, data: bytes, parts: list[bytes] | None = None) -> str:
        """What it says of an object."""
        if not self.md5_etags or self.customer_key:
            return os.urandom(16).hex() + (f"-{len(parts)}" if parts else "")
        if parts is None:
            return md5(data).hex()
        return f"{md5(b''.join(map(md5, parts))).hex()}-{len(parts)}"

    def damaged(self, name: str, data: bytes, *, in_parts: bool) -> bytes:
        """What it really stores."""
        meant = self.damages and ((self.damages == "parts" and in_parts) or self.damages in name)
        return data[:-1] + bytes([data[-1] ^ 1]) if meant and data else data


@contextmanager
def standing_in(**how: object) -> Iterator[StandInS3]:
    """The server while the context lasts."""
    server = StandInS3(**how)  # type: ignore[arg-type]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Answer(BaseHTTPRequestHandler):
    """One connection."""

    server: StandInS3
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None: ...

    def _read(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            raise NotImplementedError
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if "aws-chunked" not in self.headers.get("Content-Encoding", "") and not self.headers.get(
            "x-amz-content-sha256", ""
        ).startswith("STREAMING-"):
            return data
        whole, rest = b"", data
        while rest:
            line, _, rest = rest.partition(b"\r\n")
            size = int(line.partition(b";")[0] or b"0", 16)
            if not size:
                return whole
            whole, rest = whole + rest[:size], rest[size + 2 :]
        return whole

    def _say(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        length = {} if status == 204 else {"Content-Length": str(len(body))}
        for name, value in (length | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _refuse(
        self, status: int, code: str, more: str = "", headers: dict[str, str] | None = None, message: str = ""
    ) -> None:
        text = f"{_XML}<Error><Code>{code}</Code><Message>{message or code}</Message>{more}</Error>"
        self._say(status, text.encode(), {"Content-Type": "application/xml"} | (headers or {}))

    def _begin(self) -> tuple[str, str, dict[str, str], bytes] | None:
        """Bucket, key, query and body; None where it was refused."""
        body = self._read()
        split = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(split.query, keep_blank_values=True))
        bucket, _, key = urllib.parse.unquote(split.path).lstrip("/").partition("/")
        self.server.seen.append(f"{self.command} {bucket}/{key}")
        signed = _CREDENTIAL.search(self.headers.get("Authorization", "")) or _QUERY_CREDENTIAL.search(
            query.get("X-Amz-Credential", "")
        )
        self.server.turn()
        wanted = self.server.region
        if signed:
            self.server.regions.append(signed[1])
        if wanted and signed and signed[1] != wanted and "location" not in query:
            content = f"<Region>{wanted}</Region>" if self.server.tells_region else ""
            header = {"x-amz-bucket-region": wanted} if self.server.tells_region else {}
            self._refuse(400, "AuthorizationHeaderMalformed", content, header)
            return None
        if self.command in ("PUT", "POST") and "delete" not in query:
            for beginning, status in self.server.refuses.items():
                if f"{bucket}/{key}".startswith(beginning):
                    self._refuse(status, {403: "AccessDenied", 507: "StorageFull"}.get(status, "Refused"))
                    return None
        if key and self.command != "DELETE" and not self._names_customer_key():
            return None
        return bucket, key, query, body

    def _names_customer_key(self) -> bool:
        """Whether the request names the key that it must name, of a copy's source too; else it is refused."""
        named = [self.headers.get("x-amz-server-side-encryption-customer-key", "")]
        if self.headers.get("x-amz-copy-source"):
            named.append(self.headers.get("x-amz-copy-source-server-side-encryption-customer-key", ""))
        if all(one == self.server.customer_key for one in named):
            return True
        if self.command == "PUT" or (self.server.customer_key and any(named)):
            self._refuse(403, "AccessDenied")
        else:
            self._refuse(400, "InvalidRequest", message="The object was stored using a form of Server Side Encryption.")
        return False

    def _encryption(self) -> dict[str, str]:
        if self.server.customer_key:
            return {"x-amz-server-side-encryption-customer-algorithm": "AES256"}
        content = {
            "x-amz-server-side-encryption": self.server.encryption,
            "x-amz-server-side-encryption-aws-kms-key-id": self.server.kms_key,
        }
        return content if self.server.encryption else {}

    def _metadata(self) -> dict[str, str]:
        found = {name.lower(): value for name, value in self.headers.items()}
        return {name: value for name, value in found.items() if name.startswith("x-amz-meta-")}

    def do_PUT(self) -> None:
        if (begun := self._begin()) is None:
            return None
        bucket, key, query, body = begun
        server, name = self.server, f"{bucket}/{key}"
        with server.lock:
            if not key:
                server.buckets.add(bucket)
                server.made[bucket] = body
                return self._say(200)
            if "partNumber" in query:
                server.uploads[query["uploadId"]][int(query["partNumber"])] = body
                return self._say(200, headers={"ETag": f'"{server.etag(body)}"'})
            if source := self.headers.get("x-amz-copy-source"):
                held = server.objects.get(urllib.parse.unquote(source).lstrip("/"))
                if held is None:
                    return self._refuse(404, "NoSuchKey")
                replaced = self.headers.get("x-amz-metadata-directive") == "REPLACE"
                copy = Held(held.data, server.etag(held.data), self._metadata() if replaced else held.metadata)
                server.objects[name] = copy
                content = f"<ETag>&quot;{copy.etag}&quot;</ETag><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
                return self._say(200, f"{_XML}<CopyObjectResult>{content}</CopyObjectResult>".encode())
            held = Held(server.damaged(name, body, in_parts=False), server.etag(body), self._metadata())
            server.objects[name] = held
            asked = self.headers.get("x-amz-server-side-encryption")
            key = self.headers.get("x-amz-server-side-encryption-aws-kms-key-id", "")
            server.asked_encryption.append((asked, key) if asked else None)
            return self._say(200, headers={"ETag": f'"{held.etag}"'} | self._encryption())

    def do_POST(self) -> None:
        if (begun := self._begin()) is None:
            return None
        bucket, key, query, body = begun
        server, name = self.server, f"{bucket}/{key}"
        with server.lock:
            if "uploads" in query:
                number = os.urandom(8).hex()
                server.uploads[number], server.upload_metadata[number] = {}, self._metadata()
                content = f"<Bucket>{bucket}</Bucket><Key>{escape(key)}</Key><UploadId>{number}</UploadId>"
                text = f"{_XML}<InitiateMultipartUploadResult>{content}</InitiateMultipartUploadResult>"
                return self._say(200, text.encode())
            if "uploadId" in query:
                parts = [part for _, part in sorted(server.uploads.pop(query["uploadId"]).items())]
                data = b"".join(parts)
                held = Held(
                    server.damaged(name, data, in_parts=True),
                    server.etag(data, parts),
                    server.upload_metadata.pop(query["uploadId"]),
                )
                server.objects[name] = held
                content = f"<Bucket>{bucket}</Bucket><Key>{escape(key)}</Key><ETag>&quot;{held.etag}&quot;</ETag>"
                text = f"{_XML}<CompleteMultipartUploadResult>{content}</CompleteMultipartUploadResult>"
                return self._say(200, text.encode())
            if "delete" in query:
                for found in re.findall(r"<Key>([^<]*)</Key>", body.decode()):
                    server.objects.pop(f"{bucket}/{found}", None)
                return self._say(200, f"{_XML}<DeleteResult></DeleteResult>".encode())
        return self._refuse(501, "NotImplemented")

    def do_DELETE(self) -> None:
        if (begun := self._begin()) is None:
            return
        bucket, key, query, _ = begun
        with self.server.lock:
            self.server.uploads.pop(query.get("uploadId", ""), None)
            self.server.objects.pop(f"{bucket}/{key}", None)
        self._say(204)

    def do_GET(self) -> None:
        if (begun := self._begin()) is None:
            return None
        bucket, key, query, _ = begun
        server = self.server
        if "location" in query:
            where = "" if server.region in ("", "us-east-1") else server.region
            text = f'{_XML}<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{where}'
            return self._say(200, f"{text}</LocationConstraint>".encode())
        if not key:
            if bucket not in server.buckets:
                return self._refuse(404, "NoSuchBucket")
            region = {"x-amz-bucket-region": server.region} if server.region and server.tells_region else {}
            return self._say(200, b"" if self.command == "HEAD" else self._listing(bucket, query), region)
        with server.lock:
            held = server.objects.get(f"{bucket}/{key}")
        if held is None:
            return self._refuse(404, "NoSuchKey")
        if f"{bucket}/{key}" in server.hides:
            return self._refuse(403, "AccessDenied")
        headers = {"ETag": f'"{held.etag}"', "Last-Modified": _MODIFIED, "Content-Type": "application/octet-stream"}
        headers |= (held.metadata if server.keeps_metadata else {}) | self._encryption()
        data, status = held.data, 200
        if match := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            first, last = int(match[1]), int(match[2] or len(data) - 1)
            if first >= len(data):
                return self._refuse(416, "InvalidRange")
            headers["Content-Range"] = f"bytes {first}-{min(last, len(data) - 1)}/{len(data)}"
            data, status = data[first : last + 1], 206
        return self._say(status, data, headers | {"Content-Length": str(len(data))})

    do_HEAD = do_GET

    def _listing(self, bucket: str, query: dict[str, str]) -> bytes:
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        after = query.get("continuation-token") or query.get("marker") or query.get("start-after", "")
        most = int(query.get("max-keys") or 1000)
        urls = query.get("encoding-type") == "url"
        shown = urllib.parse.quote if urls else (lambda text: escape(text, {"\n": "&#xA;", "\r": "&#xD;"}))
        with self.server.lock:
            keys = sorted(
                name.removeprefix(f"{bucket}/") for name in self.server.objects if name.startswith(f"{bucket}/{prefix}")
            )
            held = dict(self.server.objects)
        items, folders, last, count = [], [], "", 0
        for key in keys:
            rest = key[len(prefix) :]
            folder = prefix + rest[: rest.index(delimiter) + 1] if delimiter and delimiter in rest else ""
            if key <= after or (folder and (folder in folders or after.startswith(folder))):
                continue
            if count == most:
                break
            count, last = count + 1, folder or key
            if folder:
                folders.append(folder)
                continue
            one = held[f"{bucket}/{key}"]
            items.append(
                f"<Contents><Key>{shown(key)}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
                f"<ETag>&quot;{one.etag}&quot;</ETag><Size>{len(one.data)}</Size></Contents>"
            )
        else:
            last = ""
        more = (
            f"<IsTruncated>true</IsTruncated><NextMarker>{shown(last)}</NextMarker>"
            f"<NextContinuationToken>{shown(last)}</NextContinuationToken>"
            if last
            else "<IsTruncated>false</IsTruncated>"
        )
        common = "".join(f"<CommonPrefixes><Prefix>{shown(one)}</Prefix></CommonPrefixes>" for one in folders)
        kind = "<EncodingType>url</EncodingType>" if urls else ""
        return (
            f"{_XML}<ListBucketResult><Name>{bucket}</Name>{kind}{more}{''.join(items)}{common}</ListBucketResult>"
        ).encode()
