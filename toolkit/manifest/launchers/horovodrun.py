"""Horovod's `horovodrun`. Source: `runner/launch.py` and `runner/common/util/config_parser.py` of Horovod 0.28.

It passes settings to Horovod as variables; those are set here instead.
"""

from __future__ import annotations

from toolkit.manifest.launchers.ddlrun import mpi_arguments
from toolkit.manifest.launchers.model import (
    STARTS_NOTHING,
    Launcher,
    Option,
    Style,
    always,
    counts,
    each,
    exported,
    left_out,
    refused,
    sets,
)

_ELASTIC = refused("a run has the ranks that it began with: leave elastic training out")
_GLOO = refused("ranks are started by mpirun here, and Horovod is to speak MPI: leave it out")


def _megabytes(text: str) -> str:
    if not text.isdecimal():
        raise ValueError("expected a whole number of MB")
    return str(int(text) << 20)


def _variable(name: str) -> str:
    return f"HOROVOD_{name.upper().replace('-', '_')}"


def _switch(name: str) -> tuple[Option, ...]:
    """`--name` and `--no-name`."""
    yes, no = sets(_variable(name), always("1")), sets(_variable(name), always("0"))
    return (*each(yes, 0, f"--{name}"), *each(no, 0, f"--no-{name}"))


_OF_THE_SAME_NAME = (
    *("cache-capacity", "autotune-warmup-samples", "autotune-steps-per-sample", "autotune-bayes-opt-max-samples"),
    *("autotune-gaussian-process-noise", "num-nccl-streams", "thread-affinity", "ccl-bgt-affinity"),
    *("gloo-timeout-seconds", "log-level"),
)


LAUNCHER = Launcher(
    programs=(("horovodrun",),),
    modules=(("horovod.runner",), ("horovod.runner.launch",), ("horovod.run",), ("horovod.run.run",)),
    options=(
        *each(counts("ranks"), 1, "-np --num-proc"),
        *each(exported, 1, "-x"),  # not its own, but often copied from mpirun's
        *each(mpi_arguments, 1, "--mpi-args"),
        *each(sets("NCCL_IB_DISABLE", always("1")), 0, "--tcp"),
        # Hosts, how they are reached, and how ranks are started.
        *each(left_out, 1, "-H --hosts, -hostfile --hostfile, -p --ssh-port, -i --ssh-identity-file"),
        *each(left_out, 1, "--network-interface, --network-interfaces, --nics, --start-timeout, --output-filename"),
        *each(left_out, 1, "--binding-args"),
        *each(left_out, 0, "--disable-cache, --verbose, --mpi, --jsrun"),
        *each(left_out, 0, "-prefix-timestamp --prefix-output-with-timestamp"),
        # Variables for Horovod.
        *(one for name in _OF_THE_SAME_NAME for one in each(sets(_variable(name)), 1, f"--{name}")),
        *each(sets("HOROVOD_FUSION_THRESHOLD", _megabytes), 1, "--fusion-threshold-mb"),
        *each(sets("HOROVOD_CYCLE_TIME"), 1, "--cycle-time-ms"),
        *_switch("hierarchical-allreduce"),
        *_switch("hierarchical-allgather"),
        *_switch("autotune"),
        *each(sets("HOROVOD_AUTOTUNE_LOG"), 1, "--autotune-log-file"),
        *each(sets("HOROVOD_TIMELINE"), 1, "--timeline-filename"),
        *_switch("timeline-mark-cycles"),
        *each(sets("HOROVOD_STALL_CHECK_DISABLE", always("1")), 0, "--no-stall-check"),
        *each(sets("HOROVOD_STALL_CHECK_DISABLE", always("0")), 0, "--stall-check"),
        *each(sets("HOROVOD_STALL_CHECK_TIME_SECONDS"), 1, "--stall-check-warning-time-seconds"),
        *each(sets("HOROVOD_STALL_SHUTDOWN_TIME_SECONDS"), 1, "--stall-check-shutdown-time-seconds"),
        *_switch("mpi-threads-disable"),
        *each(sets("HOROVOD_LOG_HIDE_TIME", always("0")), 0, "--log-with-timestamp, --no-log-hide-timestamp"),
        *each(sets("HOROVOD_LOG_HIDE_TIME", always("1")), 0, "--log-without-timestamp, --log-hide-timestamp"),
        # What a run does not have.
        *each(_GLOO, 0, "--gloo"),
        *each(refused("its settings are not read from a file: give them as options"), 1, "--config-file"),
        *each(_ELASTIC, 1, "--min-np --min-num-proc, --max-np --max-num-proc, --slots-per-host --slots"),
        *each(_ELASTIC, 1, "--elastic-timeout, --reset-limit, --host-discovery-script"),
        *each(_ELASTIC, 2, "--blacklist-cooldown-range"),
        *each(STARTS_NOTHING, 0, "-h --help, -v --version, -cb --check-build"),
    ),
    style=Style.ARGPARSE,
)
