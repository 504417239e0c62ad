"""The mpirun command line: a pure function, so that each flag has its reason here and a test compares the list.

A start hangs most often because of a network that the hosts do not share (hence one subnet for all of MPI's traffic) or
a silent peer (hence the keepalives: a lost host is noticed in 25 s; by default Open MPI 4.1 took eight minutes). Open
MPI 5 has another runtime, PRRTE, which has its own options and refuses some of 4.1's.

Where it connects is configurable, where it listens is not: its daemons (`oob_tcp_listener.c` of 4.1 and of PRRTE) and
the ranks' TCP (`btl_tcp_component.c`) bind to every address of both families, whatever `*_if_include`,
`oob_tcp_disable_ipv6_family` and `btl_tcp_disable_family` say (seen with 4.1.4 and 5.0.7 by `ss -ltn`). So nothing
listens unless it must: the transports are named, as libfabric's would listen on an interface of its own choice, and the
ranks of one learner have no TCP at all. For the rest see docs/security.md and the doctor's `other networks`.
"""

from __future__ import annotations

from toolkit.manifest.exit_status import judgeable
from toolkit.run.plan.environment import run_environment
from toolkit.run.plan.run_plan import CODE_FOLDER, LEARNER_FOLDER, RunPlan, Step

SSH_AGENT = ("ssh", "-F", f"{LEARNER_FOLDER}/ssh_config")
"""The command that connects learner 1 to another; that learner's name and a command follow."""
_KEEPALIVE = {"oob_tcp_keepalive_time": "10", "oob_tcp_keepalive_intvl": "5", "oob_tcp_keepalive_probes": "3"}


def mpirun_argv(plan: RunPlan, step: Step, subnet: str) -> list[str]:
    """The line that starts `step` on every rank, or once on each learner; `subnet` is the network (CIDR) that MPI uses.

    The processes of a step that runs once on each learner are not ranks: `rank.sh` unsets what would make a program
    think so. mpirun starts them because it reaches every learner and ends all if one fails; `ppr:1:node` is one on
    each, in the hostfile's order, in Open MPI 1.10, 4.1 and 5.
    """
    flags = _flags_5(plan, subnet) if plan.image.open_mpi_major >= 5 else _flags_4(plan, subnet)
    once = step.ranks == "node"
    names = {*run_environment(plan), *(name for name, _ in step.environment)}
    return [
        # An absolute path alone would put /usr/bin in front of every rank's PATH, before the image's own Python.
        *("/usr/bin/mpirun", "--noprefix"),
        *("--np", str(len(plan.learners) if once else plan.ranks), "--hostfile", f"{LEARNER_FOLDER}/hostfile"),
        *("--map-by", "ppr:1:node" if once else "slot", "--bind-to", "none"),
        *_with_own(flags, step),
        *(("--wdir", step.folder) if step.folder != CODE_FOLDER else ()),
        *(word for name in sorted(names) for word in ("-x", name)),
        *("/bin/sh", f"{LEARNER_FOLDER}/rank.sh", str(step.number), judgeable(step.command)),
        *(("node",) if once else ()),
    ]


def _with_own(flags: list[str], step: Step) -> list[str]:
    """The flags with the step's own parameters: one that it sets replaces the tool's."""
    own, kept, index = dict(step.mca), list[str](), 0
    while index < len(flags):
        taken = 3 if flags[index] in ("--mca", "--prtemca", "--pmixmca") else 1
        if not (flags[index] == "--mca" and flags[index + 1] in own):
            kept += flags[index : index + taken]
        index += taken
    return [*kept, *(word for name, value in own.items() for word in _mca(name, value))]


def _flags_4(plan: RunPlan, subnet: str) -> list[str]:
    """Open MPI 4.1, and 1.10 of Ubuntu 16.04: its `ompi_info` lists each of these, and they have an effect."""
    return [
        *_mca("plm_rsh_agent", " ".join(SSH_AGENT)),
        *_mca("plm_rsh_no_tree_spawn", "1"),  # only learner-1 holds the key, so it starts every daemon itself
        *_mca("plm_rsh_num_concurrent", str(len(plan.learners))),
        *_mca("oob_tcp_if_include", subnet),
        *_mca("btl_tcp_if_include", subnet),
        *(word for name, value in _KEEPALIVE.items() for word in _mca(name, value)),
        *_mca("pml", "ob1"),
        *_mca("btl", _transports(plan, "vader")),
        *_mca("btl_vader_single_copy_mechanism", "none"),  # needs CAP_SYS_PTRACE, which a learner does not have
        "--tag-output",  # prefixes lines with [job,rank]<stream>:, for the run's supervisor
    ]


def _flags_5(plan: RunPlan, subnet: str) -> list[str]:
    runtime = {
        "plm_ssh_agent": " ".join(SSH_AGENT),
        "plm_ssh_no_tree_spawn": "1",
        "plm_ssh_num_concurrent": str(len(plan.learners)),
        **_KEEPALIVE,
    }
    # PRRTE 3.0 finds an interface only by name, not by subnet (seen with 5.0.7; openpmix pull request 4031): if
    # names differ between hosts, it uses what it finds, and the ranks' own traffic still keeps to the subnet.
    interfaces = {learner.placement.interface for learner in plan.learners}
    if len(interfaces) == 1:
        runtime["prte_if_include"] = interfaces.pop()
    return [
        *(word for name, value in runtime.items() for word in ("--prtemca", name, value)),
        *("--pmixmca", "ptl_base_if_include", "lo"),  # where ranks connect to their own host's daemon
        *_mca("btl_tcp_if_include", subnet),
        *_mca("pml", "ob1"),
        *_mca("btl", _transports(plan, "sm")),
        *_mca("smsc", "^cma"),  # the successor of vader's single copy
        *("--output", "tag"),
    ]


def _transports(plan: RunPlan, shared_memory: str) -> str:
    """The ranks' transports: shared memory within a learner, TCP between learners."""
    return f"self,{shared_memory},tcp" if len(plan.learners) > 1 else f"self,{shared_memory}"


def single_argv(step: Step) -> list[str]:
    """A command that runs once: on rank 0's host, in the same environment and folder, without mpirun."""
    return ["/bin/bash", "--norc", "-c", judgeable(step.command)]


def hostfile(plan: RunPlan) -> str:
    """The hostfile: ranks fill host by host."""
    return "".join(f"{learner.hostname} slots={len(learner.ranks)}\n" for learner in plan.learners)


def _mca(name: str, value: str) -> tuple[str, str, str]:
    return "--mca", name, value
