"""An image's packages as SPDX 2.3 in JSON (spdx.github.io/spdx-spec/v2.3). Pure: same image, same bytes.

`created` is the image's own creation time, which is fixed, so the time of the request is nowhere in the document.
Files are not listed: a package's entry has its size in the image in bytes, and the file it was downloaded as.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any

from toolkit import __version__
from toolkit.inventory.model import DEB, Package
from toolkit.sbom.licences import Licence, joined, licence_of
from toolkit.sbom.subject import Subject

_NO_ASSERTION = "NOASSERTION"
_DOCUMENT = "SPDXRef-DOCUMENT"
_IMAGE = "SPDXRef-image"
_NOT_ALLOWED = re.compile(r"[^A-Za-z0-9.]+")


def spdx_document(subject: Subject) -> str:
    """The document's text."""
    licences = [licence_of(package) for package in subject.contents.packages]
    document = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": _DOCUMENT,
        "name": subject.image.own_name,
        "documentNamespace": f"https://spdx.org/spdxdocs/{_slug(subject.name)}-{subject.uuid}",
        "creationInfo": {"created": subject.image.created, "creators": [f"Tool: toolkit-{__version__}"]},
        "documentDescribes": [_IMAGE],
        "packages": [_image(subject), *(_package(package, subject) for package in subject.contents.packages)],
        "hasExtractedLicensingInfos": list(_own_words(licences)),
        "relationships": list(_relationships(subject)),
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _image(subject: Subject) -> dict[str, Any]:
    return {
        "SPDXID": _IMAGE,
        "name": subject.name,
        "versionInfo": subject.version,
        "primaryPackagePurpose": "CONTAINER",
        "downloadLocation": _NO_ASSERTION,
        "filesAnalyzed": False,
        "checksums": [{"algorithm": "SHA256", "checksumValue": subject.digest}],
        "comment": "The checksum is the image id: that of the image's configuration, which names its layers.",
        "licenseConcluded": _NO_ASSERTION,
        "licenseDeclared": _NO_ASSERTION,
        "copyrightText": _NO_ASSERTION,
    }


def _package(package: Package, subject: Subject) -> dict[str, Any]:
    pin = subject.downloads.of(package)
    purl = subject.purl(package)
    entry: dict[str, Any] = {
        "SPDXID": _id(package),
        "name": package.name,
        "versionInfo": package.version,
        "downloadLocation": _NO_ASSERTION,
        "filesAnalyzed": False,
        "licenseConcluded": _NO_ASSERTION,
        "licenseDeclared": _declared(licence_of(package)),
        "copyrightText": _NO_ASSERTION,
        "comment": f"{len(package.files)} files, {package.size} bytes in the image",
    }
    if pin:
        entry["packageFileName"] = pin.file
        entry["checksums"] = [{"algorithm": "SHA256", "checksumValue": pin.sha256}]
    if purl:
        locator = {"referenceType": "purl", "referenceLocator": purl.to_string()}
        entry["externalRefs"] = [{"referenceCategory": "PACKAGE-MANAGER", **locator}]
    if package.kind == DEB and package.source:
        entry["sourceInfo"] = f"built from the source package {package.source}"
    return entry


def _relationships(subject: Subject) -> Iterator[dict[str, str]]:
    yield _relationship(_DOCUMENT, "DESCRIBES", _IMAGE)
    by_key = subject.contents.by_key
    for package in subject.contents.packages:
        outer = _id(by_key[package.carried_by]) if package.carried_by else _IMAGE
        yield _relationship(outer, "CONTAINS", _id(package))
    for key, asked in subject.graph.dependencies().items():
        for other in asked:
            yield _relationship(_id(by_key[key]), "DEPENDS_ON", _id(by_key[other]))


def _relationship(one: str, kind: str, other: str) -> dict[str, str]:
    return {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}


def _declared(licence: Licence) -> str:
    if not licence.pieces:
        return _NO_ASSERTION
    return joined([spdx or _own_id(declared) for declared, spdx in licence.pieces])


def _own_words(licences: list[Licence]) -> Iterator[dict[str, str]]:
    """Licences without a certain SPDX name, each once, in the packages' own words."""
    words = {declared for licence in licences for declared, spdx in licence.pieces if not spdx}
    for declared in sorted(words):
        yield {
            "licenseId": _own_id(declared),
            "name": declared,
            "extractedText": f"Declared as `{declared}`; the text lies in the image, with the packages that say so.",
        }


def _own_id(declared: str) -> str:
    return f"LicenseRef-{_slug(declared)}-{hashlib.sha256(declared.encode()).hexdigest()[:8]}"


def _id(package: Package) -> str:
    """Unique in the image: a package that is installed twice has two locations."""
    return f"SPDXRef-{package.kind}-{_slug(package.name)}-{hashlib.sha256(package.key.encode()).hexdigest()[:8]}"


def _slug(text: str) -> str:
    return _NOT_ALLOWED.sub("-", text).strip("-")
