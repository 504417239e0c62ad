"""Which GPUs a library serves, and what of that fails an image."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.validation.gpu_code import Library, is_needed, judge, libraries_of
from toolkit.validation.model import Expectation

VENV = "/opt/venv/lib/python3.11/site-packages"
CUDNN = f"{VENV}/nvidia/cudnn/lib/libcudnn"
PASCAL = Expectation("tensorflow", "2.19", "3.11", architectures=("sm_60", "sm_70"))
TENSORFLOW = Library(f"{VENV}/tensorflow/libtensorflow_cc.so.2", (60, 70, 80, 89, 90), (90,))
NUMBERS = st.lists(st.sampled_from([50, 52, 60, 61, 62, 70, 75, 80, 86, 90, 100, 120])).map(tuple)


@pytest.mark.parametrize(
    ("cubins", "ptx", "asked", "served"),
    [
        ((60,), (), 60, True),
        ((60,), (), 61, True),
        ((61,), (), 60, False),
        ((60,), (), 70, False),
        ((100,), (), 103, True),
        ((100,), (), 120, False),
        ((), (52,), 60, True),
        ((), (60,), 60, True),
        ((), (61,), 60, False),
        ((), (), 60, False),
    ],
)
def test_a_cubin_serves_its_major_number_and_ptx_what_is_newer(
    cubins: tuple[int, ...], ptx: tuple[int, ...], asked: int, served: bool
) -> None:
    assert Library("x", cubins, ptx).serves(asked) is served


@given(NUMBERS, NUMBERS, NUMBERS, st.integers(50, 129))
def test_more_code_never_serves_less(
    cubins: tuple[int, ...], ptx: tuple[int, ...], more: tuple[int, ...], asked: int
) -> None:
    if Library("x", cubins, ptx).serves(asked):
        assert Library("x", cubins + more, ptx).serves(asked)
        assert Library("x", cubins, ptx + more).serves(asked)


@pytest.mark.parametrize(
    ("path", "needed"),
    [
        (f"{CUDNN}_ops.so.9", True),
        (f"{CUDNN}_engines_precompiled.so.9", True),
        ("/usr/lib/x86_64-linux-gnu/libcublasLt.so.12", True),
        ("/x/libcufft.so.11", True),
        ("/x/libcusolverMg.so.11", True),
        ("/x/libcusparse.so.12", True),
        ("/x/libnccl.so.2", True),
        ("/x/libcurand.so.10", True),
        (f"{VENV}/tensorflow/python/_pywrap_tensorflow_internal.so", True),
        ("/x/libcupti.so.12", False),
        ("/x/libnvJitLink.so.12", False),
        ("/x/libcudnn.so.9.txt", False),
        (f"{VENV}/tensorflow_text/ops.so", False),
    ],
)
def test_what_a_training_cannot_do_without(path: str, needed: bool) -> None:
    assert is_needed(path, "tensorflow") is needed


def test_every_library_serves_every_gpu() -> None:
    (finding,) = judge([TENSORFLOW, Library(f"{CUDNN}_ops.so.9", (60, 70), (90,))], PASCAL)
    assert (finding.verdict, finding.said) == ("ok", "2 libraries with GPU code support sm_60, sm_70")


def test_one_library_of_cudnn_without_pascal_fails_the_image() -> None:
    """cuDNN 9.11.0.98 as it is, where looking at one file misleads."""
    new = (75, 80, 86, 90, 100, 120)
    libraries = [
        Library(f"{CUDNN}_engines_precompiled.so.9", (50, 60, 61, 70, *new), (120,)),
        Library(f"{CUDNN}_adv.so.9", new, (120,)),
        Library(f"{CUDNN}_ops.so.9", (75, 80, 90, 100, 120), (120,)),
        TENSORFLOW,
    ]
    findings = judge(libraries, PASCAL)
    assert [finding.verdict for finding in findings] == ["fail", "fail"]
    assert findings[0].said == (
        f"{CUDNN}_adv.so.9 has no code for sm_60, sm_70; it has sm_75, sm_80, sm_86, sm_90, sm_100, sm_120, PTX 120"
    )
    assert findings[1].said.startswith(f"{CUDNN}_ops.so.9 has no code for sm_60, sm_70; ")


def test_what_others_lack_is_reported_and_not_counted() -> None:
    other = Library("/x/libnvshmem.so.3", (70, 90))
    (finding,) = judge([TENSORFLOW, other], PASCAL)
    assert finding.verdict == "ok"
    assert finding.said.splitlines()[1:] == [
        "not counted: /x/libnvshmem.so.3 has no code for sm_60; it has sm_70, sm_90"
    ]
    failed = judge([TENSORFLOW, other, Library(f"{CUDNN}_ops.so.9", (80,))], PASCAL)
    assert "not counted: /x/libnvshmem.so.3" in failed[-1].said


def test_a_library_that_cannot_be_read_fails_where_it_is_needed() -> None:
    damaged = Library(f"{CUDNN}_ops.so.9", damaged="it ends at byte 12, inside a header")
    (failed,) = judge([TENSORFLOW, damaged], PASCAL)
    assert (failed.verdict, failed.said) == (
        "fail",
        f"{CUDNN}_ops.so.9 cannot be read: it ends at byte 12, inside a header",
    )
    (fine,) = judge([TENSORFLOW, Library("/x/liba.so", damaged="Permission denied")], PASCAL)
    assert fine.verdict == "ok"
    assert fine.said.endswith("not counted: /x/liba.so cannot be read: Permission denied")


def test_a_cuda_image_without_gpu_code_has_failed() -> None:
    """The CPU wheel in its place."""
    (finding,) = judge([Library("/x/libcupti.so.12", (60, 70))], PASCAL)
    assert (finding.verdict, finding.said) == ("fail", "no library of tensorflow or CUDA has code for any GPU")


def test_the_inside_programs_words_become_libraries() -> None:
    reply = {"libraries": [{"path": "/a.so", "cubins": [60], "ptx": [], "damaged": ""}]}
    assert libraries_of(reply) == (Library("/a.so", (60,)),)
