"""Reading `clusters/*.yml`: strict, like a manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from toolkit.cluster.model import Cluster, Deadlines
from toolkit.errors import Code
from toolkit.yaml_source import read_source, validate


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class DeadlinesSection(_Section):
    start: int = Field(default=60, ge=1)
    stop: int = Field(default=10, ge=1)
    store: int = Field(default=600, ge=1)


class ClusterFile(_Section):
    name: str
    engine: Literal["local"]
    gpu: Literal["none"]
    deadlines: DeadlinesSection = DeadlinesSection()


def read_cluster(file: Path) -> Cluster:
    """Read `file`; raises `ToolkitError` (C104) that lists every problem with its line, column and path."""
    read = validate(read_source(file, Code.RESOURCES_ASKED), ClusterFile, Code.RESOURCES_ASKED)
    times = read.deadlines
    return Cluster(read.name, read.engine, read.gpu, Deadlines(times.start, times.stop, times.store))
