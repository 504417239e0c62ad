"""DeepSpeed's runner, `deepspeed`. Source: `deepspeed/launcher/runner.py` of DeepSpeed 0.19.

`--deepspeed` and `--deepspeed_config` come after the script and belong to it.
"""

from __future__ import annotations

from toolkit.manifest.launchers.model import STARTS_NOTHING, Launcher, Style, counts, each, left_out, marks, refused

_ARGUMENTS = refused("they are another launcher's: give its variables as `export A=b;` in front")
_ELASTIC = refused("a run has the ranks that it began with: leave elastic training out")
_ENVIRONMENT = refused("an environment is the image's: add packages to the code's requirements.txt")

LAUNCHER = Launcher(
    programs=(("deepspeed",), ("deepspeed.pt",), ("ds",)),
    modules=(("deepspeed.launcher.runner",),),
    options=(
        *each(counts("nodes"), 1, "--num_nodes"),
        *each(counts("per node"), 1, "--num_gpus --num_accelerators"),
        *each(left_out, 1, "-H --hostfile, -i --include, -e --exclude, --node_rank, --ssh_port, --master_port"),
        *each(left_out, 1, "--master_addr, --launcher"),
        *each(_ARGUMENTS, 1, "--launcher_args"),
        *each(left_out, 1, "--enable_each_rank_log, --log_level, --bind_core_list"),
        *each(left_out, 0, "--no_ssh, --no_ssh_check, --force_multi, --save_pid, --bind_cores_to_rank, -q --quiet"),
        *each(marks(module=True), 0, "--module"),
        *each(marks(python=False), 0, "--no_python"),
        *each(marks(local_rank=False), 0, "--no_local_rank"),
        *each(_ENVIRONMENT, 1, "--venv_script"),
        *each(refused("tune in a run of its own: it starts trainings by itself"), 1, "--autotuning"),
        *each(_ELASTIC, 1, "--min_elastic_nodes, --max_elastic_nodes"),
        *each(_ELASTIC, 0, "--elastic_training"),
        *each(STARTS_NOTHING, 0, "-h --help"),
    ),
    style=Style.ARGPARSE,
    python=True,
    local_rank=True,
)
