"""An image's origin: an in-toto statement (v1) with SLSA provenance (v1) as its predicate. Pure.

The inputs are read from the image's labels and its lock. When and where it was built is not part of the image:
it is given as a `BuildRun`, and left out if it is unknown.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from toolkit import __version__
from toolkit.image import labels as label
from toolkit.inventory.images import EngineImage
from toolkit.lock.model import Lock
from toolkit.sbom.subject import deb_url, pypi_url

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:toolkit:image-build:1"
"""Identifies the meaning of the parameters below; incremented when that changes."""
BUILDER = "urn:toolkit:builder"


@dataclass(frozen=True)
class BuildRun:
    """One build of an image: a unique id, start and end (UTC, as in `2026-03-04T05:06:07Z`), the versions.

    `engine` is the container engine's version, `tool` this tool's.
    """

    invocation: str
    started: str
    finished: str
    engine: str
    tool: str = __version__


def provenance(image: EngineImage, lock: Lock | None, distribution: str, run: BuildRun | None = None) -> str:
    """The statement's text.

    Args:
        lock: the lock in the image; without one, no dependency is resolved.
        distribution: the name in the packages' URLs, as in os-release.
        run: when and by what it was built, if known.
    """
    statement = {
        "_type": STATEMENT,
        "subject": [{"name": image.own_name, "digest": {"sha256": image.image_id.removeprefix("sha256:")}}],
        "predicateType": PREDICATE,
        "predicate": {"buildDefinition": _definition(image, lock, distribution), "runDetails": _details(run)},
    }
    return json.dumps(statement, indent=1, ensure_ascii=False) + "\n"


def read_run(text: str) -> BuildRun | None:
    """The `BuildRun` in a statement written by `provenance`; None if it has none, or if `text` is not a statement."""
    try:
        details = json.loads(text)["predicate"]["runDetails"]
        metadata, versions = details["metadata"], details["builder"]["version"]
        words = [metadata[name] for name in ("invocationId", "startedOn", "finishedOn")]
        words += [versions[name] for name in ("engine", "toolkit")]
    except (ValueError, KeyError, TypeError):
        return None
    return BuildRun(*map(str, words))


def _definition(image: EngineImage, lock: Lock | None, distribution: str) -> dict[str, Any]:
    inputs = dict(pair.rpartition("=")[::2] for pair in image.labels.get(label.INPUTS, "").split())
    return {
        "buildType": BUILD_TYPE,
        "externalParameters": {"combination": image.labels.get(label.COMBINATION, ""), "recipe": _recipe(image.labels)},
        "internalParameters": {"inputs": inputs, "inputsSha256": image.labels.get(label.INPUTS_SHA256, "")},
        "resolvedDependencies": list(_dependencies(lock, distribution)) if lock else [],
    }


def _recipe(labels: Mapping[str, str]) -> Any:
    try:
        return json.loads(labels.get(label.RECIPE, "{}"))
    except ValueError:
        return {}


def _dependencies(lock: Lock, distribution: str) -> Iterator[dict[str, Any]]:
    yield {"name": "template", "digest": {"sha256": lock.template}}
    for deb in lock.debs:
        url = deb_url(deb.name, deb.version, deb.architecture, distribution).to_string()
        place = {"archive": deb.archive, "path": deb.path}
        yield {"name": deb.file, "uri": url, "digest": {"sha256": deb.sha256}, "annotations": place}
    for wheel in lock.wheels:
        url = pypi_url(wheel.name, wheel.version).to_string()
        yield {"name": wheel.file, "uri": url, "digest": {"sha256": wheel.sha256}}


def _details(run: BuildRun | None) -> dict[str, Any]:
    if run is None:
        return {"builder": {"id": BUILDER}}
    times = {"invocationId": run.invocation, "startedOn": run.started, "finishedOn": run.finished}
    return {"builder": {"id": BUILDER, "version": {"toolkit": run.tool, "engine": run.engine}}, "metadata": times}
