"""Where ranks go, and the mpirun line: compared as values."""

import shlex

import pytest
from ddl.launcher.hosts import Host
from ddl.launcher.options import UsageError, read_options
from ddl.launcher.plan import Plan, make_plan, mpirun_argv
from ddl.mode import parse_mode
from hypothesis import given
from hypothesis import strategies as st

FOUR, FIVE = "mpirun (Open MPI) 4.1.4", "mpirun (Open MPI) 5.0.7"


def host(name: str, gpus: int = 0, cores: int = 8) -> Host:
    return Host(name, "x86_64", cores, ("P100",) * gpus, FOUR, "/opt/ddl")


def plan_of(line: str, *hosts: Host, rank_file: str | None = None) -> Plan:
    return make_plan(read_options(shlex.split(line)), hosts, rank_file, environ={})


def test_a_rank_for_each_gpu_host_after_host_with_its_share_of_the_cores() -> None:
    plan = plan_of("-H a,b train", host("a", 2), host("b", 2))
    assert plan.rank_file == "rank 0=a slot=0-3\nrank 1=a slot=4-7\nrank 2=b slot=0-3\nrank 3=b slot=4-7\n"
    assert (plan.ranks, plan.options) == (4, "-mode p:2x2")


def test_one_rank_for_a_host_without_gpus_and_as_many_as_are_asked_for() -> None:
    assert plan_of("train", host("a", cores=4)).rank_file == "rank 0=a slot=0-3\n"
    assert plan_of("--accelerators 4 train", host("a", cores=4)).rank_file == "".join(
        f"rank {rank}=a slot={rank}\n" for rank in range(4)
    )


def test_more_ranks_than_cores_share_them_all() -> None:
    assert plan_of("--accelerators 3 train", host("a", cores=2)).rank_file == "".join(
        f"rank {rank}=a slot=0-1\n" for rank in range(3)
    )


def test_hosts_that_no_one_looked_at_are_taken_as_they_are_named() -> None:
    plan = plan_of("-H a,b --skipchecks --accelerators 1 train", Host("a"), Host("b"))
    assert plan.rank_file == "rank 0=a slot=0:*\nrank 1=b slot=0:*\n"


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 3), st.integers(1, 3))
def test_dims_always_stand_for_all_ranks(accelerators: int, nodes: int, racks: int, aisles: int) -> None:
    hosts = [host(f"h{number}") for number in range(nodes * racks * aisles)]
    plan = plan_of(f"--accelerators {accelerators} --racks {racks} --aisles {aisles} -m b train", *hosts)
    mode = parse_mode(plan.options or "", plan.ranks)
    assert mode.dims[:2] == (accelerators, nodes)


def test_racks_and_aisles_are_written_only_where_there_are_several() -> None:
    hosts = [host(f"h{number}", 4) for number in range(6)]
    assert plan_of("train", *hosts).options == "-mode p:4x6"
    assert plan_of("--racks 3 train", *hosts).options == "-mode p:4x2x3"
    assert plan_of("--racks 1 --aisles 2 train", *hosts).options == "-mode p:4x3x1x2"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("--racks 2 train", "1 nodes × 2 racks × 1 aisles are 2 hosts, but there are 3"),
        ("--nodes 2 train", "2 nodes × 1 racks × 1 aisles are 2 hosts, but there are 3"),
        ("--accelerators 3 train", "--accelerators 3: a has 2"),
        ("-x 1BAD=2 train", "-x 1BAD=2: '1BAD' is not a name of an environment variable"),
        ("-x UNSET train", "-x UNSET: it is not set here; set it, or write -x UNSET=VALUE"),
        ("--skipchecks train", "--skipchecks needs --accelerators"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(line: str, says: str) -> None:
    with pytest.raises(UsageError) as refusal:
        plan_of(line, host("a", 2), host("b", 2), host("c", 2))
    assert says in str(refusal.value)


def test_the_line_hands_variables_on_by_name_and_keeps_their_values_out_of_it() -> None:
    line = "-x KEY=secret -x HOME python train.py --epochs 3"
    options = read_options(line.split())
    plan = make_plan(options, [host("a")], None, {"PATH": "/bin", "HOME": "/root", "OTHER": "x"})
    assert plan.environment == {"KEY": "secret", "DDL_OPTIONS": "-mode p:1x1"}
    assert mpirun_argv(options, plan, "/tmp/ranks", FOUR) == [
        *("mpirun", "--np", "1", "--rankfile", "/tmp/ranks"),
        *("-x", "PATH", "-x", "KEY", "-x", "HOME", "-x", "DDL_OPTIONS"),
        *("python", "train.py", "--epochs", "3"),
    ]


def test_open_mpi_5_takes_a_rank_file_in_other_words_and_tcp_is_named_for_each() -> None:
    options = read_options(["--tcp", "--no_ddloptions", "--mpiarg", "--display-map", "train"])
    plan = make_plan(options, [host("a")], None, {})
    last = ["--display-map", "train"]
    tcp = ["--mca", "pml", "ob1", "--mca", "btl"]
    assert mpirun_argv(options, plan, "r", FIVE) == [
        *("mpirun", "--np", "1", "--map-by", "rankfile:file=r", *tcp, "tcp,self,sm", *last),
    ]
    assert mpirun_argv(options, plan, "r", FOUR) == [
        *("mpirun", "--np", "1", "--rankfile", "r", *tcp, "tcp,self,vader", *last),
    ]
    assert plan.options is None


def test_more_for_ddl_options_and_a_mode_of_ones_own() -> None:
    assert plan_of("--ddlarg '-wire fp16' train", host("a", 2)).options == "-mode p:2x1 -wire fp16"
    assert plan_of("--ddl_options '-mode b:1x2' train", host("a", 2)).options == "-mode b:1x2"


def test_a_rank_file_of_ones_own_says_how_many_ranks_there_are_on_how_many_hosts() -> None:
    text = "rank 0=a slot=0-3\nrank 1=a slot=4-7\nrank 2=b slot=0-3\nrank 3=b slot=4-7\n"
    plan = plan_of("-rf mine train", rank_file=text)
    assert (plan.ranks, plan.rank_file, plan.options) == (4, None, "-mode p:2x2")
    assert plan_of("-rf mine --no_ddloptions train", rank_file=text).options is None
    with pytest.raises(UsageError, match="mine: it contains no line like `rank 0=HOST slot=0-3`"):
        plan_of("-rf mine train", rank_file="host1\n")
    with pytest.raises(UsageError, match="mine: 4 ranks are not a multiple of 3 on each host"):
        plan_of("-rf mine --accelerators 3 train", rank_file=text)
