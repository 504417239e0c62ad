"""What cannot work is refused with its fact, what can is not: both sides of every edge."""

from __future__ import annotations

from dataclasses import replace

import pytest

from toolkit.catalogue.model import DistributionBase, FrameworkRow
from toolkit.catalogue.reader import read_frameworks
from toolkit.compatibility.check import as_error, check, gpu_architecture, notes
from toolkit.compatibility.model import Combination, Conflict
from toolkit.compatibility.reader import read_table
from toolkit.errors import Code, ToolkitError
from toolkit.paths import assets

TABLE = read_table(assets() / "images")
ROWS = read_frameworks(assets() / "images", assets() / "templates")
PLAIN = Combination("tensorflow", "2.21")
P100 = replace(PLAIN, flavour="cuda", architectures=("sm_60",))


def facts(combination: Combination) -> list[str]:
    return [conflict.fact for conflict in check(combination, TABLE)]


def locked(version: str, *, package: str = "nvidia-cudnn-cu12") -> Combination:
    return replace(P100, packages=((package, version),))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.recipe.name)
def test_every_row_of_the_catalogue_can_work(row: FrameworkRow) -> None:
    base = row.recipe.base
    assert isinstance(base, DistributionBase)
    combination = Combination(
        row.framework,
        row.version,
        row.python,
        base.suite.name,
        base.suite.glibc,
        row.flavour,
        requirements=row.recipe.requirements,
        architectures=row.recipe.architectures,
        open_mpi=base.suite.open_mpi,
    )
    assert check(combination, TABLE) == ()


def test_a_p100_and_cudnn_9_11() -> None:
    assert check(locked("9.11.0.98"), TABLE) == (
        Conflict(
            what="nvidia-cudnn-cu12 9.11.0.98 on P100",
            fact="P100 needs cuDNN ≤ 9.10.2: 9.11 dropped sm_60",
            source="the fat binaries in the wheel's own libraries, read section by section",
            nearest="nvidia-cudnn-cu12<=9.10.2.21",
        ),
    )


@pytest.mark.parametrize(
    ("version", "works"),
    [("9.3.0.74", False), ("9.3.0.75", True), ("9.10.2.21", True), ("9.11", False), ("9.28.0.42", False)],
)
def test_a_locked_cudnn_for_a_p100_at_its_edges(version: str, works: bool) -> None:
    assert (check(locked(version), TABLE) == ()) is works


def test_a_locks_names_are_read_as_pypi_reads_them() -> None:
    assert facts(locked("9.11.0.98", package="NVIDIA_cudnn.cu12")) == facts(locked("9.11.0.98"))


@pytest.mark.parametrize("architecture", ["sm_50", "sm_61", "sm_70"])
def test_cudnn_9_11_has_dropped_volta_too(architecture: str) -> None:
    found = facts(replace(locked("9.11.0.98"), architectures=(architecture,)))
    assert any(fact.endswith(f"needs cuDNN ≤ 9.10.2: 9.11 dropped {architecture}") for fact in found)


@pytest.mark.parametrize("architecture", ["sm_75", "sm_80", "sm_86", "sm_89", "sm_90", "sm_100", "sm_120"])
def test_what_came_after_volta_runs_with_the_newest(architecture: str) -> None:
    assert facts(replace(P100, architectures=(architecture,))) == []


@pytest.mark.parametrize(
    ("requirement", "works"),
    [
        ("nvidia-cudnn-cu12<9.11", True),
        ("nvidia-cudnn-cu12<=9.10.2.21", True),
        ("nvidia-cudnn-cu12==9.10.*", True),
        ("nvidia-cudnn-cu12~=9.3.0", True),
        ("nvidia-cudnn-cu12==9.10.2.21", True),
        ("nvidia-cudnn-cu12<9.12", False),
        ("nvidia-cudnn-cu12<=9.11", False),
        ("nvidia-cudnn-cu12>=9.11", False),
        ("nvidia-cudnn-cu12==9.*", False),
        ("nvidia-cudnn-cu12==9.11.0.98", False),
        ("nvidia-cudnn-cu12", False),
        ("nvidia-cudnn-cu12<9.11 ; python_version < '3'", False),
        ("numpy", False),
    ],
)
def test_without_a_lock_the_newest_that_may_be_chosen_decides(requirement: str, works: bool) -> None:
    combination = replace(P100, python="3.11", requirements=("tensorflow[and-cuda]==2.21.0", requirement))
    assert (check(combination, TABLE) == ()) is works


def test_what_an_open_requirement_lacks_is_the_bound() -> None:
    (conflict,) = check(P100, TABLE)
    assert conflict.what == "the newest of nvidia-cudnn-cu12>=9.3.0.75,<10 on P100"
    assert conflict.nearest == "nvidia-cudnn-cu12<=9.10.2.21"


def test_a_release_that_pins_its_cudnn_needs_no_bound() -> None:
    assert check(replace(P100, version="2.19"), TABLE) == ()
    (conflict,) = check(replace(P100, version="2.19", requirements=("nvidia-cudnn-cu12>=9.11",)), TABLE)
    assert conflict.fact == "TensorFlow 2.19 needs cuDNN 9.3.0.75"
    assert conflict.nearest == "nvidia-cudnn-cu12==9.3.0.75"


@pytest.mark.parametrize("package", ["nvidia-cudnn-cu11", "nvidia-cudnn-cu13"])
def test_a_cudnn_for_another_cuda_overwrites_the_right_one(package: str) -> None:
    fact = f"TensorFlow 2.19 is built with CUDA 12.5, and {package} overwrites nvidia-cudnn-cu12"
    for asked in (replace(P100, requirements=(package,)), replace(P100, packages=((package, "9.3.0.75"),))):
        assert facts(replace(asked, version="2.19")) == [fact]


def test_of_several_lines_that_would_do_the_newest_is_nearest() -> None:
    found = check(replace(P100, version="2.20", architectures=("sm_52",)), TABLE)
    assert "nvidia-nccl-cu12<=2.27.7" in [conflict.nearest for conflict in found]


def test_a_lock_is_made_anew_for_another_release() -> None:
    found = check(replace(locked("9.3.0.75"), version="2.19", architectures=("sm_37",)), TABLE)
    assert {conflict.nearest for conflict in found} == {"TensorFlow 2.14 or older"}


def test_of_several_gpus_the_one_that_drivers_left_first_decides() -> None:
    (conflict,) = check(replace(P100, version="2.14", architectures=("sm_60", "sm_37"), driver="495.29.05"), TABLE)
    assert conflict.fact == "K80 needs a driver ≤ 470: 470 is the last branch with Kepler"


@pytest.mark.parametrize(("version", "works"), [("2.27.6", False), ("2.27.7", True), ("2.32.3", True), ("3.0", False)])
def test_nccl_within_the_frameworks_bounds(version: str, works: bool) -> None:
    assert (check(locked(version, package="nvidia-nccl-cu12"), TABLE) == ()) is works


@pytest.mark.parametrize(
    ("version", "python", "works"),
    [
        ("1.5", "2.7", True),
        ("1.5", "3.2", False),
        ("1.12", "3.6", True),
        ("1.12.3", "3.7", False),
        ("1.13.1", "3.7", True),
        ("1.15", "2.7", True),
        ("1.15.2", "2.7", False),
        ("1.15.5", "3.5", False),
        ("2.11.0", "3.7", True),
        ("2.11.1", "3.7", False),
        ("2.15", "3.8", False),
        ("2.15", "3.9", True),
        ("2.15", "3.11", True),
        ("2.15", "3.11.2", True),
        ("2.15", "3", True),
        ("2.15", "2", False),
        ("2.15", "3.12", False),
        ("2.15", "3.13", False),
        ("2.21", "3.9", False),
        ("2.21", "3.10", True),
        ("2.21", "3.13", True),
        ("2.21", "3.14", False),
    ],
)
def test_python_at_its_edges(version: str, python: str, works: bool) -> None:
    assert (check(replace(PLAIN, version=version, python=python), TABLE) == ()) is works


def test_tensorflow_2_15_on_python_3_13() -> None:
    (conflict,) = check(Combination("tensorflow", "2.15", "3.13"), TABLE)
    assert conflict.fact == "TensorFlow 2.15 has wheels for Python 3.9 to 3.11"
    assert conflict.nearest == "Python 3.11, or TensorFlow 2.20 or newer"


@pytest.mark.parametrize(("glibc", "works"), [("2.23", False), ("2.26", False), ("2.27", True), ("2.41", True)])
def test_glibc_has_a_lower_bound_alone(glibc: str, works: bool) -> None:
    assert (check(replace(PLAIN, glibc=glibc), TABLE) == ()) is works


def test_tensorflow_2_21_on_ubuntu_16_04() -> None:
    (conflict,) = check(Combination("tensorflow", "2.21", "3.11", "xenial", "2.23"), TABLE)
    assert conflict.what == "xenial (glibc 2.23) with TensorFlow 2.21"
    assert conflict.fact == "TensorFlow 2.21 needs glibc ≥ 2.27"
    assert conflict.nearest == "a suite with glibc 2.27 or newer, or TensorFlow 2.12 to 2.20"


@pytest.mark.parametrize(
    ("version", "architecture", "driver", "works"),
    [
        ("2.19", "sm_60", "470.82.01", False),
        ("2.19", "sm_60", "525.60.12", False),
        ("2.19", "sm_60", "525.60.13", True),
        ("2.19", "sm_60", "580.126.09", True),
        ("2.19", "sm_60", "590.44.01", False),
        ("2.19", "sm_70", "590.44.01", False),
        ("2.19", "sm_75", "590.44.01", True),
        ("2.14", "sm_60", "450.80.01", False),
        ("2.14", "sm_37", "450.80.02", True),
        ("2.14", "sm_37", "470.256.02", True),
        ("2.14", "sm_37", "495.29.05", False),
        ("1.5", "sm_60", "384.80", False),
        ("1.5", "sm_60", "384.81", True),
    ],
)
def test_a_driver_at_its_edges(version: str, architecture: str, driver: str, works: bool) -> None:
    asked = replace(P100, version=version, architectures=(architecture,), driver=driver)
    assert (check(asked, TABLE) == ()) is works


def test_driver_470_and_cuda_12_5() -> None:
    (conflict,) = check(replace(P100, version="2.19", driver="470"), TABLE)
    assert conflict.fact == "CUDA 12.5 needs a driver ≥ 525.60.13"
    assert conflict.nearest == "driver 525.60.13 or newer, up to branch 580"


def test_driver_590_and_a_p100() -> None:
    (conflict,) = check(replace(P100, version="2.19", driver="590"), TABLE)
    assert conflict.fact == "P100 needs a driver ≤ 580: 580 is the last branch with Pascal"
    assert conflict.nearest == "driver branch 580, from 525.60.13"


def test_where_no_driver_does_another_release_is_nearest() -> None:
    found = check(replace(P100, version="2.19", architectures=("sm_37",), driver="470.82.01"), TABLE)
    assert [conflict.fact for conflict in found][-1] == "CUDA 12.5 needs a driver ≥ 525.60.13"
    assert {conflict.nearest for conflict in found} == {"TensorFlow 2.14 or older"}


def test_a_wheel_without_the_gpus_code() -> None:
    (conflict,) = check(replace(P100, version="2.17", architectures=("sm_52",)), TABLE)
    codes = "sm_60, sm_70, sm_80, sm_89, compute_90"
    assert conflict.fact == f"TensorFlow 2.17 has code for {codes}, and none of it runs on sm_52"
    assert conflict.nearest == "TensorFlow 2.16 or older"


def test_cuda_that_has_dropped_the_gpu() -> None:
    found = check(replace(P100, architectures=("sm_37",)), TABLE)
    assert "K80 needs CUDA ≤ 11.8: 12.0 dropped sm_37" in [conflict.fact for conflict in found]
    assert {conflict.nearest for conflict in found} == {"TensorFlow 2.14 or older"}


def test_a_cpu_image_is_not_asked_about_gpus() -> None:
    assert facts(replace(locked("9.11.0.98"), flavour="cpu", driver="1")) == []


@pytest.mark.parametrize(
    ("version", "numpy", "works"),
    [("2.15", "1.23.4", False), ("2.15", "1.26.4", True), ("2.15", "2.0.0", False), ("2.19", "2.1.3", True)],
)
def test_numpy_at_its_edges(version: str, numpy: str, works: bool) -> None:
    assert (check(replace(PLAIN, version=version, packages=(("numpy", numpy),)), TABLE) == ()) is works
    assert (check(replace(PLAIN, version=version, requirements=(f"numpy=={numpy}",)), TABLE) == ()) is works


@pytest.mark.parametrize(("open_mpi", "works"), [("1.10.2", False), ("3.0", True), ("4.1.4", True), ("5.0.7", True)])
def test_mpi4pys_wheel_and_the_suites_open_mpi(open_mpi: str, works: bool) -> None:
    asked = replace(PLAIN, open_mpi=open_mpi, requirements=("mpi4py==4.1.2",))
    assert (check(asked, TABLE) == ()) is works
    assert (check(replace(asked, requirements=(), packages=(("mpi4py", "4.1.2"),)), TABLE) == ()) is works
    assert check(replace(asked, requirements=("mpi4py==3.1.6",)), TABLE) == ()


def test_a_pin_says_more_than_the_version_asked_for() -> None:
    asked = Combination("tensorflow", "2.11", "3.7")
    assert check(asked, TABLE) == ()
    (conflict,) = check(replace(asked, requirements=("tensorflow-cpu==2.11.1",)), TABLE)
    assert conflict.what == "Python 3.7 with TensorFlow 2.11.1"


@pytest.mark.parametrize(("version", "nearest"), [("2.22", "2.20 to 2.21"), ("1.4", "1.5"), ("new", "")])
def test_a_version_that_no_one_has_written_down_is_refused(version: str, nearest: str) -> None:
    python = "2.7" if version == "1.4" else "3.13"
    (conflict,) = check(Combination("tensorflow", version, python), TABLE)
    assert conflict.fact.startswith(f"the table knows nothing of TensorFlow {version}")
    assert conflict.nearest.startswith(f"TensorFlow {nearest}")


def test_a_framework_that_is_not_there_is_not_judged() -> None:
    assert check(Combination("caffe", "1.0", "2.6", glibc="2.0", flavour="cuda", driver="1"), TABLE) == ()


def test_ddl_is_judged_as_the_tensorflow_that_it_stands_on() -> None:
    for row in (locked("9.11.0.98"), replace(PLAIN, version="2.15", python="3.13")):
        assert check(replace(row, framework="tensorflow-ddl"), TABLE) == check(row, TABLE) != ()


def test_what_is_no_requirement_is_left_to_the_solver() -> None:
    assert facts(replace(P100, requirements=("not a requirement!", "nvidia-cudnn-cu12<9.11"))) == []


def test_a_wheel_by_url_is_not_judged() -> None:
    assert facts(replace(P100, requirements=("nvidia-cudnn-cu12 @ https://example.org/x.whl",))) == []


def test_legacy_cuda_needs_a_bundle_and_is_no_conflict() -> None:
    legacy = Combination("tensorflow", "1.5", "3.5", flavour="cuda", architectures=("sm_60",))
    assert check(legacy, TABLE) == ()
    (note,) = notes(legacy, TABLE)
    assert note.fact == "TensorFlow 1.5 needs CUDA 9.0 with cuDNN ≥ 7, < 8, which a site supplies as a bundle"
    assert notes(replace(legacy, flavour="cpu"), TABLE) == notes(replace(legacy, version="2.21"), TABLE) == ()


def test_what_is_known_of_an_open_mpi_is_reported() -> None:
    (note,) = notes(replace(PLAIN, open_mpi="5.0.7"), TABLE)
    assert note.fact == "Open MPI 5.0.7: a lost host is noticed after 4 s, and mpirun then exits 0"


def test_a_refusal_tells_fact_source_and_nearest() -> None:
    error = as_error("tensorflow 2.21 on p100", check(locked("9.11.0.98"), TABLE), Code.MANIFEST)
    assert str(error).splitlines() == [
        "C101 tensorflow 2.21 on p100 cannot work",
        "  P100 needs cuDNN ≤ 9.10.2: 9.11 dropped sm_60",
        "      in: nvidia-cudnn-cu12 9.11.0.98 on P100",
        "      source: the fat binaries in the wheel's own libraries, read section by section",
        "      nearest: nvidia-cudnn-cu12<=9.10.2.21",
        "  next: take the nearest, or fix images/compatibility.yml where it is wrong; nothing was downloaded",
    ]
    assert as_error("x", (), Code.IMAGE).code is Code.IMAGE


@pytest.mark.parametrize(("kind", "architecture"), [("p100", "sm_60"), ("K80", "sm_37"), ("v100", "sm_70")])
def test_a_gpus_architecture(kind: str, architecture: str) -> None:
    assert gpu_architecture(kind, TABLE) == architecture


def test_an_unknown_gpu_is_reported_with_the_nearest() -> None:
    with pytest.raises(ToolkitError, match=r"did you mean `p100`\?") as caught:
        gpu_architecture("p1000", TABLE)
    assert caught.value.code is Code.RESOURCES_ASKED
