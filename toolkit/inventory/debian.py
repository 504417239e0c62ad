"""The Debian packages of an image, from dpkg's own records: `status`, `info/*.list` and the copyright files.

All but the lists are Debian's control files: paragraphs of fields (deb822(5)), some of them relations between packages
(deb-control(5)).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from toolkit.image.labels import LOCK_IN_IMAGE
from toolkit.inventory.lock import lock_of
from toolkit.inventory.model import DEB, UNNAMED_LICENCE, File, Need, Package

STATUS = "/var/lib/dpkg/status"
LISTS = "/var/lib/dpkg/info/"
DOCS = "/usr/share/doc/"
_FORMAT = "copyright-format"
_LONGEST_NAME = 50
"""Characters: a longer first line of `License:` is the licence's text, not its name."""
_INSTALLED = "installed"
_BLANK = re.compile(r"\n[ \t]*\n")
_NAME = re.compile(r"\s*([a-z0-9][a-z0-9+.-]*)", re.IGNORECASE)


def debian_packages(texts: Mapping[str, str], files: Mapping[str, File]) -> Iterator[Package]:
    """Every package that is installed according to `status`.

    If packages were only unpacked, as for an image that needs no dpkg, there is no `status`: the lock in the image
    lists them, without their dependencies and files.

    Args:
        texts: dpkg's records and the copyright files, by their paths.
        files: the image's files, by their paths.
    """
    if not texts.get(STATUS, "").strip():
        yield from _unpacked(texts, files)
    for fields in paragraphs(texts.get(STATUS, "")):
        if fields.get("status", "").split()[-1:] != [_INSTALLED] or "package" not in fields:
            continue
        name, architecture = fields["package"], fields.get("architecture", "")
        needs = (*relations(fields.get("pre-depends", "")), *relations(fields.get("depends", "")))
        yield Package(
            kind=DEB,
            name=name,
            version=fields.get("version", ""),
            architecture=architecture,
            licences=_licences(name, texts, files),
            files=tuple(_own_files(name, architecture, texts, files)),
            needs=tuple(Need(names) for names in dict.fromkeys(needs)),
            provides=tuple(name for (name,) in relations(fields.get("provides", ""))),
            essential=fields.get("essential") == "yes",
            source=fields.get("source", name).split()[0],
            maker=fields.get("maintainer", ""),
        )


def declared_licences(copyright_file: str) -> tuple[str, ...]:
    """The names in a machine-readable copyright file (DEP-5): those of its files' paragraphs, without duplicates.

    Empty if the file is not machine-readable.
    """
    head, *rest = list(paragraphs(copyright_file)) or [{}]
    if _FORMAT not in head.get("format", ""):
        return ()
    names = [fields["license"].splitlines()[0] for fields in rest if "files" in fields and fields.get("license")]
    return tuple(dict.fromkeys(_name(name) for name in names))


def _unpacked(texts: Mapping[str, str], files: Mapping[str, File]) -> Iterator[Package]:
    lock = lock_of(texts.get(LOCK_IN_IMAGE, ""))
    for pin in lock.debs if lock else ():
        licences = _licences(pin.name, texts, files)
        yield Package(DEB, pin.name, pin.version, pin.architecture, licences=licences, source=pin.name)


def _name(line: str) -> str:
    name = " ".join(line.split())
    return name if 0 < len(name) <= _LONGEST_NAME else UNNAMED_LICENCE


def _licences(name: str, texts: Mapping[str, str], files: Mapping[str, File]) -> tuple[str, ...]:
    folder = f"{DOCS}{name}"
    link = files.get(folder)
    if link and link.kind == "link":
        folder = DOCS + link.content.rpartition("/")[2]
    return declared_licences(texts.get(f"{folder}/copyright", ""))


def _own_files(name: str, architecture: str, texts: Mapping[str, str], files: Mapping[str, File]) -> Iterator[str]:
    """The package's files that exist; folders belong to all."""
    listed = texts.get(f"{LISTS}{name}:{architecture}.list") or texts.get(f"{LISTS}{name}.list", "")
    for line in listed.splitlines():
        path = _real(line, files)
        if path in files and files[path].kind != "folder":
            yield path


def _real(path: str, files: Mapping[str, File]) -> str:
    """`/bin/sh` as `/usr/bin/sh`, if `/bin` is a link: dpkg's lists have the former path."""
    top, slash, rest = path[1:].partition("/")
    link = files.get(f"/{top}")
    return f"/{link.content.strip('/')}/{rest}" if slash and link and link.kind == "link" else path


def paragraphs(text: str) -> Iterator[Mapping[str, str]]:
    """Each paragraph's fields, names in lower case; the lines of a field's value are kept separate."""
    for block in _BLANK.split(text.replace("\r\n", "\n")):
        fields: dict[str, str] = {}
        name = ""
        for line in block.splitlines():
            if line.startswith("#"):
                continue
            if line[:1] in (" ", "\t"):
                if name:
                    fields[name] += f"\n{line.strip()}"
            elif ":" in line:
                name, _, value = line.partition(":")
                name = name.strip().lower()
                fields[name] = value.strip()
        if fields:
            yield fields


def relations(value: str) -> tuple[tuple[str, ...], ...]:
    """The requirements in `Depends`: for each entry, the alternative names; versions and architectures are omitted."""
    entries = (entry.split("|") for entry in value.split(",") if entry.strip())
    named = (tuple(match[1] for part in entry if (match := _NAME.match(part))) for entry in entries)
    return tuple(names for names in named if names)
