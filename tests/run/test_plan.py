"""From a manifest to a run: who runs what, where."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from toolkit.cluster.reader import read_cluster
from toolkit.manifest.model import Compute, FolderReference, NfsReference, Step
from toolkit.manifest.reader import read_manifest
from toolkit.paths import assets
from toolkit.plural import counted
from toolkit.run.plan.environment import run_environment
from toolkit.run.plan.learner_command import data_binds, learner_argv
from toolkit.run.plan.make_plan import make_plan
from toolkit.run.plan.mounts import learner_mounts
from toolkit.run.plan.mpirun import hostfile, mpirun_argv, single_argv
from toolkit.run.plan.run_plan import Export, HostFolder, Placement, RunImage, RunPlan
from toolkit.run.plan.run_plan import Step as PlannedStep
from toolkit.run.plan.training_id import new_training_id
from toolkit.runtimes.docker import Docker
from toolkit.runtimes.docker_run import mount_argument
from toolkit.storage.sidecar import Mount

IMAGE = RunImage("tensorflow:1", "sha256:abc", (("PATH", "/opt/venv/bin:/usr/bin"), ("LD_LIBRARY_PATH", "/cuda")))


TWO_NODES = Compute("p100", 2)


def plan_for(compute: Compute = TWO_NODES) -> RunPlan:
    """The example's plan, with other machines."""
    manifest = read_manifest(assets() / "examples" / "mnist" / "manifest.yml")
    cluster = read_cluster(assets() / "clusters" / "local.yml")
    return make_plan(replace(manifest, compute=compute), cluster, IMAGE, "buckets:1", "training-abcd2345")


@pytest.mark.parametrize(
    ("name", "nodes", "ranks"),
    [
        ("p100", 1, [(0,)]),
        ("p100", 2, [(0,), (1,)]),
        ("k80x4", 2, [(0, 1, 2, 3), (4, 5, 6, 7)]),
        ("v100x2", 3, [(0, 1), (2, 3), (4, 5)]),
    ],
)
def test_ranks_fill_host_by_host(name: str, nodes: int, ranks: list[tuple[int, ...]]) -> None:
    plan = plan_for(Compute(name, nodes))
    assert [learner.ranks for learner in plan.learners] == ranks
    assert [(learner.number, learner.hostname) for learner in plan.learners] == [
        (number, f"learner-{number}") for number in range(1, nodes + 1)
    ]
    assert plan.ranks == sum(map(len, ranks))


def test_the_first_command_is_parallel_and_the_others_are_not() -> None:
    assert [(step.number, step.command, step.parallel) for step in plan_for().steps] == [
        (1, "python train.py", True),
        (2, "python transform.py", False),
    ]


def test_the_environment_is_the_contracts_over_the_images() -> None:
    results = "/mnt/results/mnist-training-models"
    assert run_environment(plan_for(Compute("p100x2", 3))) == {
        "PATH": "/opt/venv/bin:/usr/bin",
        "LD_LIBRARY_PATH": "/cuda",
        "DATA_DIR": "/mnt/data/mnist-training-data",
        "RESULT_DIR": f"{results}/training-abcd2345",
        "CHECKPOINT_DIR": f"{results}/_wml_checkpoints",
        "MODEL_DIR": "/job/code",
        "LOG_DIR": f"{results}/training-abcd2345/logs",
        "TRAINING_ID": "training-abcd2345",
        "NUM_LEARNERS": "3",
        "GPU_COUNT": "2",
        "DDL_OPTIONS": "-mode p:2x3",
        "PYTHONPATH": "/job/code",
        "PYTHONUNBUFFERED": "1",
    }


def test_ranks_without_a_gpu_see_that_there_is_none() -> None:
    plan = plan_for(Compute("cpux4", 2))
    environment = run_environment(plan)
    assert [learner.ranks for learner in plan.learners] == [(0, 1, 2, 3), (4, 5, 6, 7)]
    assert (environment["GPU_COUNT"], environment["DDL_OPTIONS"]) == ("0", "-mode p:4x2")
    assert environment["NVIDIA_VISIBLE_DEVICES"] == "void"
    assert (plan.in_place_of_gpus, plan_for(Compute("p100", 2)).in_place_of_gpus) == (False, True)


@pytest.mark.parametrize("open_mpi", ["4.1.4", "1.10.2"])
def test_the_mpirun_line_of_the_example(open_mpi: str) -> None:
    plan = replace(plan_for(), image=replace(IMAGE, open_mpi=open_mpi))
    names = sorted(run_environment(plan))
    assert mpirun_argv(plan, plan.steps[0], "172.18.0.0/16") == [
        *("/usr/bin/mpirun", "--noprefix", "--np", "2", "--hostfile", "/run/learner/hostfile"),
        *("--map-by", "slot", "--bind-to", "none"),
        *("--mca", "plm_rsh_agent", "ssh -F /run/learner/ssh_config"),
        *("--mca", "plm_rsh_no_tree_spawn", "1"),
        *("--mca", "plm_rsh_num_concurrent", "2"),
        *("--mca", "oob_tcp_if_include", "172.18.0.0/16"),
        *("--mca", "btl_tcp_if_include", "172.18.0.0/16"),
        *("--mca", "oob_tcp_keepalive_time", "10"),
        *("--mca", "oob_tcp_keepalive_intvl", "5"),
        *("--mca", "oob_tcp_keepalive_probes", "3"),
        *("--mca", "pml", "ob1"),
        *("--mca", "btl", "self,vader,tcp"),
        *("--mca", "btl_vader_single_copy_mechanism", "none"),
        "--tag-output",
        *(word for name in names for word in ("-x", name)),
        *("/bin/sh", "/run/learner/rank.sh", "1", "python train.py"),
    ]


def test_the_mpirun_line_for_open_mpi_5_speaks_to_its_runtime() -> None:
    plan = replace(plan_for(), image=replace(IMAGE, open_mpi="5.0.7"))
    names = sorted(run_environment(plan))
    assert mpirun_argv(plan, plan.steps[0], "10.0.0.0/16") == [
        *("/usr/bin/mpirun", "--noprefix", "--np", "2", "--hostfile", "/run/learner/hostfile"),
        *("--map-by", "slot", "--bind-to", "none"),
        *("--prtemca", "plm_ssh_agent", "ssh -F /run/learner/ssh_config"),
        *("--prtemca", "plm_ssh_no_tree_spawn", "1"),
        *("--prtemca", "plm_ssh_num_concurrent", "2"),
        *("--prtemca", "oob_tcp_keepalive_time", "10"),
        *("--prtemca", "oob_tcp_keepalive_intvl", "5"),
        *("--prtemca", "oob_tcp_keepalive_probes", "3"),
        *("--prtemca", "prte_if_include", "eth0"),
        *("--pmixmca", "ptl_base_if_include", "lo"),
        *("--mca", "btl_tcp_if_include", "10.0.0.0/16"),
        *("--mca", "pml", "ob1"),
        *("--mca", "btl", "self,sm,tcp"),
        *("--mca", "smsc", "^cma"),
        *("--output", "tag"),
        *(word for name in names for word in ("-x", name)),
        *("/bin/sh", "/run/learner/rank.sh", "1", "python train.py"),
    ]


@pytest.mark.parametrize("open_mpi", ["1.10.2", "4.1.4", "5.0.7"])
def test_a_step_that_runs_once_on_each_learner_is_one_process_on_each(open_mpi: str) -> None:
    plan = replace(plan_for(Compute("p100x2", 3)), image=replace(IMAGE, open_mpi=open_mpi))
    argv = mpirun_argv(plan, PlannedStep(2, "cd src; python t.py", "node"), "10.0.0.0/16")
    assert argv[1:9] == [
        *("--noprefix", "--np", "3", "--hostfile", "/run/learner/hostfile"),
        *("--map-by", "ppr:1:node", "--bind-to"),
    ]
    stop = "stop_if_failed() { set -- $?; [ $1 = 0 ] || exit $1; }; "
    assert argv[-4:] == ["/run/learner/rank.sh", "2", f"{stop}cd src; stop_if_failed; python t.py", "node"]


@pytest.mark.parametrize(("open_mpi", "transports"), [("4.1.4", "self,vader"), ("5.0.7", "self,sm")])
def test_the_ranks_of_one_learner_need_no_network_and_listen_on_none(open_mpi: str, transports: str) -> None:
    plan = replace(plan_for(Compute("p100x2", 1)), image=replace(IMAGE, open_mpi=open_mpi))
    argv = mpirun_argv(plan, plan.steps[0], "10.0.0.0/16")
    assert argv[argv.index("btl") + 1] == transports


def test_no_value_of_a_variable_stands_in_the_mpirun_line() -> None:
    plan = plan_for()
    argv = mpirun_argv(plan, plan.steps[0], "172.18.0.0/16")
    assert not [word for word in argv if word in run_environment(plan).values() and not word.isdigit()]


def test_a_later_command_is_given_whole_to_bash() -> None:
    assert single_argv(plan_for().steps[1]) == ["/bin/bash", "--norc", "-c", "python transform.py"]


def asking(**changes: object) -> RunPlan:
    """The example's plan, where its manifest asks for more."""
    manifest = read_manifest(assets() / "examples" / "mnist" / "manifest.yml")
    cluster = read_cluster(assets() / "clusters" / "local.yml")
    return make_plan(replace(manifest, **changes), cluster, IMAGE, "buckets:1", "training-abcd2345")


def test_a_step_carries_its_settings() -> None:
    asked = Step("python t.py", "one", "sub", 90, (("A", "1"),))
    assert asking(steps=(asked,)).steps == (
        PlannedStep(1, "python t.py", "one", folder="/job/code/sub", timeout=90, environment=(("A", "1"),)),
    )


def test_the_mpirun_line_of_a_step_with_wishes_of_its_own() -> None:
    asked = Step("t", "all", "sub", environment=(("OWN", "v"),), mca=(("btl", "self,tcp"), ("btl_tcp_links", "2")))
    plan = asking(steps=(asked,))
    argv = mpirun_argv(plan, plan.steps[0], "10.0.0.0/8")
    assert argv[argv.index("pml") + 2 : argv.index("-x")] == [
        *("--mca", "btl_vader_single_copy_mechanism", "none", "--tag-output"),
        *("--mca", "btl", "self,tcp", "--mca", "btl_tcp_links", "2"),
        *("--wdir", "/job/code/sub"),
    ]
    assert argv.count("btl") == 1
    assert "v" not in argv
    assert argv[argv.index("OWN") - 1] == "-x"


def test_a_persons_variables_stand_between_the_images_and_the_runs() -> None:
    environment = (("LD_LIBRARY_PATH", "/mine"), ("DDL_OPTIONS", "-mode r:1x2"))
    seen = run_environment(asking(environment=environment, resume="training-old12345"))
    assert (seen["LD_LIBRARY_PATH"], seen["DDL_OPTIONS"]) == ("/mine", "-mode r:1x2")
    assert seen["RESUME_DIR"] == "/mnt/results/mnist-training-models/training-old12345"


@pytest.mark.parametrize(
    ("data", "planned", "seen_as", "binds"),
    [
        (
            FolderReference("", "/srv/my,tiles"),
            HostFolder("/srv/my,tiles"),
            "/mnt/data/my,tiles",
            ['type=bind,"source=/srv/my,tiles","target=/mnt/data/my,tiles",readonly'],
        ),
        (
            NfsReference("", "filer", "/export/my,tiles"),
            Export("filer", "/export/my,tiles"),
            "/mnt/data/my,tiles",
            ['type=volume,source=toolkit-training-abcd2345-data,"target=/mnt/data/my,tiles",readonly'],
        ),
    ],
)
def test_data_that_is_no_bucket_is_bound_into_each_learner(
    data: object, planned: object, seen_as: str, binds: list[str]
) -> None:
    plan = asking(training_data=data)
    assert (plan.data, plan.data_folder, plan.data_bucket) == (planned, seen_as, "")
    assert [mount.place for mount in plan.mounts] == [
        "mnist-training-models/training-abcd2345",
        "mnist-training-models/_wml_checkpoints",
    ]
    assert [mount_argument(bind) for bind in data_binds(plan)] == binds
    argv = learner_argv(Docker(), plan, plan.learners[0], "/volume")
    assert argv[argv.index("--workdir") - 1] == binds[0]
    assert f"DATA_DIR={seen_as}" in argv


def test_part_of_a_bucket_and_a_copy_of_it() -> None:
    manifest = read_manifest(assets() / "examples" / "mnist" / "manifest.yml")
    plan = asking(
        training_data=replace(manifest.training_data, prefix="a/b", copied=True),
        training_results=replace(manifest.training_results, prefix="trials"),
    )
    assert plan.mounts[0].filesystem == "data:mnist-training-data/a/b"
    assert (plan.mounts[0].copied, plan.data_folder) == (True, "/mnt/data/mnist-training-data")
    assert plan.results_mount.filesystem == "results:mnist-training-models/trials"


def test_limits_hold_for_each_learner() -> None:
    plan = asking(compute=Compute("p100", 2, memory=1 << 30, cpus=1.5), time_limit=60, retries=2)
    for learner in plan.learners:
        argv = learner_argv(Docker(), plan, learner, "/volume")
        first = argv.index("--memory")
        assert argv[first : first + 6] == ["--memory", "1073741824", "--memory-swap", "1073741824", "--cpus", "1.5"]
    assert (plan.time_limit, plan.retries) == (60, 2)
    assert "--memory" not in learner_argv(Docker(), asking(), asking().learners[0], "/volume")


def test_the_hostfile_counts_slots() -> None:
    assert hostfile(plan_for(Compute("k80x2", 2))) == "learner-1 slots=2\nlearner-2 slots=2\n"


def test_training_ids_are_new_and_fit_a_containers_name() -> None:
    ids = {new_training_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(re.fullmatch(r"training-[a-z2-9]{8}", name) for name in ids)


def test_the_data_is_mounted_read_only_and_the_results_are_not() -> None:
    plan = plan_for()
    assert plan.data == Mount("data", "mnist-training-data", folder="mnt/data/mnist-training-data", read_only=True)
    bucket, folder = "mnist-training-models", "mnt/results/mnist-training-models"
    assert plan.mounts == (
        plan.data,
        *(
            Mount("results", bucket, f"{folder}/{name}", read_only=False, prefix=name)
            for name in ("training-abcd2345", "_wml_checkpoints")
        ),
    )


@pytest.mark.parametrize(
    ("resume", "mounted"),
    [
        ("training-old23456", [("trials/training-old23456", True)]),
        ("training-old23456/model", [("trials/training-old23456/model", True)]),
        ("_wml_checkpoints/mine", []),
        ("", []),
    ],
)
def test_a_learner_sees_of_other_runs_what_it_resumes_from_and_that_read_only(
    resume: str, mounted: list[tuple[str, bool]]
) -> None:
    results = Mount("results", "models", "mnt/results/models", read_only=False, prefix="trials")
    own, checkpoints, *others = learner_mounts(results, "training-abcd2345", resume)
    assert (own.filesystem, own.folder) == (
        "results:models/trials/training-abcd2345",
        "mnt/results/models/training-abcd2345",
    )
    assert (checkpoints.prefix, own.read_only, checkpoints.read_only) == ("trials/_wml_checkpoints", False, False)
    assert [(mount.prefix, mount.read_only) for mount in others] == mounted


def test_what_a_run_makes_on_a_host_bears_its_id() -> None:
    plan = plan_for()
    assert (plan.volume, plan.network) == ("toolkit-training-abcd2345", "toolkit-training-abcd2345")
    assert plan.side_container == "toolkit-training-abcd2345-buckets"
    assert [plan.container(learner) for learner in plan.learners] == [
        "toolkit-training-abcd2345-learner-1",
        "toolkit-training-abcd2345-learner-2",
    ]


def test_the_code_comes_before_what_the_image_has_on_its_path() -> None:
    image = RunImage("i", "sha256:i", (("PYTHONPATH", "/opt/lib"), ("DATA_DIR", "/elsewhere")))
    environment = run_environment(replace(plan_for(), image=image))
    assert environment["PYTHONPATH"] == "/job/code:/opt/lib"
    assert environment["DATA_DIR"] == "/mnt/data/mnist-training-data"


def test_a_number_of_things_is_said_in_words() -> None:
    assert [counted(count, "rank") for count in (0, 1, 2)] == ["0 ranks", "1 rank", "2 ranks"]


@pytest.mark.parametrize(("given", "said"), [(((), ()), None), ((("a",), ("b",)), "1"), ((("a", "b"), ("c",)), "1")])
def test_ranks_know_how_many_gpus_their_learner_was_given(given: tuple[tuple[str, ...], ...], said: str | None) -> None:
    plan = plan_for()
    learners = [
        replace(one, placement=Placement("h", gpus=gpus)) for one, gpus in zip(plan.learners, given, strict=True)
    ]
    assert run_environment(replace(plan, learners=tuple(learners))).get("TOOLKIT_GPUS") == said
