"""Slurm's `srun`. Source: `src/common/slurm_opt.c` of Slurm 26.11 and the manual page srun(1)."""

from __future__ import annotations

from toolkit.manifest.launchers.model import (
    SEVERAL,
    STARTS_NOTHING,
    Front,
    Launcher,
    Style,
    Value,
    counts,
    each,
    export,
    folder,
    left_out,
    refused,
)

_WHAT_SLURM_HAS = ("ALL", "NONE", "NIL")
_STEP = refused("make it a step of its own: `execution.steps`")
_CONTAINER = refused("the image is the one that the manifest's `framework` names")


def _export(front: Front, shown: str, values: tuple[Value, ...]) -> None:
    """`ALL,A=b,C`: variables with values are set; the run decides about the others."""
    kept = [one for one in values[0].known.split(",") if one not in _WHAT_SLURM_HAS]
    if not kept:
        front.left_out.append(shown)
    for one in kept:
        export(front, f"--export={one}", one)


LAUNCHER = Launcher(
    programs=(("srun",),),
    options=(
        *each(counts("ranks"), 1, "-n --ntasks"),
        *each(counts("per node"), 1, "--ntasks-per-node --tasks-per-node"),
        *each(counts("nodes"), 1, "-N --nodes"),
        *each(_export, 1, "--export"),
        *each(folder, 1, "-D --chdir"),
        # Hosts, and parts of them.
        *each(left_out, 1, "-p --partition, -A --account, -q --qos, -w --nodelist, -F --nodefile, -x --exclude"),
        *each(left_out, 1, "-C --constraint, --prefer, --cluster-constraint, -M --clusters --cluster, --switches"),
        *each(left_out, 1, "--reservation, --jobid, -J --job-name, --comment, --wckey, --mcs-label, --extra"),
        *each(left_out, 1, "--priority, -L --licenses, -r --relative, -d --dependency, --network, --context"),
        *each(left_out, 1, "--segment, --treewidth, -b --begin, --deadline, --delay-boot, --power, --resources"),
        *each(left_out, 1, "-G --gpus, --gpus-per-node, --gpus-per-socket, --gpus-per-task, --gres, --gres-flags"),
        *each(left_out, 1, "--cpus-per-gpu, --gpu-freq, --tres-per-task, -c --cpus-per-task, --cpu-freq"),
        *each(left_out, 1, "--ntasks-per-core, --ntasks-per-socket, --ntasks-per-tres, --ntasks-per-gpu, --mincpus"),
        *each(left_out, 1, "--mem, --mem-per-cpu, --mem-per-gpu, --mem-update, --tmp, --hint, --sockets-per-node"),
        *each(left_out, 1, "--cores-per-socket, --threads-per-core, --thread-spec, -S --core-spec"),
        *each(left_out, 1, "-B --extra-node-info, --bb, --bbf"),
        *each(left_out, 1, "--exclusive, -I --immediate, -k --no-kill, --nice, --resv-ports", attached=True),
        *each(left_out, 0, "--contiguous, -H --hold, -O --overcommit, -s --oversubscribe, --spread-job"),
        *each(left_out, 0, "--spread-segments, --consolidate-segments, --use-min-nodes, --reboot, --exact, --whole"),
        *each(left_out, 0, "--stepmgr, --no-requeue"),
        # How ranks are started, bound, monitored and ended.
        *each(left_out, 1, "--mpi, -m --distribution, --cpu-bind --cpu_bind, --mem-bind, --gpu-bind, --tres-bind"),
        *each(left_out, 1, "--accel-bind, -T --threads, --msg-timeout, --slurmd-debug, --profile, --acctg-freq"),
        *each(left_out, 1, "-W --wait, --mail-type, --mail-user, --signal, --ignore-signals, -t --time, --time-min"),
        *each(left_out, 1, "--open-mode, -o --output, -e --error, -i --input"),
        *each(left_out, 1, "-K --kill-on-bad-exit, --propagate, --compress, --overlap, --oom-kill-step", attached=True),
        *each(left_out, 1, "--send-libs, --external-launcher, --x11", attached=True),
        *each(left_out, 0, "-l --label, -u --unbuffered, -v --verbose, -Q --quiet, -X --disable-status"),
        *each(left_out, 0, "-E --preserve-env, --quit-on-interrupt, --wait-for-children, --interactive, --no-bell"),
        *each(left_out, 0, "--parsable, --async"),
        # What a run has elsewhere, or not at all.
        *each(_STEP, 1, "--prolog, --epilog, --task-prolog, --task-epilog"),
        *each(_CONTAINER, 1, "--container, --container-id, --container-image, --container-name, --container-mounts"),
        *each(_CONTAINER, 1, "--container-workdir, --container-env, --container-save"),
        *each(_CONTAINER, 0, "--container-mount-home, --no-container-mount-home, --container-remap-root"),
        *each(_CONTAINER, 0, "--container-writable, --container-readonly, --no-container-entrypoint"),
        *each(refused("a run has no terminal"), 1, "--pty", attached=True),
        *each(refused("the code is on every host already"), 1, "--bcast", attached=True),
        *each(refused("the code is on every host already"), 1, "--bcast-exclude"),
        *each(SEVERAL, 0, "--multi-prog"),
        *each(SEVERAL, 1, "--het-group --pack-group"),
        *each(STARTS_NOTHING, 0, "-h --help, --usage, -V --version, --test-only, --debugger-test, -Z --no-allocate"),
        *each(STARTS_NOTHING, 0, "--no-shell"),
        *each(STARTS_NOTHING, 1, "--autocomplete"),
    ),
    style=Style.GETOPT,
)
