"""PyTorch's `torchrun` (`python -m torch.distributed.run`).

Source: `torch/distributed/run.py` of PyTorch 2.9. There, the variable
PET_<OPTION> is an option's default.
"""

from __future__ import annotations

from toolkit.manifest.launchers.model import (
    OWN_LOGS,
    STARTS_NOTHING,
    Launcher,
    Style,
    counts,
    each,
    left_out,
    marks,
    refused,
)

OPTIONS = (
    *each(counts("nodes"), 1, "--nnodes"),
    *each(counts("per node"), 1, "--nproc-per-node --nproc_per_node"),
    # Rendezvous: the run sets MASTER_ADDR and MASTER_PORT.
    *each(left_out, 1, "--rdzv-backend, --rdzv-endpoint, --rdzv-id, --rdzv-conf, --node-rank, --master-addr"),
    *each(left_out, 1, "--master-port, --local-addr"),
    *each(left_out, 0, "--standalone"),
    # How ranks are started, monitored and bound.
    *each(left_out, 1, "--monitor-interval, --start-method, --event-log-handler, --signals-to-handle, --role"),
    *each(left_out, 1, "--numa-binding, --logs-specs, --max-restarts"),
    # Their output.
    *each(left_out, 1, "--log-dir, -r --redirects, -t --tee, --local-ranks-filter"),
    # The program.
    *each(marks(module=True), 0, "-m --module"),
    *each(marks(python=False), 0, "--no-python"),
    *each(left_out, 0, "--run-path"),
    *each(STARTS_NOTHING, 0, "-h --help"),
)
LAUNCHER = Launcher(
    programs=(("torchrun",),),
    modules=(("torch.distributed.run",), ("torch.distributed.elastic_launch",), ("torchelastic.distributed.launch",)),
    options=OPTIONS,
    style=Style.ARGPARSE,
    python=True,
)
LAUNCH = Launcher(
    programs=(),
    modules=(("torch.distributed.launch",),),
    options=(
        # PyTorch 1.x's (`torch/distributed/launch.py`), which passed the local rank as an argument.
        *each(marks(local_rank=False), 0, "--use-env --use_env"),
        *each(refused(OWN_LOGS), 1, "--logdir"),
        *OPTIONS,
    ),
    style=Style.ARGPARSE,
    python=True,
    local_rank=True,
)
