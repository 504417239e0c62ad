"""The plan of a run: a value, computed from manifest, cluster and image before anything acts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from toolkit.agent.container_names import buckets_container
from toolkit.agent.paths import RESULTS
from toolkit.cluster.model import NO_GPU, Cluster
from toolkit.lock.packages import LockedPackage
from toolkit.manifest.compute import split
from toolkit.manifest.model import Ranks
from toolkit.manifest.results import ServedFolder
from toolkit.plural import counted
from toolkit.run.plan.mounts import learner_mounts, results_mount, volume_of
from toolkit.run.plan.training_id import TrainingId
from toolkit.runtimes.specs import NO_LIMITS, Limits
from toolkit.storage.sidecar import Mount

SSH_PORT = 2222
"""Where learners on a private network listen; on the hosts' own network each run has its own port."""
MASTER_PORT = 29500
"""torch.distributed's rendezvous port, PyTorch's own default; on the hosts' own network each run has its own."""
CODE_FOLDER = "/job/code"
LEARNER_FOLDER = "/run/learner"
LOG_FOLDER = "/run/logs"
LOCAL_RESULTS = PurePosixPath(RESULTS).name
"""The folder of a run's volume that programs write results to, if not through a mount."""
AGENT_FOLDER = "/run/agent"
"""The start signal and the heartbeat of the host's agent, read-only."""


@dataclass(frozen=True)
class RankCpus:
    """The CPUs of the ranks of one learner: for each a list such as `0-3,8`; empty if they are not bound.

    `why_not` says why they are not, though the cluster file asks for it.
    """

    lists: tuple[str, ...] = ()
    why_not: str = ""

    @property
    def cpuset(self) -> str:
        """All of them as one list; empty if the ranks are not bound."""
        return ",".join(dict.fromkeys(self.lists))


ALL_CPUS = RankCpus()
"""Ranks that are not bound."""
CPUS = "CPUS"
"""In a dry run, the CPUs of a rank: only its host knows them."""


@dataclass(frozen=True)
class Placement:
    """Where a learner runs: the host (empty: this machine), its address on the ranks' network and the interface that
    has it, its GPUs by UUID, its ranks' CPUs.

    `devices` are other devices of the host that it gets, such as `/dev/infiniband`. `processes` is how many processes
    and threads the host can spare for a learner (0: not known).
    """

    host: str = ""
    address: str = ""
    interface: str = "eth0"
    gpus: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    cpus: RankCpus = ALL_CPUS
    processes: int = 0


ON_THIS_MACHINE = Placement()
"""A container on this machine's engine, with an address from the run's private network."""


@dataclass(frozen=True)
class Learner:
    """One learner: its number from 1, its name on the run's network, the ranks that it holds, and its placement."""

    number: int
    hostname: str
    ranks: tuple[int, ...]
    placement: Placement = ON_THIS_MACHINE


@dataclass(frozen=True)
class Step:
    """One command: its number from 1, and where it runs, as in `toolkit.manifest.model.Step`.

    `folder` is where it runs; after `timeout` seconds it is stopped (0: never); `environment` is its own and overrides
    the run's; `mca` are parameters for Open MPI.
    """

    number: int
    command: str
    ranks: Ranks
    folder: str = CODE_FOLDER
    timeout: int = 0
    environment: tuple[tuple[str, str], ...] = ()
    mca: tuple[tuple[str, str], ...] = ()

    @property
    def parallel(self) -> bool:
        """Whether mpirun starts it: as ranks, or once on each learner."""
        return self.ranks != "one"


@dataclass(frozen=True)
class HostFolder:
    """Training data in a folder on every host."""

    path: str


@dataclass(frozen=True)
class Export:
    """Training data that an NFS server exports."""

    server: str
    path: str


Data = Mount | HostFolder | Export


@dataclass(frozen=True)
class RunImage:
    """The image that a run uses: its name and version, its id, the environment that it sets, its Open MPI's version.

    `inputs` is the SHA-256 of each input by its name, `inputs_sha256` over all of them (`toolkit.image.version`).
    `packages` are those of its locks.
    """

    reference: str
    image_id: str
    environment: tuple[tuple[str, str], ...]
    open_mpi: str = "4.1.4"
    inputs: tuple[tuple[str, str], ...] = ()
    inputs_sha256: str = ""
    packages: tuple[LockedPackage, ...] = ()

    @property
    def open_mpi_major(self) -> int:
        """Its options changed with Open MPI 5."""
        return int(self.open_mpi.partition(".")[0])


@dataclass(frozen=True)
class RunPlan:
    """The whole run.

    `compute` is what the manifest asks for, such as `p100x2`; if that is `cpu`, `gpus_per_node` is 0. `results_folder`
    is the folder on the hosts where the results go, None if they go to a bucket; `results_bucket` is its name as
    programs see it. `environment` is the manifest's, for every command; `limits` apply to each learner; `time_limit` is
    in seconds (0: none); `retries` is how often a command that failed is run again; `resume` a folder of the results.
    `write_local`: programs write results to the host's disk, and not through a mount.
    `reproduces` is the run that it reproduces; `deterministic`: with variables that the manifest's file does not set.
    """

    training_id: TrainingId
    name: str
    image: RunImage
    side_image: str
    cluster: Cluster
    learners: tuple[Learner, ...]
    steps: tuple[Step, ...]
    compute: str
    ranks_per_node: int
    gpus_per_node: int
    data: Data
    results_bucket: str
    ssh_port: int = SSH_PORT
    master_port: int = MASTER_PORT
    results_prefix: str = ""
    results_folder: ServedFolder | None = None
    environment: tuple[tuple[str, str], ...] = ()
    limits: Limits = NO_LIMITS
    time_limit: int = 0
    retries: int = 0
    resume: str = ""
    write_local: bool = False
    reproduces: str = ""
    deterministic: bool = False

    @property
    def gpu_kind(self) -> str:
        """`p100` of `p100x2`; `cpu` if no GPU was asked for."""
        return split(self.compute).kind

    @property
    def in_place_of_gpus(self) -> bool:
        """Whether ranks run on the CPU though the manifest asks for GPUs, as the cluster has none."""
        return bool(self.gpus_per_node) and self.cluster.gpu == NO_GPU

    @property
    def on_hosts(self) -> bool:
        """Whether its learners run on hosts of a cluster, on those hosts' own network."""
        return any(learner.placement.host for learner in self.learners)

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts that it uses, learner 1's first; one empty name for this machine."""
        return tuple(dict.fromkeys(learner.placement.host for learner in self.learners))

    @property
    def ranks(self) -> int:
        """The total number of ranks."""
        return sum(len(learner.ranks) for learner in self.learners)

    @property
    def data_bucket(self) -> str:
        """The bucket of the training data; empty if it is a folder."""
        return self.data.bucket if isinstance(self.data, Mount) else ""

    @property
    def data_folder(self) -> str:
        """DATA_DIR."""
        return data_folder_of(self.data)

    @property
    def mounts(self) -> tuple[Mount, ...]:
        """The buckets that each host's side container mounts."""
        data = (self.data,) if isinstance(self.data, Mount) else ()
        own = learner_mounts(self.results_mount, self.training_id, self.resume, write_local=self.write_local)
        return (*data, *own)

    @property
    def results_mount(self) -> Mount:
        """The results as a whole, which no learner sees; see `learner_mounts`."""
        return results_mount(self.results_bucket, self.results_prefix)

    @property
    def run_folder(self) -> str:
        """The run's own results in a learner, below its root: RESULT_DIR."""
        return f"{self.results_mount.folder}/{self.training_id}"

    @property
    def results_place(self) -> str:
        """Where the results go, for display."""
        return self.results_folder.place if self.results_folder else f"bucket {self.results_mount.place}"

    @property
    def volume(self) -> str:
        """The run's volume on each host."""
        return volume_of(self.training_id)

    @property
    def export_volume(self) -> str:
        """The volume for an NFS server's export."""
        return f"toolkit-{self.training_id}-data"

    @property
    def network(self) -> str:
        """The run's private network."""
        return f"toolkit-{self.training_id}"

    @property
    def side_container(self) -> str:
        """The container that holds the keys and mounts the buckets."""
        return buckets_container(self.training_id)

    def cpus_on(self, host: str) -> str:
        """The CPUs that its ranks on `host` are bound to, as one list; empty if they are not bound."""
        return ",".join(
            filter(None, (one.placement.cpus.cpuset for one in self.learners if one.placement.host == host))
        )

    def limits_of(self, learner: Learner) -> Limits:
        """The learner's limits: processes and threads for each of its ranks, as far as its host can spare them."""
        wanted, placement = self.cluster.processes * len(learner.ranks), learner.placement
        processes = min(wanted, placement.processes) if placement.processes else wanted
        return replace(self.limits, cpuset=placement.cpus.cpuset, processes=processes)

    def container(self, learner: Learner) -> str:
        """The learner's container."""
        return f"toolkit-{self.training_id}-{learner.hostname}"


def where_it_runs(plan: RunPlan, step: Step) -> str:
    """`on 4 ranks`; `once on each of 2 learners, without MPI`; `once, on learner 1`."""
    if step.ranks == "all":
        return f"on {counted(plan.ranks, 'rank')}"
    if step.ranks == "one":
        return "once, on learner 1"
    each = f"each of {len(plan.learners)} learners" if len(plan.learners) > 1 else "learner 1"
    return f"once on {each}, without MPI"


def data_folder_of(data: Data) -> str:
    """Where learners and checks find the training data."""
    return f"/mnt/data/{data.bucket if isinstance(data, Mount) else PurePosixPath(data.path).name}"
