"""What hosts say of themselves, and whether they fit together."""

from dataclasses import replace

import pytest
from ddl.launcher.hosts import Host, probe_argv, problems, read_host, read_host_file

P100 = "Tesla P100-SXM2-16GB"
OPEN_MPI = "mpirun (Open MPI) 4.1.4"
GOOD = Host("a", "x86_64", 20, (P100, P100), OPEN_MPI, "/opt/ddl/ddl/__init__.py")


def test_reads_what_a_host_said() -> None:
    said = f"""machine x86_64
cores 20
processors 40
gpu {P100}
gpu {P100}
mpirun {OPEN_MPI}
ddl /opt/ddl/ddl/__init__.py
"""
    assert read_host("a", said) == GOOD


def test_without_lscpu_processors_are_counted_and_what_is_missing_is_empty() -> None:
    said = "machine aarch64\ncores 0\nprocessors 8\nmpirun \nModuleNotFoundError: No module named 'ddl'\n"
    assert read_host("b", said) == Host("b", "aarch64", 8)


def test_hosts_of_one_kind_are_fit() -> None:
    assert problems([GOOD, replace(GOOD, name="b")]) == []


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"error": "Permission denied (publickey)."}, "b: Permission denied (publickey).\n  next: make `ssh b true`"),
        ({"mpirun": ""}, "b: no mpirun in its PATH\n  next: install Open MPI there"),
        ({"ddl": ""}, "does not find ddl in"),
        ({"cores": 16}, "b: cores differ: 16; a has 20"),
        ({"gpus": (P100,)}, f"b: GPUs differ: 1 × {P100}; a has 2 × {P100}"),
        ({"gpus": ()}, f"b: GPUs differ: none; a has 2 × {P100}"),
        ({"mpirun": "mpirun (Open MPI) 5.0.7"}, "b: Open MPI differ: mpirun (Open MPI) 5.0.7; a has"),
        ({"machine": "ppc64le"}, "b: processors differ: ppc64le; a has x86_64"),
    ],
)
def test_what_does_not_fit_is_reported_with_what_to_do(other: dict, says: str) -> None:
    (problem,) = problems([GOOD, replace(GOOD, name="b", **other)])
    assert says in problem
    assert "\n  next: " in problem


def test_this_host_is_asked_by_a_shell_of_its_own_and_others_over_ssh_that_asks_nothing_back() -> None:
    here = ["localhost", "me"]
    assert probe_argv("me", here)[:2] == ["sh", "-c"]
    argv = probe_argv("far", here)
    assert argv[:6] == ["ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "far"]


def test_a_host_file_has_a_host_on_each_line() -> None:
    assert read_host_file("# all of them\nhost1 slots=4\n\n  host2  # the second\n") == ("host1", "host2")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("# none\n", "it contains no hosts"),
        ("a\nb\na\n", "line 3: a is listed twice"),
        ("a\n-oX y\n", "line 2: '-oX' is not a host name"),
    ],
)
def test_a_host_file_that_cannot_be(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read_host_file(text)
