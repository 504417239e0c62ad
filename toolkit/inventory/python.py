"""The Python distributions of an image, from pip's records: `*.dist-info/METADATA` and `RECORD`."""

from __future__ import annotations

import csv
import posixpath
import re
from collections.abc import Iterator, Mapping
from email.message import Message
from email.parser import HeaderParser

from packaging.utils import canonicalize_name

from toolkit.compatibility.bounds import requirement_of
from toolkit.inventory.model import PYTHON, UNNAMED_LICENCE, File, Need, Package

METADATA = ".dist-info/METADATA"
RECORD = ".dist-info/RECORD"
_CLASSIFIER = "License ::"
_LONGEST_NAME = 80
_PYTHON = re.compile(r"/python(\d+(?:\.\d+)?)/")


def python_packages(texts: Mapping[str, str], files: Mapping[str, File]) -> Iterator[Package]:
    """Every distribution that has a METADATA file among `texts`, by path; `files` are the image's."""
    for path, text in texts.items():
        if path.endswith(METADATA):
            yield _package(path, HeaderParser().parsestr(text), texts, files)


def declared_licences(metadata: Message) -> tuple[str, ...]:
    """The expression (PEP 639) if there is one; else the `License` field, if it is a name, and the classifiers."""
    if expression := _word(metadata, "License-Expression"):
        return (expression,)
    classifiers = [str(line) for line in metadata.get_all("Classifier", []) if str(line).startswith(_CLASSIFIER)]
    field = str(metadata.get("License", "")).strip()
    if field in ("", "UNKNOWN"):
        return tuple(classifiers)
    if "\n" in field or len(field) > _LONGEST_NAME:
        return tuple(classifiers) or (UNNAMED_LICENCE,)
    return (field, *classifiers)


def needs(lines: list[str], python: str) -> Iterator[Need]:
    """The requirements in `Requires-Dist` for this Python, on Linux; an extra's are marked with it."""
    for requirement in filter(None, map(requirement_of, lines)):
        name, extras = canonicalize_name(requirement.name), tuple(sorted(requirement.extras))
        machine = environment(python)
        if requirement.marker is None or requirement.marker.evaluate({**machine, "extra": ""}):
            yield Need((name,), extras)
            continue
        for extra in sorted(set(re.findall(r"""extra\s*==\s*["']([^"']+)["']""", str(requirement.marker)))):
            if requirement.marker.evaluate({**machine, "extra": extra}):
                yield Need((name,), extras, canonicalize_name(extra))


def environment(python: str) -> dict[str, str]:
    """The environment that markers are evaluated in: an image's machine, not this one."""
    return {
        "implementation_name": "cpython",
        "implementation_version": f"{python}.0",
        "os_name": "posix",
        "platform_machine": "x86_64",
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": f"{python}.0",
        "python_version": python,
        "sys_platform": "linux",
    }


def _package(path: str, metadata: Message, texts: Mapping[str, str], files: Mapping[str, File]) -> Package:
    place = posixpath.dirname(posixpath.dirname(path))
    python = found[1] if (found := _PYTHON.search(path)) else "3"
    asked = [str(line) for line in metadata.get_all("Requires-Dist", [])]
    record = texts.get(path.removesuffix(METADATA) + RECORD, "")
    own = dict.fromkeys(_own_files(record, place, files))
    return Package(
        kind=PYTHON,
        name=canonicalize_name(_word(metadata, "Name")),
        version=_word(metadata, "Version"),
        place=place,
        licences=declared_licences(metadata),
        files=tuple(own) or ((path,) if path in files else ()),
        needs=tuple(dict.fromkeys(needs(asked, python))),
        maker=_word(metadata, "Author") or _word(metadata, "Author-email"),
    )


def _own_files(record: str, place: str, files: Mapping[str, File]) -> Iterator[str]:
    for row in csv.reader(record.splitlines()):
        path = posixpath.normpath(posixpath.join(place, row[0])) if row else ""
        if path in files:
            yield path


def _word(metadata: Message, name: str) -> str:
    return " ".join(str(metadata.get(name, "")).split())
