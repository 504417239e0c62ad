"""The stages of an image: their Dockerfiles, their contexts, and what is kept of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import jinja2
import pytest

from toolkit.catalogue.model import Archive, DistributionBase, Recipe, RegistryBase, Suite, Tree
from toolkit.catalogue.reader import ENVIRONMENT_TEMPLATE
from toolkit.errors import ToolkitError
from toolkit.image.base import mmdebstrap_argv
from toolkit.image.stages import Stage, labels, stages_of
from toolkit.image.version import Inputs, base_inputs, environment_inputs
from toolkit.lock.model import DebPin, Lock, WheelPin
from toolkit.lock.pool import Pool
from toolkit.paths import assets

SUITE = Suite(
    name="bookworm",
    title="Debian 12",
    archives=(Archive("debian", "http://deb.debian.org/debian", ("bookworm",), ("main",)),),
    keyring=None,
    python="3.11",
    glibc="2.36",
    open_mpi="4.1.4",
    packages=("python3", "openmpi-bin"),
    variant="apt",
)
BASE = DistributionBase(SUITE, SUITE.packages, "apt")
TEMPLATES = assets() / "templates"
LOCK = Lock(
    asked="a" * 64,
    template="b" * 64,
    debs=(DebPin("python3", "3.11.2", "amd64", "debian", "pool/p.deb", "c" * 64, 1),),
    wheels=(
        WheelPin("pip", "26.3", "pip-26.3-py3-none-any.whl", "d" * 64, 1),
        WheelPin("six", "1.17", "six-1.17-py2.py3-none-any.whl", "e" * 64, 1),
    ),
)
INPUTS = Inputs("tensorflow-2.19-py3.11-cpu", (("below", "0" * 64), ("lock", "1" * 64)))


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    for name in ("src/deep/module.py", "src/__pycache__/module.pyc", "src/run.sh", "x.lock"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "src" / "run.sh").chmod(0o700)
    return Recipe(
        name="tensorflow-2.19-py3.11-cpu",
        title="A title",
        base=BASE,
        template=TEMPLATES / "learner.Dockerfile.j2",
        lock=tmp_path / "x.lock",
        trees=(Tree(tmp_path / "src", "/opt/ddl/ddl"),),
        facts="why",
        python="3.11",
        requirements=("tensorflow-cpu==2.19.1",),
    )


def stages(recipe: Recipe, lock: Lock = LOCK, namespace: str = "") -> tuple[Stage, ...]:
    names = (ENVIRONMENT_TEMPLATE, recipe.template.name)
    texts = {name: (TEMPLATES / name).read_text() for name in names}
    return stages_of(recipe, INPUTS, lock, texts, Pool(Path("/pool")), namespace)


def instructions(stage: Stage) -> Iterator[str]:
    return (line.split()[0] for line in stage.dockerfile.splitlines() if line[:1].isupper())


def test_each_stage_stands_on_the_one_before(recipe: Recipe) -> None:
    environment, image = stages(recipe)
    assert environment.parent == base_inputs(BASE, LOCK.debs).reference
    assert image.parent == environment.reference == environment_inputs(recipe, LOCK).reference
    assert image.reference == INPUTS.reference
    assert [stage.dockerfile.splitlines()[0] for stage in (environment, image)] == [
        f"FROM {environment.parent}",
        f"FROM {environment.reference}",
    ]


def test_a_namespace_is_before_every_name(recipe: Recipe) -> None:
    plain, other = stages(recipe), stages(recipe, namespace="again/")
    assert [(stage.parent, stage.reference) for stage in other] == [
        (f"again/{stage.parent}", f"again/{stage.reference}") for stage in plain
    ]
    assert labels(recipe, INPUTS, LOCK)["org.opencontainers.image.version"] == INPUTS.reference


def test_the_environment_installs_by_hash_with_no_index(recipe: Recipe) -> None:
    environment, _ = stages(recipe)
    assert list(instructions(environment)) == ["FROM", "LABEL", "COPY", "COPY", "RUN"]
    words = environment.dockerfile.split()
    assert {"--no-index", "--require-hashes", "--no-deps", "--no-compile", "--no-cache-dir"} <= set(words)
    assert "/build/wheels/pip-26.3-py3-none-any.whl/pip" in words
    assert "/opt/user/lib/python3.11/site-packages" in words
    assert environment.roots == ("/opt/venv",)


def test_python_2_has_no_environment_of_its_own_but_a_path(recipe: Recipe) -> None:
    environment, image = stages(replace(recipe, python="2.7"))
    assert "venv --without-pip" not in environment.dockerfile
    assert "python2.7 /build/wheels/pip-26.3-py3-none-any.whl/pip install --prefix /opt/venv" in environment.dockerfile
    path = "/opt/venv/lib/python2.7/site-packages:/opt/ddl:/opt/user/lib/python2.7/site-packages"
    assert f"ENV PYTHONPATH={path}\n" in image.dockerfile


def test_the_contexts_hold_wheels_trees_and_the_lock(recipe: Recipe) -> None:
    environment, image = stages(recipe)
    assert [(entry.name, entry.mode) for entry in environment.entries()] == [
        ("Dockerfile", 0o644),
        ("wheels/pip-26.3-py3-none-any.whl", 0o644),
        ("wheels/six-1.17-py2.py3-none-any.whl", 0o644),
        ("wheels/requirements.lock", 0o644),
        ("compile.py", 0o644),
    ]
    assert [(entry.name, entry.mode) for entry in image.entries()] == [
        ("Dockerfile", 0o644),
        ("lock.yml", 0o644),
        ("trees/0/deep/module.py", 0o644),
        ("trees/0/run.sh", 0o755),
    ]


def test_the_image_runs_unprivileged_and_keeps_only_what_is_its_own(recipe: Recipe) -> None:
    _, image = stages(recipe)
    assert list(instructions(image)) == ["FROM", "LABEL", "COPY", "COPY", "ENV", "USER", "LABEL"]
    assert "\nUSER 61000:61000\n" in image.dockerfile
    assert image.roots == ("/opt/ddl/ddl", "/usr/share/toolkit/lock.yml")


def test_a_recipe_without_wheels_stands_on_the_base(recipe: Recipe) -> None:
    (image,) = stages(recipe, replace(LOCK, wheels=()))
    assert image.parent == base_inputs(BASE, LOCK.debs).reference


def test_wheels_without_a_pip_to_install_them_are_an_error(recipe: Recipe) -> None:
    with pytest.raises(ToolkitError, match="no pip to install them"):
        stages(recipe, replace(LOCK, wheels=LOCK.wheels[1:]))


def test_a_registrys_base_is_named_with_its_digest(recipe: Recipe) -> None:
    reference = f"debian@sha256:{'0' * 64}"
    environment, _ = stages(replace(recipe, base=RegistryBase(reference)), namespace="again/")
    assert environment.dockerfile.splitlines()[0] == f"FROM {reference}"


def test_a_name_that_no_one_gave_is_an_error(recipe: Recipe) -> None:
    texts = {ENVIRONMENT_TEMPLATE: "FROM {{ bse }}", recipe.template.name: ""}
    with pytest.raises(jinja2.UndefinedError):
        stages_of(recipe, INPUTS, LOCK, texts, Pool(Path("/pool")))


def test_an_image_says_what_went_into_it(recipe: Recipe) -> None:
    said = labels(recipe, INPUTS, LOCK)
    assert json.loads(said.pop("toolkit.recipe")) == {
        "base": "Debian 12",
        "debs": 1,
        "gpu": [],
        "packages": ["python3", "openmpi-bin"],
        "python": "3.11",
        "requirements": ["tensorflow-cpu==2.19.1"],
        "trees": ["/opt/ddl/ddl"],
        "wheels": 2,
    }
    assert said == {
        "org.opencontainers.image.title": "A title",
        "org.opencontainers.image.version": INPUTS.reference,
        "org.opencontainers.image.base.name": base_inputs(BASE, LOCK.debs).reference,
        "toolkit.combination": recipe.name,
        "toolkit.inputs.sha256": INPUTS.digest,
        "toolkit.inputs": f"below={'0' * 16} lock={'1' * 16}",
        "toolkit.facts": "why",
    }


@pytest.mark.parametrize("title", ['say "hi"', "$HOME", "a\\b", "ä\nb"])
def test_a_label_stays_one_value(recipe: Recipe, title: str) -> None:
    _, image = stages(replace(recipe, title=title))
    line = next(line for line in image.dockerfile.splitlines() if "image.title=" in line)
    quoted = line.strip().removesuffix(" \\").partition("=")[2]
    assert json.loads(quoted.replace("\\$", "$")) == title


def test_the_base_is_made_of_the_locked_packages_alone() -> None:
    argv = mmdebstrap_argv(BASE, Path("/packages"), Path("/tmp/base.tar"))
    assert argv[:3] == ["mmdebstrap", "--variant=apt", "--include=python3,openmpi-bin"]
    assert argv[-3:] == ["bookworm", "/tmp/base.tar", "deb [trusted=yes] copy:/packages ./"]
    assert '--customize-hook=rm -f "$1"/etc/ssh/ssh_host_*' in argv
    assert '--customize-hook=echo "learner:x:61000:61000::/home/learner:/bin/sh" >> "$1"/etc/passwd' in argv


def test_a_base_that_is_only_unpacked_runs_no_hook() -> None:
    argv = mmdebstrap_argv(replace(BASE, variant="extract"), Path("/packages"), Path("/t.tar"))
    assert not any("hook" in word for word in argv)
