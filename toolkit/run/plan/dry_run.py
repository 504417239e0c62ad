"""What a launch would do, as values: facts of the plan, and every command line by the host that it runs on. Pure.

Values that are known only during a run have names in capitals: SUBNET is that of its private network, VOLUMES the
folder of the volumes of a host's engine and VOLUME the run's own in it, SOCKET where that engine listens, CPUS a rank's
share of the host's, OWNER that of a results folder, and SCRIPT what serves it.
"""

from __future__ import annotations

from collections.abc import Iterator

from toolkit.agent.paths import HOST
from toolkit.manifest.units import shown_duration, shown_size
from toolkit.plural import counted
from toolkit.run.launch.agent_container import agent_argv, folder_of
from toolkit.run.plan.environment import run_environment
from toolkit.run.plan.learner_command import learner_argv
from toolkit.run.plan.mounts import written_locally
from toolkit.run.plan.mpirun import mpirun_argv, single_argv
from toolkit.run.plan.run_plan import (
    CODE_FOLDER,
    CPUS,
    Export,
    HostFolder,
    Learner,
    RunPlan,
    Step,
    where_it_runs,
)
from toolkit.runtimes.registry import RUNTIMES
from toolkit.runtimes.specs import Argv
from toolkit.storage.results_folder import planned_commands
from toolkit.storage.sidecar import buckets_argv

SUBNET, VOLUME, VOLUMES, SOCKET, LEASE = "SUBNET", "VOLUME", "VOLUMES", "SOCKET", "LEASE"
THIS_MACHINE = "this machine"


def fact_lines(plan: RunPlan) -> Iterator[tuple[str, str]]:
    """Name and text of each fact to show before a run."""
    for learner in plan.learners:
        at = f" on {learner.placement.host}" if learner.placement.host else ""
        yield "learner", f"{learner.hostname}{at}: {ranks_of(learner)}"
    if not plan.gpus_per_node:
        yield "GPUs", f"none: the manifest asks for {plan.compute}"
    yield "binding", binding_of(plan)
    yield "data", f"DATA_DIR={plan.data_folder}  {_data(plan)}, read-only"
    environment = run_environment(plan)
    yield "results", f"RESULT_DIR={environment['RESULT_DIR']}  {_results(plan)}"
    if plan.resume:
        yield "resume", f"RESUME_DIR={environment['RESUME_DIR']}"
    for name, value in plan.environment:
        yield "sets", f"{name}={value}"
    if plan.limits.memory or plan.limits.cpus:
        memory = f"{shown_size(plan.limits.memory)} of memory" if plan.limits.memory else ""
        cpus = f"{plan.limits.cpus:g} CPUs" if plan.limits.cpus else ""
        yield "limits", f"{', '.join(filter(None, [memory, cpus]))} for each learner"
    if plan.time_limit:
        yield "limit", f"{shown_duration(plan.time_limit)} for all commands"
    if plan.retries:
        yield "retries", f"a failed command is retried, at most {counted(plan.retries, 'time')}"
    for step in plan.steps:
        yield "command", f"{step.number}, {_how(plan, step)}: {step.command}"


def host_commands(plan: RunPlan) -> dict[str, list[Argv]]:
    """The engine's command lines on each host, in order."""
    made, runtime = {}, RUNTIMES[plan.cluster.container_engine]
    names = (plan.training_id, plan.side_image)
    folder, lease = folder_of(VOLUMES, plan.volume), LEASE if plan.on_hosts else ""
    for host in plan.hosts:
        lines = [agent_argv(runtime, *names, plan.volume, VOLUMES, SOCKET, lease, plan.cpus_on(host))]
        if plan.results_folder:
            lines += planned_commands(runtime, plan.results_folder, *names, folder)
        side = (plan.side_container, *names, folder, plan.results_mount)
        lines.append(buckets_argv(runtime, *side, local=plan.write_local))
        if isinstance(plan.data, Export):
            export = (plan.data.server, plan.data.path)
            lines.append(runtime.create_export_volume(plan.export_volume, plan.training_id, *export))
        copies = [("rclone", "copy", one.filesystem, f"{HOST}/{one.folder}") for one in plan.mounts if one.copied]
        lines += [runtime.execute(plan.side_container, copy) for copy in copies]
        if not plan.on_hosts:
            lines.append(runtime.create_network(plan.network, plan.training_id))
        learners = [learner for learner in plan.learners if learner.placement.host == host]
        lines += [learner_argv(runtime, plan, learner, VOLUME, lease) for learner in reversed(learners)]
        made[host or THIS_MACHINE] = lines
    return made


def step_commands(plan: RunPlan) -> list[tuple[Step, Argv]]:
    """What learner 1 starts for each command."""
    subnet = plan.cluster.network if plan.on_hosts else SUBNET
    return [(step, mpirun_argv(plan, step, subnet) if step.parallel else single_argv(step)) for step in plan.steps]


def ranks_of(learner: Learner) -> str:
    """`ranks 0, 1`; if they are bound, `rank 0 on CPUs 0-3, rank 1 on CPUs 4-7`."""
    ranks, lists = learner.ranks, learner.placement.cpus.lists
    if not lists:
        return f"{'rank' if len(ranks) == 1 else 'ranks'} {', '.join(map(str, ranks))}"
    return ", ".join(f"rank {rank} on {_named(cpus)}" for rank, cpus in zip(ranks, lists, strict=True))


def _named(cpus: str) -> str:
    return cpus if cpus == CPUS else f"{'CPU' if cpus.isdigit() else 'CPUs'} {cpus}"


def binding_of(plan: RunPlan) -> str:
    """How ranks are bound, in one line; or why they are not, if the cluster file asks for it."""
    placements = [learner.placement for learner in plan.learners]
    bound = any(placement.cpus.lists for placement in placements)
    cores = "cores: each rank is bound to its share of its host's cores" if bound else ""
    unbound = {
        f"not bound on {placement.host or THIS_MACHINE}: {placement.cpus.why_not}": None
        for placement in placements
        if placement.cpus.why_not
    }
    return "; ".join(filter(None, [cores, *unbound])) or "none: ranks run on any core of their host"


def _data(plan: RunPlan) -> str:
    if isinstance(plan.data, HostFolder):
        return f"the hosts' own {plan.data.path}"
    if isinstance(plan.data, Export):
        return f"NFS {plan.data.server}:{plan.data.path}"
    return f"bucket {plan.data.place}, {'copied first' if plan.data.copied else 'mounted'}"


def _results(plan: RunPlan) -> str:
    if plan.write_local:
        return written_locally(plan.results_place)
    return f"{plan.results_place}, cached and flushed"


def _how(plan: RunPlan, step: Step) -> str:
    """`on 2 ranks in sub/, 30m at most`."""
    folder = f" in {step.folder.removeprefix(f'{CODE_FOLDER}/')}/" if step.folder != CODE_FOLDER else ""
    return where_it_runs(plan, step) + folder + (f", {shown_duration(step.timeout)} at most" if step.timeout else "")
