"""The mpirun command line: a pure function, so that each flag has its reason here and a test compares the list.

For Open MPI 4.1 (Debian 12's). The two things that hang a start most often are a network that the hosts do not share
(hence one subnet for all of MPI's traffic) and a silent peer (hence the keepalives: a lost host is noticed in
25 s, by default only after eight minutes).
"""

from __future__ import annotations

from toolkit.run.plan import LEARNER_FOLDER, RunPlan, Step, run_environment


def mpirun_argv(plan: RunPlan, step: Step, subnet: str) -> list[str]:
    """The line that starts `step` on every rank; `subnet` is the network (CIDR) that MPI shall use."""
    return [
        # An absolute path alone would put /usr/bin in front of every rank's PATH, before the image's own Python.
        *("/usr/bin/mpirun", "--noprefix"),
        *("--np", str(plan.ranks), "--hostfile", f"{LEARNER_FOLDER}/hostfile"),
        *("--map-by", "slot", "--bind-to", "none"),
        *_mca("plm_rsh_agent", f"ssh -F {LEARNER_FOLDER}/ssh_config"),
        *_mca("plm_rsh_no_tree_spawn", "1"),  # only learner-1 holds the key, so it starts every daemon itself
        *_mca("plm_rsh_num_concurrent", str(max(len(plan.learners), 1))),
        *_mca("oob_tcp_if_include", subnet),
        *_mca("btl_tcp_if_include", subnet),
        *_mca("oob_tcp_keepalive_time", "10"),
        *_mca("oob_tcp_keepalive_intvl", "5"),
        *_mca("oob_tcp_keepalive_probes", "3"),
        *_mca("pml", "ob1"),
        *_mca("btl", "^openib"),
        *_mca("btl_vader_single_copy_mechanism", "none"),  # needs CAP_SYS_PTRACE, which a learner has not
        "--tag-output",  # [job,rank]<stream>: in front of each line; the run's supervisor reads it
        *(word for name in sorted(run_environment(plan)) for word in ("-x", name)),
        *("/bin/sh", f"{LEARNER_FOLDER}/rank.sh", str(step.number), step.command),
    ]


def single_argv(step: Step) -> list[str]:
    """A later command: once, on rank 0's host, in the same environment and folder, and not under mpirun."""
    return ["/bin/sh", "-c", step.command]


def hostfile(plan: RunPlan) -> str:
    """Ranks fill host by host."""
    return "".join(f"{learner.hostname} slots={len(learner.ranks)}\n" for learner in plan.learners)


def _mca(name: str, value: str) -> tuple[str, str, str]:
    return "--mca", name, value
