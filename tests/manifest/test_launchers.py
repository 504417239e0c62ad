"""Commands that begin with a launcher: its program is the ranks', its options are translated, left out or refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.catalogue.model import Framework
from toolkit.manifest.commands import read_commands
from toolkit.manifest.diagnostics import Diagnostics
from toolkit.manifest.dialects.steps import other_counts, steps_of
from toolkit.manifest.launchers import ddlrun, model, mpirun, srun, torchrun
from toolkit.manifest.launchers.find import LAUNCHERS
from toolkit.manifest.launchers.model import Count, Front, Launcher, Option, Style, Value
from toolkit.manifest.model import Compute


def one(text: str) -> tuple[str, Front]:
    (command,) = read_commands(text)
    assert command.front
    return command.text, command.front


def why(text: str) -> str:
    with pytest.raises(ValueError) as caught:
        read_commands(text)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("torchrun --nproc_per_node=2 train.py --epochs 3", "python train.py --epochs 3"),
        ("torchrun --nproc-per-node 2 --nnodes 1:4 -m pkg.train -m x", "python -m pkg.train -m x"),
        ("torchrun --no-python ./train.sh a", "./train.sh a"),
        ("torchrun --run_path /x/train.py", "python /x/train.py"),
        ("torchrun --nproc 2 -r3 -- train.py", "python train.py"),
        ("/opt/venv/bin/torchrun train.py", "python train.py"),
        ("python3 -m torch.distributed.run --nproc_per_node 2 train.py", "python3 train.py"),
        ("python -u -W ignore -mtorch.distributed.run train.py", "python train.py"),
        ("/opt/venv/bin/python /opt/venv/bin/torchrun train.py", "/opt/venv/bin/python train.py"),
        ("python -m torch.distributed.launch --use_env train.py a", "python train.py a"),
        ("python -m torch.distributed.launch train.py a", "python train.py --local_rank=$LOCAL_RANK a"),
        ("accelerate launch --multi_gpu train.py --x 1", "python train.py --x 1"),
        ("accelerate-launch -m train", "python -m train"),
        (
            "deepspeed train.py --deepspeed_config c.json",
            "python train.py --local_rank=$LOCAL_RANK --deepspeed_config c.json",
        ),
        ("deepspeed --no_local_rank --module pkg.train x", "python -m pkg.train x"),
        ("horovodrun -np 4 -H a:2,b:2 python train.py", "python train.py"),
        ("srun -N2 -n4 -lu --exclusive python train.py -n 7", "python train.py -n 7"),
        ("mpiexec -n 4 python train.py", "python train.py"),
        ("/usr/bin/mpirun.openmpi --map-by ppr:2:node python train.py", "python train.py"),
        ("srun --ntasks-per-node=1 torchrun --nproc_per_node 4 train.py", "python train.py"),
        ("-x A=b torchrun --nproc_per_node 4 train.py", "python train.py"),
        ("srun env A=b torchrun train.py", "env A=b python train.py"),
        ("OMP_NUM_THREADS=4 torchrun train.py", "OMP_NUM_THREADS=4 python train.py"),
        ("MASTER_ADDR=localhost MASTER_PORT=1 RANK=0 torchrun train.py", "MASTER_PORT=1 python train.py"),
        ("CUDA_VISIBLE_DEVICES=0,1 mpirun -np 2 python t.py", "CUDA_VISIBLE_DEVICES=0,1 python t.py"),
        ("exec torchrun train.py", "exec python train.py"),
        ("time torchrun train.py", "time python train.py"),
        ("env -u X A=b timeout 2h mpirun -np 2 python t.py", "env -u X A=b timeout 2h python t.py"),
        ("cd src && torchrun train.py", "cd src && python train.py"),
        ("export A=b && cd src && srun python t.py", "export A=b && cd src && python t.py"),
        ("torchrun train.py && echo done", "python train.py && echo done"),
        ("torchrun train.py > $LOG_DIR/out 2>&1", "python train.py > $LOG_DIR/out 2>&1"),
        ('torchrun --nnodes $N --master_addr "$(hostname)x" a.py'.replace('"$(hostname)x"', '"$H"'), "python a.py"),
        ('torchrun "$SCRIPT" $ARGS', 'python "$SCRIPT" $ARGS'),
        ("torchrun \\\n  --nproc_per_node 2 \\\n  train.py", "python train.py"),
        ("time\nmpirun python t.py".replace("\n", " "), "time python t.py"),
    ],
)
def test_the_launchers_program_is_what_each_rank_runs(text: str, command: str) -> None:
    found, front = one(text)
    assert found == command
    assert front.launcher
    assert [later.front for later in read_commands(found)] == [None]


@pytest.mark.parametrize(
    ("text", "environment"),
    [
        ("mpirun -x A=b --x C='d e' -x PATH -x RANK=1 t", {"A": "b", "C": "d e"}),
        ("mpiexec -genv A b -env C d t", {"A": "b", "C": "d"}),
        ("srun --export=ALL,A=b,HOME t", {"A": "b"}),
        ("srun --export NONE t", {}),
        (
            "horovodrun --fusion-threshold-mb 32 --no-autotune --tcp t",
            {"HOROVOD_FUSION_THRESHOLD": "33554432", "HOROVOD_AUTOTUNE": "0", "NCCL_IB_DISABLE": "1"},
        ),
        ('horovodrun --mpi-args="-x A=b --map-by slot" t', {"A": "b"}),
        ("ddlrun --mode b:2x4 --mpiarg '-x A=b' t", {"A": "b"}),
        ("mpirun -gpu -pami_noib -x A=b t", {"A": "b"}),
        ("ddlrun --mpiarg -pami_noib --accelerators 4 -m b ./t.sh", {}),
        ("mpirun -x A=$A -x LD_LIBRARY_PATH=${LD_LIBRARY_PATH} -x B=c t", {"B": "c"}),
        ('mpirun -x "A=$A" t', {}),
        ('mpirun -x A="$A" t', {}),
        ("mpirun -x 'A=$A' t", {"A": "$A"}),
        (
            "accelerate launch --mixed-precision=bf16 --num_cpu_threads_per_process 4 t.py",
            {"ACCELERATE_MIXED_PRECISION": "bf16", "OMP_NUM_THREADS": "4"},
        ),
        (
            "accelerate launch --use_fsdp --fsdp_offload_params True --fsdp_version 2 t.py",
            {"ACCELERATE_USE_FSDP": "true", "FSDP_OFFLOAD_PARAMS": "true", "FSDP_VERSION": "2"},
        ),
        ("-x A=b srun -n2 --export=C=d torchrun t.py", {"A": "b", "C": "d"}),
        ("mpirun -x MASTER_ADDR=a -x MASTER_PORT=7000 t", {"MASTER_PORT": "7000"}),
    ],
)
def test_what_a_launcher_tells_its_program_by_variables_is_set(text: str, environment: dict[str, str]) -> None:
    assert one(text)[1].environment == environment


@pytest.mark.parametrize(
    ("text", "folder"),
    [
        ("mpirun --wdir src t", "src"),
        ("mpirun -wd ./src/a/ t", "src/a"),
        ("srun -D $MODEL_DIR/src t", "src"),
        ('srun --chdir="${MODEL_DIR}" t', ""),
        ("srun -Dsrc t", "src"),
    ],
)
def test_a_working_folder_is_the_steps(text: str, folder: str) -> None:
    assert one(text)[1].folder == folder


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("torchrun --nproc_per_node=2 --nnodes 1:4 t.py", [("per node", 2, 2), ("nodes", 1, 4)]),
        ("torchrun --nproc_per_node=auto --nnodes $N t.py", []),
        ("accelerate launch --num_processes 4 --num_machines 2 t.py", [("ranks", 4, 4), ("nodes", 2, 2)]),
        ("deepspeed --num_gpus 2 --num_nodes 2 t.py", [("per node", 2, 2), ("nodes", 2, 2)]),
        ("srun -N 2-4 -n8 --ntasks-per-node=4 t", [("nodes", 2, 4), ("ranks", 8, 8), ("per node", 4, 4)]),
        ("mpirun --pernode t", [("per node", 1, 1)]),
        ("mpirun -npernode 2 -np 4 t", [("per node", 2, 2), ("ranks", 4, 4)]),
        ("srun -n 2 torchrun --nproc_per_node 2 t.py", [("per node", 2, 2)]),
    ],
)
def test_counts_are_kept(text: str, counts: list[tuple[str, int, int]]) -> None:
    assert [(count.what, count.least, count.most) for count in one(text)[1].counts] == counts


def test_counts_that_are_others_here_are_reported() -> None:
    shown = ("--nproc_per_node=4", "per node", 4, 4), ("--nnodes 1:4", "nodes", 1, 4), ("-np 4", "ranks", 4, 4)
    front = Front("torchrun", counts=[Count(*count) for count in shown])
    assert list(other_counts(front, Compute("p100x4", 1))) == []
    assert list(other_counts(front, Compute("p100x2", 8))) == [
        "--nproc_per_node=4 is left out: ranks on each node here: 2",
        "--nnodes 1:4 is left out: nodes here: 8",
        "-np 4 is left out: there are 16 ranks, nodes × GPUs on each",
    ]
    assert list(other_counts(front, Compute("cpux2", 1)))[-1] == "-np 4 is left out: there are 2 ranks"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("torchrun", "no command after"),
        ("accelerate launch --cpu", "no command after"),
        ("torchrun --bogus t.py", "`torchrun --bogus`: unknown here"),
        ("torchrun --nproc_per_nod2 t.py", "did you mean `--nproc"),
        ("torchrun --nproc_per_node two t.py", "expected a number of ranks"),
        ("torchrun --standalone=1 t.py", "takes no value"),
        ("accelerate launch --num_proc 2 t.py", "unknown here"),
        ("accelerate launch --config_file c.yml t.py", "`--config_file c.yml`: its settings are not read from a file"),
        ("accelerate launch --use_deepspeed t.py", "DeepSpeedPlugin"),
        ("deepspeed --autotuning run t.py", "tune in a run of its own"),
        ("horovodrun --min-np 2 -np 4 t", "leave elastic training out"),
        ("srun --multi-prog c", "several programs"),
        ("srun --pty bash", "no terminal"),
        ("srun --container-image=x t", "the manifest's `framework`"),
        ("srun --chdir=/tmp t", "in a folder of the code"),
        ("mpirun --wdir ../x t", "in a folder of the code"),
        ("mpirun --wdir $HOME t", "in a folder of the code"),
        ("mpirun --app f", "several programs"),
        ("mpirun -np 1 a : -np 2 b", "several programs"),
        ("mpirun --timeout 60 t", "a step's `timeout`"),
        ("mpirun --tune f t", "options in a file"),
        ("mpirun --version", "nothing is started"),
        ("srun --export=A=$B t", "variables and operators are not read"),
        ("srun --export=DATA_DIR=/x t", "cannot be set"),
        ("torchrun $DISTRIBUTED_ARGS train.py", "`$DISTRIBUTED_ARGS`: what it holds is not known here"),
        ('torchrun "${ARGS[@]}" train.py', "what it holds is not known here"),
        ("torchrun > log train.py", "stands among the options"),
        ("torchrun train.py | tee log", "leave it out, as the ranks' output is kept"),
        ("python prep.py && torchrun train.py", "`python prep.py`: beside torchrun"),
        ("torchrun train.py && python after.py", "`python after.py`: beside torchrun"),
        ("torchrun a.py && torchrun b.py", "give both as execution.steps"),
        ("./cd && torchrun b.py", "beside torchrun"),
        ("export MASTER_ADDR=x && torchrun t.py", "the run sets RANK"),
        ("env MASTER_ADDR=x torchrun t.py", "the run sets RANK"),
        ("bash -c 'torchrun t.py'", "`torchrun` would start ranks in ranks"),
        ("bash -lc 'cd x; bash -c \"exec mpirun -np 2 t\"'", "`mpirun` would start ranks in ranks"),
        ("eval mpirun -np 2 t", "`mpirun` would start ranks in ranks"),
        ("mpirun bash -c 'torchrun t.py'", "`torchrun` would start ranks in ranks"),
        ("sudo -E mpirun -np 2 t", "`sudo` would start `mpirun`"),
        ("conda run -n env python -m torch.distributed.run t.py", "`conda` would start `torch.distributed.run`"),
        ("jsrun -n 1 t", "`jsrun` is not read here"),
        ("sbatch job.sh", "`sbatch` is not read here"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(text: str, words: str) -> None:
    assert words in why(text)


@pytest.mark.parametrize(
    "text",
    [
        "pip install deepspeed accelerate",
        "accelerate config",
        "which mpirun",
        "python train.py --launcher torchrun",
        "python -c 'import torch.distributed.run'",
        "python -m pytest torchrun",
        "echo mpirun -np 2",
        "./jsrun x",
        "bash train.sh torchrun",
    ],
)
def test_what_only_names_a_launcher_is_a_command_like_any_other(text: str) -> None:
    (command,) = read_commands(text)
    assert (command.text, command.front) == (text, None)


# Values that fit each kind of option; what is not listed takes any word.
_VALUES: dict[model.Act, tuple[str, ...]] = {
    model.exported: ("A=b",),
    model.mca: ("btl_tcp_links", "2"),
    model.exported_pair: ("A", "b"),
    model.folder: ("src",),
    ddlrun._mode: ("b:1x2",),
    ddlrun.mpi_arguments: ("-x C=d --map-by slot",),
    srun._export: ("ALL,E=f",),
}


def values_of(option: Option) -> tuple[str, ...]:
    return _VALUES.get(option.act, ("2",) * option.values)


def is_refused(option: Option) -> bool:
    try:
        option.act(Front(), "x", tuple(Value(value, value) for value in values_of(option)))
    except ValueError:
        return True
    return False


OPTIONS = [(launcher, option) for launcher in LAUNCHERS for option in launcher.options]


def spelled(launcher: Launcher, option: Option, data: st.DataObject) -> str:
    """One of the ways to write an option."""
    name = data.draw(st.sampled_from(option.names))
    if launcher.style is Style.OPEN_MPI:
        name = data.draw(st.sampled_from(["-", "--"])) + name.lstrip("-")
    elif name.startswith("--") and data.draw(st.booleans()):
        name = name[:2] + name[2:].replace("-", "_")
    values = [f"'{value}'" if " " in value else value for value in values_of(option)]
    if not values:
        return name
    if option.attached:
        return data.draw(st.sampled_from([name, f"{name}={values[0]}"]))
    glued = (
        [f"{name}={values[0]}"]
        if len(values) == 1 and (name.startswith("--") or launcher.style is Style.OPEN_MPI)
        else []
    )
    if len(values) == 1 and len(name) == 2 and launcher.style is not Style.OPEN_MPI:
        glued.append(f"{name}{values[0]}")
    return data.draw(st.sampled_from([" ".join([name, *values]), *glued]))


def meaning(front: Front) -> tuple[object, ...]:
    counts = [(count.what, count.least, count.most) for count in front.counts]
    return front.environment, front.mca, counts, front.folder, front.python, front.module, front.local_rank


@given(st.sampled_from(LAUNCHERS), st.data())
def test_options_in_any_order_and_spelling_mean_what_their_table_says(launcher: Launcher, data: st.DataObject) -> None:
    known = [option for option in launcher.options if not is_refused(option)]
    options = data.draw(st.lists(st.sampled_from(known), max_size=6))
    meant = Front(python=launcher.python, local_rank=launcher.local_rank)
    for option in options:
        option.act(meant, "shown", tuple(Value(value, value) for value in values_of(option)))
    entry = " ".join(launcher.programs[0] if launcher.programs else ("python", "-m", *launcher.modules[0]))
    words = " ".join([entry, *(spelled(launcher, option, data) for option in options)])
    command, front = one(f"{words} program --np 3 -x 'a b'")
    assert meaning(front) == meaning(meant)
    program = f"python {'-m ' if meant.module else ''}program" if meant.python else "program"
    assert command == f"{program}{' --local_rank=$LOCAL_RANK' if meant.local_rank else ''} --np 3 -x 'a b'"
    assert bool(front.left_out) == bool(meant.left_out)


@pytest.mark.parametrize(
    ("launcher", "option"),
    [pair for pair in OPTIONS if is_refused(pair[1])],
    ids=lambda one: getattr(one, "names", ("",))[0],
)
def test_an_option_that_a_run_has_not_is_refused_by_its_name(launcher: Launcher, option: Option) -> None:
    entry = " ".join(launcher.programs[0] if launcher.programs else ("python", "-m", *launcher.modules[0]))
    for name in option.names:
        values = () if option.attached else values_of(option)
        assert f"`{' '.join([name, *values])}" in why(" ".join([entry, name, *values, "program"]))


def test_no_spelling_stands_for_two_options_of_a_launcher() -> None:
    for launcher in LAUNCHERS:
        if launcher is ddlrun.LAUNCHER:  # its own stand before mpirun's
            continue
        names = [name for option in launcher.options for name in option.names]
        assert len(names) == len(set(names)), launcher.programs


WORDS = st.sampled_from(
    [
        "torchrun",
        "mpirun",
        "srun",
        "python",
        "-m",
        "torch.distributed.run",
        "launch",
        "accelerate",
        "-np",
        "2",
        "-x",
        "A=b",
        "--",
        "-",
        "train.py",
        "&&",
        ";",
        "|",
        ">",
        "cd",
        "$A",
        "exec",
        "env",
        "bash",
        "-c",
        "'mpirun'",
        ":",
        "-n4",
    ]
)


@given(st.lists(WORDS, max_size=8).map(" ".join))
def test_whatever_is_read_starts_no_ranks_in_ranks(text: str) -> None:
    try:
        commands = read_commands(text)
    except ValueError as error:
        assert str(error)
        return
    for command in commands:
        assert all(later.front is None for later in read_commands(command.text))


def test_torchruns_own_table_has_each_option_in_both_spellings() -> None:
    assert {torchrun.LAUNCHER.style, torchrun.LAUNCH.style} == {Style.ARGPARSE}
    assert one("torchrun --rdzv-id=1 t.py")[1].left_out == ["--rdzv-id=1"]
    assert one("torchrun --rdzv_id 1 t.py")[1].left_out == ["--rdzv_id 1"]
    assert mpirun.LAUNCHER.style is Style.OPEN_MPI


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("srun python train.py --rank $SLURM_PROCID", "`$SLURM_PROCID`: nothing sets it"),
        ("srun python train.py --rank $SLURM_PROCID", "the run sets $RANK"),
        ("srun python train.py --rank=${SLURM_PROCID:-0}", "the run sets $RANK"),
        ("srun bash -c 'python train.py --gpu $SLURM_LOCALID'", "the run sets $LOCAL_RANK"),
        ('srun bash -c "python train.py --of \\$SLURM_NTASKS"', "the run sets $WORLD_SIZE"),
        (
            "cd src && srun -n 4 python train.py --node $SLURM_NODEID",
            "the run sets $LEARNER_ID, the first of which is 1",
        ),
        ("mpirun -np 4 python train.py --rank $PMI_RANK", "the run sets $RANK"),
        ("mpiexec -n 4 python train.py --rank $MV2_COMM_WORLD_LOCAL_RANK", "the run sets $LOCAL_RANK"),
        ("srun python train.py --job $SLURM_JOB_ID", "leave it out, or set it in `environment`"),
    ],
)
def test_a_variable_that_only_the_launcher_would_have_set_is_refused(text: str, words: str) -> None:
    assert words in why(text)


@pytest.mark.parametrize(
    "text",
    [
        "torchrun --node_rank=$SLURM_NODEID --rdzv_endpoint $SLURM_LAUNCH_NODE_IPADDR:1 train.py",
        "srun --nodelist=$SLURM_NODELIST python train.py",
        "srun python train.py --rank $RANK",
    ],
)
def test_such_a_variable_in_an_option_that_is_left_out_is_no_matter(text: str) -> None:
    assert "SLURM" not in one(text)[0]


@pytest.mark.parametrize(
    "text",
    [
        *("poe python t.py", "bpslaunch python3 t.py", "composer -n 2 t.py", "flux run -n 4 python t.py"),
        *("lightning run model t.py", "fabric run model t.py", "ray job submit -- python t.py", "/opt/bin/flux run t"),
    ],
)
def test_other_launchers_are_refused_by_their_names(text: str) -> None:
    assert "is not read here: the tool starts the ranks" in why(text)


@pytest.mark.parametrize("text", ["flux.py run", "python lightning run", "./composer t.py", "ray --version", "fabric"])
def test_what_only_looks_like_one_is_a_program(text: str) -> None:
    (command,) = read_commands(text)
    assert (command.text, command.front) == (text, None)


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("ddlrun -m b t", "-mode b:2x4"),
        ("ddlrun --mode=r:2x4 t", "-mode r:2x4"),
        ("ddlrun -mode n:2x2x2 t", "-mode n:2x2x2"),
        ("ddlrun -mode p:4x4 t", "-mode p:2x4"),
        ("srun ddlrun -m b t", "-mode b:2x4"),
        ("ddlrun t", ""),
    ],
)
def test_ddls_mode_is_for_as_many_ranks_as_the_run_has(text: str, options: str) -> None:
    framework, compute = Framework("tensorflow-ddl", "2.19", "3"), Compute("p100x2", 4)
    diagnostics = Diagnostics()
    (step,) = steps_of(text, framework, compute, diagnostics, ("command",))
    assert dict(step.environment).get("DDL_OPTIONS", "") == options
    assert ("p:4x4 is left out: there are 8 ranks" in diagnostics.warnings[0].what) == ("4x4" in text)


@pytest.mark.parametrize("text", ["ddlrun -m x t", "ddlrun -m b: t", "ddlrun -m b:0x2 t", "ddlrun -m b:1x2x3x4x5 t"])
def test_what_is_no_mode_of_ddls_is_refused(text: str) -> None:
    assert "expected a mode, one of b, n, r, m, p" in why(text)


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("python /opt/lib/torch/distributed/launch.py --nproc_per_node 2 t.py", "python t.py --local_rank=$LOCAL_RANK"),
        ("python3 -u /x/torch/distributed/run.py t.py", "python3 t.py"),
        ("python /x/accelerate/commands/launch.py t.py", "python t.py"),
    ],
)
def test_a_launchers_module_is_known_by_its_file(text: str, command: str) -> None:
    assert one(text)[0] == command


def test_a_script_of_that_name_elsewhere_is_a_program() -> None:
    (command,) = read_commands("python distributed/launch.py t.py")
    assert command.front is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("mpirun -x LD_LIBRARY_PATH=/a:$LD_LIBRARY_PATH t", "put `export LD_LIBRARY_PATH=…;` in front of it all"),
        ("deepspeed --launcher openmpi --launcher_args '-x A=b' t.py", "give its variables as `export A=b;` in front"),
    ],
)
def test_variables_that_are_not_read_are_reported_where_they_go(text: str, words: str) -> None:
    assert words in why(text)
