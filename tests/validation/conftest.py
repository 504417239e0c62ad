"""Files as an exported image has them."""

from __future__ import annotations

import io
import tarfile

import pytest

from toolkit.validation.file_checks import judge_files
from toolkit.validation.file_scan import Seen

PRIVATE_KEY = (
    "-----BEGIN {}PRIVATE KEY-----\n" + "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n" * 2
)


def reported(*files: Seen, settings: dict[str, object] | None = None) -> list[str]:
    """What an image of `files` would be refused for."""
    findings = judge_files([Seen("etc/os-release"), *files], settings or {})
    return [str(finding) for finding in findings if finding.verdict == "fail"]


def text(path: str, content: str | bytes, mode: int = 0o644) -> Seen:
    """A small file."""
    data = content.encode() if isinstance(content, str) else content
    return Seen(path, mode=mode, size=len(data), content=data)


@pytest.fixture
def tar() -> io.BytesIO:
    """A tar with a file of every kind, as `docker export` writes it."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:

        def add(name: str, kind: bytes = tarfile.REGTYPE, content: bytes = b"", **fields: object) -> None:
            info = tarfile.TarInfo(name)
            info.type, info.size = kind, len(content)
            for field, value in fields.items():
                setattr(info, field, value)
            archive.addfile(info, io.BytesIO(content))

        add("etc/", tarfile.DIRTYPE, mode=0o755)
        add("usr/bin/su", content=b"su", mode=0o4755)
        add("usr/bin/also-su", tarfile.LNKTYPE, linkname="usr/bin/su", mode=0o4755)
        add("usr/bin/link", tarfile.SYMTYPE, linkname="su")
        add("disk", tarfile.BLKTYPE, mode=0o600)
        add("pipe", tarfile.FIFOTYPE)
        add("usr/bin/ping", mode=0o755, pax_headers={"SCHILY.xattr.security.capability": "\x01\x00\x00\x02\udcff"})
        add("large", content=bytes(200_000), uid=1000)
        add("etc/ssl/certs/ca-certificates.crt", content=b"c" * 200_000)
    stream.seek(0)
    return stream
