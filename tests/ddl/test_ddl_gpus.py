"""A framework that sees no GPU is an error where the run gave some. Frameworks and GPUs are stand-ins."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType, SimpleNamespace

import ddl.environment  # noqa: F401 (before a test sets one of Open MPI's variables)
import pytest

from .conftest import PACKAGE


def tensorflow_of(gpus: list[str], build: dict[str, str]) -> ModuleType:
    module = ModuleType("tensorflow")
    module.__version__ = "2.19.1"
    module.sysconfig = SimpleNamespace(get_build_info=lambda: build)
    pinned: list[str] = []
    experimental = SimpleNamespace(set_memory_growth=lambda *_: None)
    module.config = SimpleNamespace(
        list_physical_devices=lambda _: gpus,
        set_visible_devices=lambda gpu, _: pinned.append(gpu),
        experimental=experimental,
        pinned=pinned,
    )
    return module


def torch_of(gpus: int, cuda: str | None) -> ModuleType:
    module = ModuleType("torch")
    module.__version__ = "2.7.0"
    module.version = SimpleNamespace(cuda=cuda)
    module.cuda = SimpleNamespace(device_count=lambda: gpus, set_device=lambda _: None)
    return module


@pytest.fixture
def pin(monkeypatch: pytest.MonkeyPatch):
    """`pin` of a framework that is given as a module."""

    def made(module: ModuleType):
        monkeypatch.setitem(sys.modules, module.__name__, module)
        spec = importlib.util.spec_from_file_location("pinned", PACKAGE / "ddl" / module.__name__ / "gpu.py")
        pinned = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(pinned)
        return pinned.pin

    monkeypatch.setenv("OMPI_COMM_WORLD_RANK", "3")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("TOOLKIT_GPUS", raising=False)
    return made


MODULES = [tensorflow_of([], {"cuda_version": "12.5"}), torch_of(0, "12.6")]


@pytest.mark.parametrize("module", MODULES, ids=lambda one: one.__name__)
def test_a_framework_that_sees_no_gpu_runs_on_the_cpu_where_none_was_given(pin, module: ModuleType) -> None:
    pin(module)(0)


@pytest.mark.parametrize(("module", "built"), [(MODULES[0], "CUDA 12.5"), (MODULES[1], "CUDA 12.6")])
def test_where_the_run_gave_gpus_it_is_an_error_with_the_likely_cause(
    pin, monkeypatch: pytest.MonkeyPatch, module: ModuleType, built: str
) -> None:
    monkeypatch.setenv("TOOLKIT_GPUS", "2")
    with pytest.raises(RuntimeError, match=f"rank 3 was given 2 GPUs, but .* sees none .* built for {built}") as caught:
        pin(module)(0)
    assert "a driver that is too old" in str(caught.value)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(RuntimeError, match="CUDA_VISIBLE_DEVICES='' hides them"):
        pin(module)(0)


@pytest.mark.parametrize("module", [tensorflow_of([], {}), torch_of(0, None)], ids=lambda one: one.__name__)
def test_a_build_for_the_cpu_is_said_to_be_one(pin, monkeypatch: pytest.MonkeyPatch, module: ModuleType) -> None:
    monkeypatch.setenv("TOOLKIT_GPUS", "1")
    with pytest.raises(RuntimeError, match=r"1 GPU, but .* is built for the CPU only"):
        pin(module)(0)


def test_a_gpu_that_is_seen_is_pinned(pin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLKIT_GPUS", "2")
    module = tensorflow_of(["GPU:0", "GPU:1"], {"cuda_version": "12.5"})
    pin(module)(1)
    assert module.config.pinned == ["GPU:1"]
    pin(torch_of(2, "12.6"))(1)
