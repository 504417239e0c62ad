"""The canonical manifest: what to run, in which environment, on what data. Every dialect is converted to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from toolkit.catalogue.model import Framework
from toolkit.manifest.compute import CPU, split
from toolkit.metrics.regex_lines import NO_EXPRESSIONS, Extractor
from toolkit.secrets import SecretReference

Ranks = Literal["all", "node", "one"]
"""Where a command runs: on every rank under mpirun; once on each node, not under MPI; once, on rank 0's host."""
EMBEDDED = "embedded"
"""As `endpoint_url`: the S3 server that the tool itself runs on this machine, for people without a store."""


@dataclass(frozen=True)
class Step:
    """One command of a training.

    Attributes:
        command: passed whole to a shell; if it has several commands, each runs only if the one before exited with 0.
        ranks: where it runs.
        folder: where it runs, below the code folder; empty: the code folder itself.
        timeout: seconds after which it is stopped and counts as failed; 0: none.
        environment: variables for this command only; they override the manifest's.
        mca: Open MPI parameters; only for a command on every rank.
    """

    command: str
    ranks: Ranks
    folder: str = ""
    timeout: int = 0
    environment: tuple[tuple[str, str], ...] = ()
    mca: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Compute:
    """What each node needs, GPU kind × GPUs (`p100x2`) or ranks without GPUs (`cpux4`), and the number of nodes.

    `memory` (bytes) and `cpus` are the limits of a node's container; 0: as much as its host has.
    """

    name: str
    nodes: int
    memory: int = 0
    cpus: float = 0

    @property
    def kind(self) -> str:
        """`p100x2` → `p100`, `cpux4` → `cpu`."""
        return split(self.name).kind

    @property
    def on_cpu(self) -> bool:
        """Whether no GPU is asked for."""
        return self.kind == CPU

    @property
    def gpus_per_node(self) -> int:
        """`p100x2` → 2, `cpux4` → 0."""
        return split(self.name).gpus

    @property
    def ranks_per_node(self) -> int:
        """One rank for each GPU: `p100x2` → 2; `cpux4` → 4."""
        return split(self.name).count

    @property
    def ranks(self) -> int:
        """In total."""
        return self.nodes * self.ranks_per_node


@dataclass(frozen=True)
class Connection:
    """An S3 endpoint and the sources of its keys; for a pair (a profile's keys) the first two are the same source.

    `region` is what requests are signed for; empty: detected. `customer_key` is the source of the base64 key with which
    the store encrypts objects (SSE-C); None: the store needs none.
    """

    endpoint_url: str
    access_key_id: SecretReference
    secret_access_key: SecretReference
    region: str = ""
    customer_key: SecretReference | None = None

    @property
    def secrets(self) -> dict[str, SecretReference]:
        """The sources of all secrets, by their names in a manifest."""
        keys = {"access_key_id": self.access_key_id, "secret_access_key": self.secret_access_key}
        return keys | ({"sse_customer_key": self.customer_key} if self.customer_key else {})

    @property
    def is_embedded(self) -> bool:
        """Whether it is the tool's own S3 server."""
        return self.endpoint_url == EMBEDDED


@dataclass(frozen=True)
class BucketReference:
    """A bucket and how to reach it.

    `prefix` is the part of the bucket that is used, without leading and trailing slashes; empty: all of it. `copied`:
    the data is copied to each host before the first command instead of being mounted.
    """

    name: str
    connection: Connection
    bucket: str
    prefix: str = ""
    copied: bool = False

    @property
    def place(self) -> str:
        """As shown to people: `bucket`, or `bucket/prefix`."""
        return f"{self.bucket}/{self.prefix}" if self.prefix else self.bucket


@dataclass(frozen=True)
class FolderReference:
    """A folder that every host of the run has under the same absolute `path`."""

    name: str
    path: str

    @property
    def place(self) -> str:
        """As shown to people."""
        return self.path


@dataclass(frozen=True)
class NfsReference:
    """An NFS export: the server's name or address, and the exported path."""

    name: str
    server: str
    path: str

    @property
    def place(self) -> str:
        """As shown to people: `server:path`."""
        return f"{self.server}:{self.path}"


DataReference = BucketReference | FolderReference | NfsReference
ResultsReference = BucketReference | FolderReference | NfsReference
"""Each run has its own directory in a folder or an export, as in a bucket."""


@dataclass(frozen=True)
class Manifest:
    """A complete training.

    Attributes:
        packages: Debian packages, in addition to the framework's image.
        environment: variables for every command.
        time_limit: maximum seconds for all commands together; 0: none.
        retries: how often a failed command is run again.
        resume: a folder of the results bucket that this run continues from, such as another run's id; empty: none.
        collect: what `toolkit collect` downloads besides `model/`: files and folders of the run's results.
        metrics: expressions that find metrics in what ranks print.
        write_local: programs write results to the host's disk, and not through a mount; for runs on one host.
    """

    name: str
    author: str
    description: str
    framework: Framework
    steps: tuple[Step, ...]
    compute: Compute
    training_data: DataReference
    training_results: ResultsReference
    packages: tuple[str, ...] = ()
    email: str = ""
    environment: tuple[tuple[str, str], ...] = ()
    time_limit: int = 0
    retries: int = 0
    resume: str = ""
    collect: tuple[str, ...] = ()
    metrics: Extractor = NO_EXPRESSIONS
    write_local: bool = False

    @property
    def buckets(self) -> dict[str, BucketReference]:
        """The buckets by purpose, `data` and `results`; folders are not included."""
        references = {"data": self.training_data, "results": self.training_results}
        return {name: one for name, one in references.items() if isinstance(one, BucketReference)}

    @property
    def uses_embedded_store(self) -> bool:
        """Whether one of the buckets is in the embedded store."""
        return any(reference.connection.is_embedded for reference in self.buckets.values())
