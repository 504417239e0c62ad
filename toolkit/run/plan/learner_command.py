"""The command line that starts a learner. Pure: what a dry run prints is what a run does."""

from __future__ import annotations

from toolkit.run.plan.environment import run_environment
from toolkit.run.plan.run_plan import (
    AGENT_FOLDER,
    CODE_FOLDER,
    LEARNER_FOLDER,
    LOCAL_RESULTS,
    LOG_FOLDER,
    Export,
    HostFolder,
    Learner,
    RunPlan,
)
from toolkit.runtimes.runtime import ContainerRuntime
from toolkit.runtimes.specs import HOST_NETWORK, Argv, Bind, LearnerContainerSpec, NamedVolume, Network


def learner_argv(runtime: ContainerRuntime, plan: RunPlan, learner: Learner, volume: str, lease: str = "") -> Argv:
    """What starts `learner`; `volume` is the run's volume's folder, `lease` the label of its lease, on that host."""
    known = tuple((one.hostname, one.placement.address) for one in plan.learners)
    own_binds = (
        Bind(f"{volume}/mnt", "/mnt", propagation="rslave"),
        Bind(f"{volume}/code", CODE_FOLDER),
        Bind(f"{volume}/logs", LOG_FOLDER),
        Bind(f"{volume}/agent", AGENT_FOLDER, read_only=True),
        Bind(f"{volume}/{learner.hostname}", LEARNER_FOLDER, read_only=True),
    )
    container = LearnerContainerSpec(
        name=plan.container(learner),
        run=plan.training_id,
        image=plan.image.image_id,
        hostname=learner.hostname,
        network=Network(HOST_NETWORK, known) if plan.on_hosts else Network(plan.network),
        binds=(*own_binds, *results_binds(plan, volume), *data_binds(plan)),
        environment={**run_environment(plan), "LEARNER_ID": str(learner.number)},
        folder=CODE_FOLDER,
        command=("/bin/sh", f"{LEARNER_FOLDER}/entry.sh"),
        gpus=learner.placement.gpus,
        devices=learner.placement.devices,
        limits=plan.limits_of(learner),
        lease=lease,
    )
    return runtime.start_learner(container)


def results_binds(plan: RunPlan, volume: str) -> tuple[Bind, ...]:
    """The run's own results, if they are on the host's disk; else they come with its mounts."""
    return (Bind(f"{volume}/{LOCAL_RESULTS}", f"/{plan.run_folder}"),) if plan.write_local else ()


def data_binds(plan: RunPlan) -> tuple[Bind | NamedVolume, ...]:
    """Training data outside buckets, read-only; what is in a bucket comes with the run's own mounts."""
    if isinstance(plan.data, HostFolder):
        return (Bind(plan.data.path, plan.data_folder, read_only=True),)
    return (NamedVolume(plan.export_volume, plan.data_folder),) if isinstance(plan.data, Export) else ()
