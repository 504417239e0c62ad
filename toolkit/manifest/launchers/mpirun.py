"""`mpirun`, `mpiexec`, `orterun`, `prterun`, and their flags on their own.

Watson ML put `mpirun` and its own flags in front of a command, so people began commands with more flags.

Sources: Open MPI 4.1's table (`orte/mca/schizo/ompi/schizo_ompi.c`), Open MPI 5's (PRRTE's
`src/mca/schizo/ompi/schizo_ompi.c`, 4.1), and the options of MPICH's and Intel's that set variables and counts.
"""

from __future__ import annotations

from toolkit.manifest.launchers.model import (
    SEVERAL,
    STARTS_NOTHING,
    Launcher,
    Style,
    counts,
    each,
    exported,
    exported_pair,
    folder,
    left_out,
    mca,
    one_per_node,
    refused,
)

_RECOVERY = refused("a run ends with its first failure, and `retries` of the manifest runs a command again")
_DEBUGGER = refused("a run has no terminal for a debugger")
_FILE = refused("options in a file are not read here: write them out, variables as -x NAME=VALUE")

OPTIONS = (
    *each(exported, 1, "-x"),
    *each(mca, 2, "--mca, --gmca, --omca, --gomca"),
    *each(counts("ranks"), 1, "-np --np -n --n -c"),
    *each(counts("per node"), 1, "-npernode --npernode -N, -ppn -perhost"),
    *each(one_per_node, 0, "--pernode"),
    *each(folder, 1, "-wdir --wdir -wd --wd"),
    # MPICH's and Intel's.
    *each(exported_pair, 2, "-env -genv"),
    *each(left_out, 0, "-genvall -envall -genvnone -envnone"),
    *each(left_out, 1, "-genvlist -envlist, -f, -hosts, -bootstrap, -launcher, -iface"),
    # IBM Spectrum MPI's, as in PowerAI.
    *each(left_out, 0, "-gpu, -async, -prot, -pami_noib, -PAMI -pami, -MXM -mxm, -TCP, -IBV -ibv"),
    *each(left_out, 1, "-aff, -intra", attached=True),
    *each(left_out, 1, "-smpiargs, -netaddr, -stdio"),
    # Hosts, and how they are reached.
    *each(left_out, 1, "-H --host, --hostfile, --machinefile, --default-hostfile, --add-host --add-hostfile"),
    *each(left_out, 1, "--launch-agent, --prefix, --app-pmix-prefix, --max-vm-size, --tmpdir, --personality"),
    *each(left_out, 1, "--ompi-server, --hnp, --report-pid, --report-uri, --forward-signals, --rtos, --spawn-timeout"),
    *each(left_out, 1, "--memory-alloc-kinds, --gpu-support, --pset, --stream-buffering"),
    *each(left_out, 2, "--prtemca, --pmixmca"),
    *each(left_out, 0, "--allow-run-as-root, --noprefix, --no-app-prefix, --nolocal, --novm, --use-regexp"),
    *each(left_out, 0, "--do-not-resolve, --leave-session-attached, --hetero-nodes, --uniform-nodes"),
    *each(left_out, 1, "--fwd-environment, --output-proctable", attached=True),
    # Where ranks run, and what they are bound to.
    *each(left_out, 1, "--map-by --mapby, --rank-by --rankby, --bind-to --bindto, --ppr, --npersocket, -rf --rankfile"),
    *each(left_out, 1, "--cpus-per-proc, --cpus-per-rank, --cpu-list, --cpu-set, -cf --cartofile"),
    *each(left_out, 0, "--oversubscribe, --nooversubscribe, --use-hwthread-cpus, --bycore, --bynode, --byslot"),
    *each(left_out, 0, "--bind-to-core, --bind-to-socket, --bind-to-none"),
    # Output of mpirun itself.
    *each(left_out, 1, "--output, --output-filename, --output-directory, --xml-file, --display, --stdin"),
    *each(left_out, 1, "--report-events, --display-topo"),
    *each(left_out, 0, "--tag-output, --timestamp-output, --merge-stderr-to-stdout, --xml, --index-argv-by-rank"),
    *each(left_out, 0, "-v --verbose, -q --quiet, -p --parseable --parsable, --show-progress, --report-bindings"),
    *each(left_out, 0, "--display-map, --display-devel-map, --display-diffable-map, --display-allocation"),
    *each(left_out, 0, "--display-devel-allocation, --display-comm, --display-comm-finalize, -d --debug-devel"),
    *each(left_out, 0, "--debug-daemons, --debug-daemons-file, --no-aggregate-help, --report-state-on-timeout"),
    *each(left_out, 0, "--get-stack-traces, --report-child-jobs-separately, --disable-recovery"),
    # What a run has elsewhere, or not at all.
    *each(refused("a step's `timeout` says how long it may take"), 1, "--timeout"),
    *each(refused("a program is found by PATH: write its path"), 1, "--path"),
    *each(refused("the code is on every host already"), 1, "--preload-files"),
    *each(refused("the code is on every host already"), 0, "-s --preload-binary"),
    *each(refused("a command runs in a folder of the code"), 0, "--set-cwd-to-session-dir"),
    *each(refused("write it as -x NAME=VALUE"), 1, "--set-env, --prepend-env, --append-env, --unset-env"),
    *each(_FILE, 1, "--tune, -am --am, --amca, --file, --configfile"),
    *each(SEVERAL, 1, "--app, --arch"),
    *each(SEVERAL, 0, "--soft"),
    *each(_RECOVERY, 0, "--enable-recovery, --continuous, --recoverable, --autorestart"),
    *each(_RECOVERY, 1, "--max-restarts, --with-ft, --initial-errhandler"),
    *each(_DEBUGGER, 0, "--tv, --debug, --stop-on-exec, --stop-in-init, --stop-in-app"),
    *each(_DEBUGGER, 1, "--debugger, --xterm"),
    *each(refused("a run has no persistent daemons"), 0, "--dvm, --terminate"),
    *each(STARTS_NOTHING, 0, "-h --help, -V --version, --do-not-launch"),
)
LAUNCHER = Launcher(
    programs=(
        *(("mpirun",), ("mpiexec",), ("orterun",), ("prterun",)),
        *(("mpirun.openmpi",), ("mpiexec.openmpi",), ("mpiexec.orte",), ("oshrun",), ("shmemrun",)),
    ),
    options=OPTIONS,
    style=Style.OPEN_MPI,
)
