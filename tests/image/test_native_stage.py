"""What is compiled for an image: in a base of its own, kept as files alone, an input of the image's version."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from toolkit.catalogue.model import DistributionBase, Recipe, SiteBundle
from toolkit.catalogue.reader import NATIVE_TEMPLATE, read_frameworks
from toolkit.image.config import with_variables
from toolkit.image.stages import Stage, stages_of
from toolkit.image.tool_images import compiler_recipes
from toolkit.image.version import base_reference, environment_inputs, native_inputs, read_inputs
from toolkit.lock.file import read_lock
from toolkit.lock.model import Lock
from toolkit.lock.pool import Pool
from toolkit.lock.staleness import stale
from toolkit.paths import assets

TEMPLATES = assets() / "templates"
ROWS = read_frameworks(assets() / "images", TEMPLATES)
NAMED = {row.recipe.name: row.recipe for row in ROWS}
RECIPE = NAMED["tensorflow-ddl-2.19-py3.11-cpu"]
LOCK = read_lock(RECIPE.lock)


def stages(recipe: Recipe, namespace: str = "", lock: Lock = LOCK) -> tuple[Stage, ...]:
    texts = {file.name: file.read_text() for file in TEMPLATES.iterdir()}
    return stages_of(recipe, read_inputs(recipe), lock, texts, Pool(Path("/pool")), namespace)


def test_it_is_compiled_apart_and_only_its_files_are_kept() -> None:
    environment, native, image = stages(RECIPE)
    compiler = RECIPE.native.compiler if RECIPE.native else RECIPE
    assert native.apart
    assert native.parent == environment.reference
    assert image.parent == native.reference == native_inputs(RECIPE, LOCK).reference
    assert native.roots == ("/opt/ddl/lib",)
    assert native.variables == ("LD_LIBRARY_PATH=/opt/ddl/lib",)
    lines = native.dockerfile.splitlines()
    assert lines[0] == f"FROM {environment.reference} AS environment"
    assert lines[1] == f"FROM {base_reference(compiler.base, read_lock(compiler.lock))}"
    assert lines[-1] == "RUN python3.11 /build/native/build.py /opt/ddl/lib /build/tensorflow"
    names = {entry.name for entry in native.context}
    assert {"native/build.py", "native/engine.h", "native/tensorflow/ops.cc", "native/engine/coordinator.cc"} <= names


@pytest.mark.parametrize("name", [name for name in NAMED if name.startswith("tensorflow-ddl-2")])
def test_nvidias_headers_are_there_where_the_environment_has_them_all(name: str) -> None:
    native = stages(NAMED[name], lock=read_lock(NAMED[name].lock))[1]
    copied = [line.split()[-1] for line in native.dockerfile.splitlines() if "/nvidia/" in line]
    wanted = [f"/build/nvidia/{package}/include" for package in ("cuda_nvcc", "cuda_runtime", "nccl")]
    assert copied == (wanted if name.endswith("-cuda") else [])


def test_a_namespace_is_before_the_compilers_too() -> None:
    native = stages(RECIPE, "again/")[1]
    assert [line.split()[1].startswith("again/") for line in native.dockerfile.splitlines()[:2]] == [True, True]


def test_a_sites_bundle_stays_in_the_library_path() -> None:
    native = stages(replace(RECIPE, bundle=SiteBundle("cuda", Path("x"), "0" * 64)))[1]
    assert native.variables == ("LD_LIBRARY_PATH=/opt/ddl/lib:/usr/local/cuda/lib64",)


def test_a_variable_is_set_once() -> None:
    settings = {"Env": ["PATH=/bin", "LD_LIBRARY_PATH=/cuda"], "Cmd": ["/bin/sh"]}
    made = with_variables(settings, ["LD_LIBRARY_PATH=/ddl:/cuda"])
    assert made == {"Env": ["PATH=/bin", "LD_LIBRARY_PATH=/ddl:/cuda"], "Cmd": ["/bin/sh"]}


def test_every_ddl_row_has_it_and_no_other() -> None:
    assert {name.startswith("tensorflow-ddl-") for name, recipe in NAMED.items() if recipe.native} == {True}
    assert all(recipe.native for name, recipe in NAMED.items() if name.startswith("tensorflow-ddl-"))


def test_compilers_are_locked_once_for_each_suite() -> None:
    compilers = compiler_recipes(ROWS)
    assert {compiler.name for compiler in compilers} == {
        f"toolkit-compiler-{suite}" for suite in ("bookworm", "trixie", "bullseye", "xenial")
    }
    for compiler in compilers:
        lock = read_lock(compiler.lock)
        assert stale(compiler, lock) == ""
        assert {"g++", "libopenmpi-dev"} <= {deb.name for deb in lock.debs}


def test_the_environment_below_is_the_one_without_it() -> None:
    plain = NAMED["tensorflow-2.19-py3.11-cpu"]
    assert environment_inputs(RECIPE, LOCK) == environment_inputs(plain, LOCK)


@pytest.mark.parametrize("changed", ["source", "compiler", "template"])
def test_sources_compilers_and_the_way_of_compiling_are_inputs(tmp_path: Path, changed: str) -> None:
    native = RECIPE.native
    assert native and isinstance(native.compiler.base, DistributionBase)
    folder = tmp_path / "native"
    folder.mkdir()
    (folder / "build.py").write_text("one")
    template = tmp_path / NATIVE_TEMPLATE
    template.write_text("FROM x\n")
    lock = tmp_path / "x.lock"
    lock.write_text(native.compiler.lock.read_text())
    compiler = replace(native.compiler, lock=lock, template=template)
    recipe = replace(RECIPE, native=replace(native, source=folder, compiler=compiler))
    before = read_inputs(recipe).digest
    assert read_inputs(recipe).digest == before
    if changed == "source":
        (folder / "build.py").write_text("two")
    elif changed == "template":
        template.write_text("FROM y\n")
    else:
        lines = lock.read_text().splitlines(keepends=True)
        lock.write_text("".join(line for line in lines if not line.startswith("  - g++ ")))
    assert read_inputs(recipe).digest != before
