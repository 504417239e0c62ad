"""FfDL's dialect, version 1: learners instead of nodes, one or two data stores with containers.

Its names are those of `ManifestV1` in restapi/api_v1/server/manifest.go of IBM/FfDL. FfDL ignored unknown names, and
used 512 MB for a memory size that it could not read; here the first is an error, and so is the second unless it is
clear what was meant.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, Tag

from toolkit.catalogue.model import Framework
from toolkit.manifest.compute import CPU, MAX_GPUS, Configuration
from toolkit.manifest.diagnostics import Diagnostics
from toolkit.manifest.dialect import Dialect, ManifestFile, names_at_top
from toolkit.manifest.dialects.steps import is_several_lines, one_line, steps_of
from toolkit.manifest.dialects.stores import StoreSection, allowed
from toolkit.manifest.dialects.wml import spelled_out
from toolkit.manifest.fields import (
    Absolute,
    Bucket,
    Choice,
    Cpus,
    Label,
    Name,
    Nodes,
    Prose,
    Relative,
    SizeOfFfdl,
    Url,
    Version,
    by_shape,
    commands_in,
)
from toolkit.manifest.key_fields import Key
from toolkit.manifest.model import (
    BucketReference,
    Compute,
    Connection,
    DataReference,
    FolderReference,
    Manifest,
    Step,
)
from toolkit.manifest.units import bytes_of, ffdl_size
from toolkit.metrics.regex_lines import NO_EXPRESSIONS, TYPE, Extractor, read_extractor
from toolkit.yaml.source import Source
from toolkit.yaml.validate import Section

# FfDL's own are K80, P100 and V100; it accepted any node label, and these are NVIDIA's other Teslas.
_KINDS = {f"nvidia-Tesla{kind.upper()}": kind for kind in ("k80", "p100", "v100", "m40", "m60", "p4", "p40", "t4")}
_DEFAULT_KIND = "nvidia-TeslaK80"
_VOLUME = "mount_volume"
_STORES = ("mount_cos", "s3_datastore", _VOLUME)
_UNSET = re.compile(r"\$\{?(JOB_STATE_DIR|RESULT_BUCKET_DIR|JOB_BASE_PATH|DLAAS_JOB_ID)\b")
"""Variables of FfDL's learners that a run does not have: lcm/service/lcm of IBM/FfDL."""
_INSTEAD = "LOG_DIR is the folder of logs, RESULT_DIR that of results, TRAINING_ID the run's"
_GPU_TAG = re.compile(r"-gpu(?=-|$)")


class FrameworkV1(Section):
    name: Name
    version: Version
    image_tag: Label = ""
    command: Annotated[str, commands_in(one_line)]

    def to_framework(self, diagnostics: Diagnostics) -> Framework:
        """`1.5.0-gpu-py3` without `gpu`: whether an image is for GPUs depends on the cluster."""
        if self.version.startswith("latest"):
            what = "`latest` is another image tomorrow: name a version that `toolkit frameworks` lists"
            diagnostics.refuse(("framework", "version"), what)
        if self.image_tag:
            what = "left out: images come from the catalogue, by name and version"
            diagnostics.warn(("framework", "image_tag"), what)
        return spelled_out(self.name, _GPU_TAG.sub("", self.version), "", diagnostics, ("framework",))


class BucketContainer(Section):
    container: Bucket


class FolderContainer(Section):
    container: Relative


class StoreConnection(StoreSection):
    auth_url: Url
    user_name: Key
    password: Key
    type: Label = "s3"

    def to_connection(self) -> Connection:
        return self.connection_with(self.auth_url, self.user_name, self.password)


class FolderConnection(Section):
    type: Name = "host_mount"
    name: Label = ""
    path: Absolute


class BucketStore(Section):
    """`mount_cos` mounts the container; `s3_datastore` copies it to each learner first."""

    id: Name
    type: Annotated[str, Choice("type of store", _STORES, _STORES[:2])]
    training_data: BucketContainer | None = None
    training_results: BucketContainer | None = None
    connection: StoreConnection

    def reference_to(self, container: str, *, results: bool) -> BucketReference:
        copied = self.type == "s3_datastore" and not results
        return BucketReference(self.id, self.connection.to_connection(), container, copied=copied)


class FolderStore(Section):
    """A folder on the hosts; each container is a folder in it."""

    id: Name
    type: Annotated[str, Choice("type of store", _STORES, (_VOLUME,))]
    training_data: FolderContainer | None = None
    training_results: FolderContainer | None = None
    connection: FolderConnection

    def reference_to(self, container: str, *, results: bool) -> FolderReference:  # noqa: ARG002 (a bucket's needs it)
        return FolderReference(self.id, f"{self.connection.path.rstrip('/')}/{container.strip('/')}")


AnyStore = Annotated[
    Annotated[BucketStore, Tag("~bucket")] | Annotated[FolderStore, Tag("~folder")],
    by_shape(lambda value: "folder" if isinstance(value, dict) and value.get("type") == _VOLUME else "bucket"),
]


def _whole(value: Any) -> Any:
    """FfDL counted GPUs in floating point: `1.0`."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


class FfdlManifest(ManifestFile):
    """The whole file; `gpus`, `cpus` and `memory` are for each learner."""

    name: Name
    description: Prose = ""
    version: Annotated[
        Annotated[Label, Tag("~text")] | Annotated[float, Tag("~number")],
        by_shape(lambda value: "number" if isinstance(value, int | float) else "text"),
    ] = ""
    learners: Nodes = 1
    gpus: Annotated[int, BeforeValidator(_whole), Field(ge=0, le=MAX_GPUS)] = 0
    cpus: Cpus | None = None
    memory: SizeOfFfdl = ""
    storage: SizeOfFfdl = ""
    gpu_type: Annotated[str, Choice("GPU type", tuple(_KINDS))] = _DEFAULT_KIND
    framework: FrameworkV1
    data_stores: Annotated[list[AnyStore], Field(min_length=1, max_length=2)]
    evaluation_metrics: dict[str, Any] = Field(default_factory=dict)

    def to_manifest(self, diagnostics: Diagnostics) -> Manifest:
        """The canonical value; do not use it if `diagnostics` has refusals."""
        compute, framework = self._compute(diagnostics), self.framework.to_framework(diagnostics)
        if self.storage:
            diagnostics.warn(("storage",), "left out: what a run writes is not limited here", at_key=True)
        if self.version != "":
            diagnostics.warn(("version",), "left out: the manifest's own version means nothing to a run")
        metrics = self._metrics(diagnostics)
        return Manifest(
            name=self.name,
            author="",
            description=self.description,
            framework=framework,
            steps=self._steps(framework, compute, diagnostics),
            compute=compute,
            training_data=self._reference(diagnostics, results=False),
            training_results=self._reference(diagnostics, results=True),
            metrics=metrics,
        )

    def _metrics(self, diagnostics: Diagnostics) -> Extractor:
        """FfDL read the place that `in` names; here, `toolkit metrics` reads whatever a run leaves."""
        extractor, section = NO_EXPRESSIONS, self.evaluation_metrics
        if not section:
            return extractor
        what = "left out: write RESULT_DIR/metrics.json, an object of numbers"
        if section.get("type") == "tensorboard":
            what = "left out: the event files in LOG_DIR and RESULT_DIR are read, wherever they are"
        elif section.get("type") == TYPE:
            what = "read from what each rank prints, whatever `in` says"
            try:
                extractor = read_extractor(section)
            except ValueError as error:
                what = f"left out: {error}"
        diagnostics.warn(("evaluation_metrics",), f"{what}; `toolkit metrics` shows the run's metrics", at_key=True)
        return extractor

    def _compute(self, diagnostics: Diagnostics) -> Compute:
        kind = _KINDS[self.gpu_type] if self.gpus else CPU
        name = Configuration(kind, self.gpus or 1).name
        here = ("compute_configuration:", f"  name: {name}", f"  nodes: {self.learners}")
        if not self.gpus:
            diagnostics.warn(("gpus",), "no GPU: read as one rank in each learner, on the CPU", *here)
        elif "gpu_type" not in self.model_fields_set:
            diagnostics.warn(("gpus",), f"of no named type: read as {kind}", *here)
        return Compute(name, self.learners, self._memory(diagnostics), self.cpus or 0)

    def _memory(self, diagnostics: Diagnostics) -> int:
        if not self.memory:
            return 0
        size, known = ffdl_size(self.memory)
        if not known:
            diagnostics.warn(("memory",), f"read as {size}; FfDL could not read it, and gave 512 MB", f"memory: {size}")
        elif size != self.memory:
            diagnostics.warn(("memory",), f"read as {size}, as FfDL did", f"memory: {size}")
        return bytes_of(size)

    def _steps(self, framework: Framework, compute: Compute, diagnostics: Diagnostics) -> tuple[Step, ...]:
        command, path = self.framework.command, ("framework", "command")
        if is_several_lines(command):
            diagnostics.warn(path, "one command line: FfDL made a blank of each line end, and so does this")
        for name in sorted(set(_UNSET.findall(command))):
            diagnostics.warn(path, f"{name} is not set here: {_INSTEAD}")
        return steps_of(one_line(command), framework, compute, diagnostics, path)

    def _reference(self, diagnostics: Diagnostics, *, results: bool) -> DataReference:
        name = "training_results" if results else "training_data"
        found = [
            (index, store, container)
            for index, store in enumerate(self.data_stores)
            if (container := store.training_results if results else store.training_data)
        ]
        if len(found) != 1:
            diagnostics.refuse(("data_stores",), f"expected one store with {name}, found {len(found)}")
            return FolderReference("", "/")
        index, store, container = found[0]
        reference = store.reference_to(container.container, results=results)
        return allowed(reference, diagnostics, ("data_stores", index, name, "container"))


_NAMES = ("data_stores", "learners", "gpus", "gpu_type", "evaluation_metrics", "framework")


def _matches(source: Source) -> bool:
    names = names_at_top(source)
    return "model_definition" not in names and not names.isdisjoint(_NAMES)


DIALECT = Dialect(
    name="ffdl",
    title="FfDL",
    model=FfdlManifest,
    matches=_matches,
    framework=("framework",),
    framework_model=FrameworkV1,
    signs=("data_stores",),
    references=("data_stores",),
)
