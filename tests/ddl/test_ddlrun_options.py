"""The command line of ddlrun: the forms that its users had."""

import pytest
from ddl.launcher.options import Options, UsageError, help_text, read_options

PROGRAM = ("python", "train.py")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("python train.py", Options(PROGRAM)),
        ("-H host1,host2 python train.py", Options(PROGRAM, hosts=("host1", "host2"))),
        ("--H cap --accelerators 4 python train.py", Options(PROGRAM, hosts=("cap",), accelerators=4)),
        ("--host=a,b -accelerators=2 python train.py", Options(PROGRAM, hosts=("a", "b"), accelerators=2)),
        (
            "--mpiarg -pami_noib --accelerators 4 -m b python train.py",
            Options(PROGRAM, mpi_arguments=("-pami_noib",), accelerators=4, mode="b"),
        ),
        ("--nodes 18 --racks 4 --aisles 2 python train.py", Options(PROGRAM, nodes=18, racks=4, aisles=2)),
        ("-tcp -v python train.py", Options(PROGRAM, tcp=True, verbose=True)),
        ("-t python train.py", Options(PROGRAM, tcp=True)),
        ("-x A=1 -x B python train.py", Options(PROGRAM, exported=("A=1", "B"))),
        ("-rf ranks.txt python train.py", Options(PROGRAM, rank_file="ranks.txt")),
        ("--hostfile hosts python train.py", Options(PROGRAM, host_file="hosts")),
        ("--skipchecks --dry-run python train.py", Options(PROGRAM, skip_checks=True, dry_run=True)),
        ("-- -odd", Options(("-odd",))),
        ("--help", Options(help=True)),
    ],
)
def test_reads(line: str, expected: Options) -> None:
    assert read_options(line.split()) == expected


def test_what_stands_behind_the_program_is_the_programs() -> None:
    line = ["--no_ddloptions", "python", "train.py", "--ddl_options=-mode b:4x2", "-H", "x", "--verbose"]
    options = read_options(line)
    assert options == Options(tuple(line[1:]), no_ddl_options=True)


def test_a_value_with_blanks_is_several_words_and_an_option_may_be_repeated() -> None:
    line = ["--mpiarg", "--mca pml ob1", "-mpiarg", "-q", "--ddlarg", "-wire fp16", "train"]
    options = read_options(line)
    assert options.mpi_arguments == ("--mca", "pml", "ob1", "-q")
    assert options.ddl_arguments == ("-wire", "fp16")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("", "no program to run"),
        ("-H a,b", "no program to run"),
        ("--acelerators 4 python", "unknown option --acelerators (nearest: --accelerators)"),
        ("-H", "-H needs a value: HOST,…"),
        ("--accelerators four python", "--accelerators needs a positive integer, not 'four'"),
        ("--racks 0 python", "--racks needs a positive integer, not '0'"),
        ("-m q python", "-m needs one of b (hierarchical), n (NCCL), r (ring), m (MPI), p (explore and pick), not 'q'"),
        ("--tcp=yes python", "--tcp=yes: this option takes no value"),
        ("-H a,a python", "-H needs each host once, not 'a,a' (ranks per host: --accelerators)"),
        ("-H a,,b python", "-H needs host names separated by commas, not ''"),
        ("-H -oProxyCommand=x python", "-H needs host names separated by commas, not '-oProxyCommand=x'"),
        ("-H a;b python", "-H needs host names separated by commas, not 'a;b'"),
    ],
)
def test_refuses_and_says_why(line: str, says: str) -> None:
    with pytest.raises(UsageError) as refusal:
        read_options(line.split())
    assert says in str(refusal.value)


def test_help_has_every_option() -> None:
    text = help_text()
    for name in (
        "-H",
        "--hostfile",
        "--rankfile",
        "-x NAME[=VALUE]",
        "--mode C",
        "--mpiarg",
        "--no_ddloptions",
        "--tcp",
    ):
        assert name in text
