"""From manifest, cluster and image to the plan of a run. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from toolkit.cluster.model import Cluster
from toolkit.manifest.model import BucketReference, DataReference, FolderReference, Manifest
from toolkit.manifest.results import bucket_name
from toolkit.run.plan.run_plan import (
    CODE_FOLDER,
    MASTER_PORT,
    ON_THIS_MACHINE,
    SSH_PORT,
    Data,
    Export,
    HostFolder,
    Learner,
    Placement,
    RunImage,
    RunPlan,
    Step,
)
from toolkit.run.plan.training_id import TrainingId
from toolkit.runtimes.specs import Limits
from toolkit.storage.sidecar import Mount


def make_plan(
    manifest: Manifest,
    cluster: Cluster,
    image: RunImage,
    side_image: str,
    training_id: TrainingId,
    placements: Sequence[Placement] = (),
    ssh_port: int = SSH_PORT,
    master_port: int = MASTER_PORT,
) -> RunPlan:
    """Place ranks host by host, and decide how each command runs.

    `placements` has one for each learner, in order; if it is empty, all run on this machine and are not bound. Their
    sshd listens on `ssh_port`, and rank 0's program, if it uses torch.distributed, on `master_port`.
    """
    compute = manifest.compute
    learners = tuple(
        Learner(
            number=node + 1,
            hostname=f"learner-{node + 1}",
            ranks=tuple(range(node * compute.ranks_per_node, (node + 1) * compute.ranks_per_node)),
            placement=placements[node] if placements else ON_THIS_MACHINE,
        )
        for node in range(compute.nodes)
    )
    steps = tuple(
        Step(
            number=number,
            command=step.command,
            ranks=step.ranks,
            folder=f"{CODE_FOLDER}/{step.folder}" if step.folder else CODE_FOLDER,
            timeout=step.timeout,
            environment=step.environment,
            mca=step.mca,
        )
        for number, step in enumerate(manifest.steps, start=1)
    )
    results = manifest.training_results
    return RunPlan(
        training_id=training_id,
        name=manifest.name,
        image=image,
        side_image=side_image,
        cluster=cluster,
        learners=learners,
        steps=steps,
        compute=compute.name,
        ranks_per_node=compute.ranks_per_node,
        gpus_per_node=compute.gpus_per_node,
        data=data_of(manifest.training_data),
        results_bucket=bucket_name(results),
        ssh_port=ssh_port,
        results_prefix=results.prefix if isinstance(results, BucketReference) else "",
        results_folder=None if isinstance(results, BucketReference) else results,
        master_port=master_port,
        environment=manifest.environment,
        limits=Limits(compute.memory, compute.cpus),
        time_limit=manifest.time_limit,
        retries=manifest.retries,
        resume=manifest.resume,
        write_local=manifest.write_local,
    )


def data_of(reference: DataReference) -> Data:
    """The training data as every learner and every check sees it: read-only."""
    if isinstance(reference, BucketReference):
        bucket = reference.bucket
        return Mount("data", bucket, f"mnt/data/{bucket}", True, reference.prefix, reference.copied)
    if isinstance(reference, FolderReference):
        return HostFolder(reference.path)
    return Export(reference.server, reference.path)
