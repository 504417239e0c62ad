"""An image's packages as CycloneDX 1.6 in JSON, by the project's own library. Pure: same image, same bytes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.bom_ref import BomRef
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.dependency import Dependency
from cyclonedx.model.license import DisjunctiveLicense, LicenseAcknowledgement, LicenseExpression
from cyclonedx.model.tool import ToolRepository
from cyclonedx.output.json import JsonV1Dot6

from toolkit import __version__
from toolkit.inventory.model import Package
from toolkit.inventory.trees import TREE
from toolkit.sbom.licences import licence_of
from toolkit.sbom.subject import Subject

_DECLARED = LicenseAcknowledgement.DECLARED


def cyclonedx_document(subject: Subject) -> str:
    """The document's text. Its serial number is derived from the image id, its time is the image's own."""
    image = Component(
        type=ComponentType.CONTAINER,
        name=subject.name,
        version=subject.version,
        bom_ref=subject.image.image_id,
        hashes=[_sha256(subject.digest)],
    )
    tool = Component(type=ComponentType.APPLICATION, name="toolkit", version=__version__)
    carried: dict[str, list[Package]] = {}
    for package in subject.contents.packages:
        carried.setdefault(package.carried_by, []).append(package)
    bom = Bom(
        serial_number=subject.uuid,
        metadata=BomMetaData(
            component=image,
            timestamp=datetime.fromisoformat(subject.image.created),
            tools=ToolRepository(components=[tool]),
        ),
        components=[_component(package, carried, subject) for package in carried.get("", ())],
        dependencies=_dependencies(subject),
    )
    return JsonV1Dot6(bom).output_as_string(indent=1) + "\n"


def _component(package: Package, carried: dict[str, list[Package]], subject: Subject) -> Component:
    pin = subject.downloads.of(package)
    return Component(
        type=ComponentType.FILE if package.kind == TREE else ComponentType.LIBRARY,
        name=package.name,
        version=package.version,
        bom_ref=package.key,
        purl=subject.purl(package),
        hashes=[_sha256(pin.sha256)] if pin else None,
        licenses=list(_licences(package)),
        components=[_component(one, carried, subject) for one in carried.get(package.key, ())],
        properties=list(_properties(package)),
    )


def _licences(package: Package) -> Iterator[LicenseExpression | DisjunctiveLicense]:
    licence = licence_of(package)
    if licence.certain:
        yield LicenseExpression(licence.expression, acknowledgement=_DECLARED)
        return
    for declared, _ in licence.pieces:
        yield DisjunctiveLicense(name=declared, acknowledgement=_DECLARED)


def _properties(package: Package) -> Iterator[Property]:
    yield Property(name="toolkit:bytes", value=str(package.size))
    if package.source:
        yield Property(name="toolkit:source", value=package.source)
    if package.place:
        yield Property(name="toolkit:place", value=package.place)


def _dependencies(subject: Subject) -> Iterator[Dependency]:
    roots = sorted({key for key, _ in subject.graph.roots})
    yield Dependency(BomRef(subject.image.image_id), [Dependency(BomRef(key)) for key in roots])
    for key, asked in subject.graph.dependencies().items():
        yield Dependency(BomRef(key), [Dependency(BomRef(other)) for other in asked])


def _sha256(digest: str) -> HashType:
    return HashType(alg=HashAlgorithm.SHA_256, content=digest)
