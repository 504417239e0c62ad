"""The canonical manifest: what to run, in which environment, on what data. Every dialect is read into this."""

from __future__ import annotations

from dataclasses import dataclass

from toolkit.secrets import SecretSource

EMBEDDED = "embedded"
"""As `endpoint_url`: the S3 server that the tool itself runs on this machine, for people without a store."""


@dataclass(frozen=True)
class Framework:
    """A framework as the catalogue names it, such as `tensorflow-ddl` `2.19` on Python `3.11`.

    `compat` asks for what lets older scripts run on it, such as `tf1`; empty: nothing.
    """

    name: str
    version: str
    python: str
    compat: str = ""


@dataclass(frozen=True)
class Compute:
    """What is asked for: a GPU kind × GPUs per node, such as `p100x2`, on how many nodes."""

    name: str
    nodes: int

    @property
    def gpu_kind(self) -> str:
        """`p100x2` → `p100`."""
        return COMPUTE[self.name][0]

    @property
    def gpus_per_node(self) -> int:
        """`p100x2` → 2."""
        return COMPUTE[self.name][1]

    @property
    def ranks(self) -> int:
        """One rank for each GPU."""
        return self.nodes * self.gpus_per_node


COMPUTE = {
    "k80": ("k80", 1),
    "k80x2": ("k80", 2),
    "k80x4": ("k80", 4),
    "p100": ("p100", 1),
    "p100x2": ("p100", 2),
    "v100": ("v100", 1),
    "v100x2": ("v100", 2),
}
"""Watson ML's names: GPU kind and GPUs per node."""


@dataclass(frozen=True)
class Connection:
    """An S3 endpoint and the sources of its two keys."""

    endpoint_url: str
    access_key_id: SecretSource
    secret_access_key: SecretSource

    @property
    def is_embedded(self) -> bool:
        """Whether the tool's own S3 server is meant."""
        return self.endpoint_url == EMBEDDED


@dataclass(frozen=True)
class BucketReference:
    """A bucket and how to reach it."""

    name: str
    connection: Connection
    bucket: str


@dataclass(frozen=True)
class Manifest:
    """A training, whole. `commands[0]` runs on every rank, each later one once; `packages` are Debian's."""

    name: str
    author: str
    description: str
    framework: Framework
    commands: tuple[str, ...]
    compute: Compute
    training_data: BucketReference
    training_results: BucketReference
    packages: tuple[str, ...] = ()

    @property
    def references(self) -> tuple[BucketReference, BucketReference]:
        """The data bucket, then the results bucket."""
        return self.training_data, self.training_results
