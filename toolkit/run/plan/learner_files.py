"""What each learner is given: keys, configuration, the plan of its commands. Pure: files as values."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from toolkit.agent.process_limit import CROWDED
from toolkit.agent.ranks import NO_GPU
from toolkit.catalogue.model import LEARNER_UID
from toolkit.run.plan.mpirun import SSH_AGENT, hostfile, mpirun_argv, single_argv
from toolkit.run.plan.run_plan import AGENT_FOLDER, LEARNER_FOLDER, LOG_FOLDER, Learner, RunPlan
from toolkit.run.plan.ssh_keys import KeyPair
from toolkit.tar.write import Entry

_INSIDE = Path(__file__).parents[1] / "in_container"
_SUPERVISOR = ("__init__.py", "supervise.py", "logs.py", "control.py", "reserve.py", "learners.py", "process_limit.py")
_TELLING_SECONDS = 3
"""From detecting a lost learner to the operator's screen: detection must be that much earlier."""


def learner_entries(
    plan: RunPlan, subnet: str, client: KeyPair, hosts: Mapping[int, KeyPair], templates: Path
) -> Iterator[Entry]:
    """The files of every learner, each in a folder `learner-<n>/`; only learner 1 gets the client's private key."""
    for learner in plan.learners:
        files = {name: _render(templates, f"learner.{name}.j2", plan, learner) for name in ("entry.sh", "rank.sh")}
        if learner.number == 1:
            files |= _first_learner(plan, subnet, client, hosts, templates)
        else:
            files |= _other_learner(plan, learner, client, hosts[learner.number], templates)
        for name, content in sorted(files.items()):
            yield Entry(f"{learner.hostname}/{name}", content.encode(), mode=0o600, uid=LEARNER_UID)


def supervisor_plan(plan: RunPlan, subnet: str) -> dict[str, object]:
    """What the supervisor inside learner 1 reads: each step's argv, and which learner holds which rank. For a parallel
    step, `each` says whether its processes are ranks, or one for each learner, in order.

    A step is stopped after `timeout` seconds, all of them together after `time_limit`; 0 is no limit.
    """
    return {
        "logs": LOG_FOLDER,
        "control": AGENT_FOLDER,
        "port": plan.ssh_port,
        "open_mpi": 5 if plan.image.open_mpi_major >= 5 else 4,
        "agent": list(SSH_AGENT),
        "start_deadline": plan.cluster.deadlines.start,
        "lost": _silent_seconds(plan),
        "quiet": plan.cluster.deadlines.quiet,
        "grace": plan.cluster.deadlines.stop,
        "limit": plan.time_limit,
        "retries": plan.retries,
        "learners": [
            {
                "number": learner.number,
                "hostname": learner.hostname,
                "host": learner.placement.host,
                "ranks": list(learner.ranks),
            }
            for learner in plan.learners
        ],
        "steps": [
            {
                "number": step.number,
                "command": step.command,
                "parallel": step.parallel,
                "each": "learner" if step.ranks == "node" else "rank",
                "argv": mpirun_argv(plan, step, subnet) if step.parallel else single_argv(step),
                "folder": step.folder,
                "timeout": step.timeout,
                "environment": dict(step.environment),
            }
            for step in plan.steps
        ],
    }


def _silent_seconds(plan: RunPlan) -> int:
    """After this many seconds of silence a learner counts as lost, for learner 1 and the others alike."""
    return max(plan.cluster.deadlines.lost - _TELLING_SECONDS, 2)


def _first_learner(
    plan: RunPlan, subnet: str, client: KeyPair, hosts: Mapping[int, KeyPair], templates: Path
) -> dict[str, str]:
    others = [learner for learner in plan.learners if learner.number != 1]
    known = "".join(f"[{learner.hostname}]:{plan.ssh_port} {hosts[learner.number].public}\n" for learner in others)
    return {
        **{f"in_container/{name}": (_INSIDE / name).read_text(encoding="utf-8") for name in _SUPERVISOR},
        "run.json": json.dumps(supervisor_plan(plan, subnet), indent=1),
        "hostfile": hostfile(plan),
        "ssh_config": _render(templates, "learner.ssh_config.j2", plan, plan.learners[0]),
        "id_ed25519": client.private.reveal(),
        "known_hosts": known,
    }


def _other_learner(plan: RunPlan, learner: Learner, client: KeyPair, host: KeyPair, templates: Path) -> dict[str, str]:
    # sshd starts its sessions with a clean environment: this is how LEARNER_ID reaches mpirun's daemon and its ranks.
    options = f'restrict,environment="LEARNER_ID={learner.number}"'
    return {
        "beat.sh": _render(templates, "learner.heartbeat.sh.j2", plan, learner),
        "sshd_config": _render(templates, "learner.sshd_config.j2", plan, learner),
        "host_key": host.private.reveal(),
        "authorized_keys": f"{options} {client.public}\n",
    }


def _render(templates: Path, name: str, plan: RunPlan, learner: Learner) -> str:
    # These are shell and ssh files, not HTML: autoescape would break their quotes.
    environment = Environment(
        loader=FileSystemLoader(templates),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701
    )
    return environment.get_template(name).render(
        number=learner.number,
        address=learner.placement.address,
        port=plan.ssh_port,
        folder=LEARNER_FOLDER,
        logs=LOG_FOLDER,
        agent=AGENT_FOLDER,
        start=plan.cluster.deadlines.start,
        lost=_silent_seconds(plan),
        gpus=len(learner.placement.gpus),
        kind=plan.gpu_kind,
        where=f"{learner.hostname} on {learner.placement.host}" if learner.placement.host else learner.hostname,
        no_gpu=NO_GPU,
        master=plan.learners[0].hostname,
        master_port=plan.master_port,
        crowded=CROWDED,
        # Seen: the daemons of 4.1.4 detach; 5.0.7 keeps an ssh to each while a command runs, which must not end with a
        # heartbeat's connection. 1.10 was not examined.
        detaching=plan.image.open_mpi_major == 4,
        # The engine confines a learner to its ranks' CPUs; several ranks divide those.
        cpus=list(zip(learner.ranks, learner.placement.cpus.lists, strict=False)) if len(learner.ranks) > 1 else [],
    )
