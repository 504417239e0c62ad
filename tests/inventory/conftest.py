"""A small image, as the tar that an engine would send."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping

import pytest

from toolkit.inventory.model import Contents
from toolkit.inventory.read import read_contents

SITE = "opt/venv/lib/python3.11/site-packages"
STATUS = """Package: bash
Essential: yes
Status: install ok installed
Architecture: amd64
Source: bash (5.2.15-2)
Version: 5.2.15-2+b13
Pre-Depends: libc6 (>= 2.36), awk
Maintainer: Matthias Klose <doko@debian.org>
Description: GNU Bourne Again SHell
 Bash is a shell.
 .
 Depends: this is a line of a description

Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9
Depends: libgcc-s1

Package: libgcc-s1
Status: install ok installed
Architecture: amd64
Version: 12.2.0
Depends: libc6 (>= 2.35)

Package: mawk
Status: install ok installed
Architecture: amd64
Version: 1.3.4
Provides: awk (= 1)
Depends: libc6 (>= 2.34) | musl

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1
"""
COPYRIGHT = """Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
License: header-only

Files: *
Copyright: someone
License: GPL-3+
 The text of it.

Files: doc/*
License: GFDL-NIV-1.3+

License: Expat
 Permission is hereby granted
"""
KERAS = """Metadata-Version: 2.1
Name: Keras
Version: 3.15.1
License: Apache License 2.0
Requires-Dist: rich>=13
Requires-Dist: Absl_Py; sys_platform == "win32"
Requires-Dist: extra-thing[fast]; extra == "more"

Name: not a header any more
"""


def metadata(name: str, version: str, *lines: str) -> str:
    return "\n".join(["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *lines, "", "A text."])


SAMPLE: Mapping[str, str] = {
    "etc/os-release": 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
    "var/lib/dpkg/status": STATUS,
    "var/lib/dpkg/info/bash.list": "/.\n/bin\n/bin/bash\n/usr/share/doc/bash/copyright\n/nowhere\n",
    "var/lib/dpkg/info/libc6:amd64.list": "/lib/libc.so.6\n",
    "usr/share/doc/bash/copyright": COPYRIGHT,
    "usr/share/doc/libc6/copyright": "This is the GNU C Library.\nLicense: LGPL\n",
    "usr/bin/bash": "shell",
    "usr/lib/libc.so.6": "library!",
    f"{SITE}/keras/__init__.py": "import rich",
    f"{SITE}/keras/__pycache__/__init__.cpython-311.pyc": "compiled",
    f"{SITE}/keras-3.15.1.dist-info/METADATA": KERAS,
    f"{SITE}/keras-3.15.1.dist-info/RECORD": "keras/__init__.py,sha256=x,11\nkeras-3.15.1.dist-info/METADATA,,\n",
    f"{SITE}/rich-15.0.0.dist-info/METADATA": metadata("rich", "15.0.0", "License-Expression: MIT"),
    f"{SITE}/rich-15.0.0.dist-info/RECORD": (
        "rich-15.0.0.dist-info/METADATA,,\n../../../bin/rich,sha256=x,4\nrich/_vendor/six-1.0.dist-info/METADATA,,\n"
    ),
    "opt/venv/bin/rich": "rich",
    f"{SITE}/rich/_vendor/six-1.0.dist-info/METADATA": metadata(
        "six", "1.0", "Classifier: License :: OSI Approved :: MIT License"
    ),
    "opt/ddl/ddl/__init__.py": "ddl",
    "etc/motd": "hello",
    "etc/hostname": "made by the engine",
    "dev/console": "",
}
LINKS = {"bin": "usr/bin", "lib": "usr/lib", "usr/share/doc/mawk": "bash", "usr/bin/sh": "bash"}


def tar_of(files: Mapping[str, str], links: Mapping[str, str] = LINKS) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, target in links.items():
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            tar.addfile(link)
        folder = tarfile.TarInfo("opt")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(folder)
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(text.encode()), 0o644
            tar.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()


def read(files: Mapping[str, str]) -> Contents:
    return read_contents(io.BytesIO(tar_of(files)))


@pytest.fixture
def contents() -> Contents:
    return read(SAMPLE)
