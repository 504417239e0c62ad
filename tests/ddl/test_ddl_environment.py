"""What a process knows of the others, and what importing `ddl` does about it: each in a process of its own."""

import pytest
from ddl.environment import Place, read_place
from in_process import run


def mpi(rank: int, size: int, local_size: int) -> dict[str, str]:
    """The variables that mpirun gives a rank, where it fills one host after the other."""
    values = {"RANK": rank, "SIZE": size, "LOCAL_RANK": rank % local_size, "LOCAL_SIZE": local_size}
    return {f"OMPI_COMM_WORLD_{name}": str(value) for name, value in values.items()}


def test_alone_outside_mpi() -> None:
    assert read_place({"PATH": "/bin", "DDL_OPTIONS": "-mode p:1x2"}) == Place(rank=0, size=1, local_rank=0)


@pytest.mark.parametrize(
    ("rank", "size", "local_size", "host", "hosts"),
    [(0, 1, 1, 0, 1), (1, 2, 1, 1, 2), (3, 4, 2, 1, 2), (5, 8, 4, 1, 2), (4, 5, 4, 1, 2)],
)
def test_place_and_hosts(rank: int, size: int, local_size: int, host: int, hosts: int) -> None:
    place = read_place(mpi(rank, size, local_size))
    assert (place.rank, place.size, place.local_rank) == (rank, size, rank % local_size)
    assert (place.host, place.num_hosts) == (host, hosts)


def test_a_part_of_mpiruns_variables_is_an_error_not_a_lone_process() -> None:
    environ = mpi(1, 2, 1)
    del environ["OMPI_COMM_WORLD_SIZE"]
    with pytest.raises(ValueError, match="incomplete: OMPI_COMM_WORLD_SIZE not set"):
        read_place(environ)


def test_a_number_that_is_none() -> None:
    with pytest.raises(ValueError, match="OMPI_COMM_WORLD_RANK='one'"):
        read_place(mpi(1, 2, 1) | {"OMPI_COMM_WORLD_RANK": "one"})


def test_asking_loads_neither_tensorflow_nor_mpi() -> None:
    program = """
import ddl, sys
print(ddl.rank(), ddl.size(), ddl.local_rank(), ddl.num_hosts())
print(sorted({"tensorflow", "keras", "torch", "ctypes", "numpy"} & set(sys.modules)))
"""
    assert run(program, **mpi(3, 4, 2)).stdout.splitlines() == ["3 4 1 2", "[]"]


@pytest.mark.parametrize(("rank", "warnings"), [(0, 1), (1, 0)])
def test_one_warning_where_nothing_will_be_synchronised(rank: int, warnings: int) -> None:
    result = run("import ddl", **mpi(rank, 2, 1))
    assert result.returncode == 0
    lines = result.stderr.splitlines()
    assert len(lines) == warnings
    assert all("DDL_OPTIONS is not set: nothing is synchronised until ddl.init(options)" in line for line in lines)


def test_before_init_ranks_do_not_pass_for_reduced() -> None:
    for call in ("ddl.bcast(1)", "ddl.allreduce_n([1.0])", "ddl.grads_reduce([(1.0, None)])"):
        result = run(f"import ddl; {call}", **mpi(0, 2, 1))
        assert result.returncode == 1, call
        assert "RuntimeError: ddl: set DDL_OPTIONS, or call ddl.init(options) first" in result.stderr


def test_without_mpirun_values_come_back_as_they_are() -> None:
    program = """
import ddl, sys
value, pairs = object(), [(None, "v"), (1.5, "w")]
assert ddl.bcast(value) is value
assert ddl.allreduce_n((value, None)) == [value, None]
assert ddl.grads_reduce(iter(pairs)) == pairs
assert ddl.shard([1, 2]) == [1, 2] and ddl.scale_learning_rate(0.5) == 0.5
assert not {"tensorflow", "torch", "numpy"} & set(sys.modules)
"""
    # DDL_OPTIONS is for the ranks of a job; a later command of the same run has it too, but is no rank.
    result = run(program, DDL_OPTIONS="-mode p:1x2")
    assert (result.returncode, result.stderr) == (0, "")


def test_one_rank_initialises_itself_and_says_so() -> None:
    result = run("import ddl; ddl.init('-mode p:1x1')", DDL_OPTIONS="-mode p:1x1", **mpi(0, 1, 1))
    assert result.stderr.startswith("ddl: rank 0 of 1, host 1 of 1, -mode p:1x1\n")
    assert result.returncode == 1
    assert "RuntimeError: ddl: already initialised" in result.stderr


def test_options_for_another_number_of_ranks_end_the_import() -> None:
    result = run("import ddl", DDL_OPTIONS="-mode p:2x2", **mpi(0, 2, 1))
    assert result.returncode == 1
    assert "ValueError: ddl: '-mode p:2x2' is for 4 ranks, but this job has 2" in result.stderr


def test_without_the_native_library_several_ranks_say_what_to_do() -> None:
    result = run("import ddl", DDL_OPTIONS="-mode p:1x2", **mpi(0, 2, 1))
    assert result.returncode == 1
    assert "EngineError: ddl: the native library cannot be loaded: libddl_engine.so" in result.stderr
    assert "next: put libddl_engine.so on LD_LIBRARY_PATH" in result.stderr


def test_options_that_failed_can_be_mended() -> None:
    program = """
import ddl
try:
    ddl.init("-mode p:1x2")
except ValueError:
    ddl.init("-mode p:1x1")
"""
    assert run(program).returncode == 0
