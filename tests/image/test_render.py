"""Dockerfiles and bases, as text and as command lines."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import jinja2
import pytest

from toolkit.catalogue.model import DistributionBase, Recipe, RegistryBase, Tree
from toolkit.catalogue.reader import read_frameworks
from toolkit.catalogue.version import Inputs, base_inputs, read_inputs
from toolkit.image.base import mmdebstrap_argv
from toolkit.image.context import build_context
from toolkit.image.own import buckets_recipe
from toolkit.image.render import labels, render_dockerfile
from toolkit.places import house

BASE = DistributionBase("bookworm", ("python3", "openmpi-bin"), "apt")
RECIPE = Recipe("name", "A title", BASE, Path("t.j2"), None, (Tree(Path("/src"), "/opt/src"),), "facts")
INPUTS = Inputs("name", (("base", "0" * 64), ("lock", "1" * 64)))


def test_the_examples_dockerfile_installs_by_hash_and_runs_unprivileged() -> None:
    recipe = read_frameworks(house() / "images", house() / "templates")[0].recipe
    inputs = read_inputs(recipe)
    text = render_dockerfile(recipe, inputs, recipe.template.read_text(), "pip-26.whl")
    assert text.count(f"FROM {base_inputs(recipe.base).reference}") == 2
    assert "/wheels/pip-26.whl/pip install --no-index" in text
    assert "--require-hashes" in text
    assert "COPY trees/0 /opt/venv/lib/python3.11/site-packages/ddl\n" in text
    assert "\nUSER 1000:1000\n" in text
    assert f'org.opencontainers.image.version="{inputs.reference}"' in text


def test_a_label_with_quotes_stays_one_value() -> None:
    text = render_dockerfile(replace(RECIPE, title='say "hi"'), INPUTS, f"{{{{ labels['{TITLE}'] | quoted }}}}")
    assert text == '"say \\"hi\\""'


TITLE = "org.opencontainers.image.title"


def test_a_name_that_the_recipe_lacks_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError):
        render_dockerfile(RECIPE, INPUTS, "FROM {{ bse }}")


def test_a_registry_base_is_named_with_its_digest() -> None:
    image = f"debian@sha256:{'0' * 64}"
    assert render_dockerfile(replace(RECIPE, base=RegistryBase(image)), INPUTS, "FROM {{ base }}") == f"FROM {image}"


def test_the_base_is_made_without_host_keys() -> None:
    assert mmdebstrap_argv(BASE, Path("/tmp/base.tar")) == [
        *("mmdebstrap", "--variant=apt", "--include=python3,openmpi-bin"),
        '--customize-hook=rm -f "$1"/etc/ssh/ssh_host_*_key "$1"/etc/ssh/ssh_host_*_key.pub',
        '--customize-hook=rm -rf "$1"/var/log/*',
        *("--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/locale/*"),
        *("bookworm", "/tmp/base.tar"),
    ]


def test_the_context_holds_dockerfile_lock_wheels_and_trees(tmp_path: Path) -> None:
    for name in ("x.lock", "b.whl", "a.whl", "src/deep/module.py", "src/__pycache__/module.pyc", "src/run.sh"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "src" / "run.sh").chmod(0o700)
    recipe = replace(
        RECIPE, lock=tmp_path / "x.lock", trees=(Tree(tmp_path / "src", "/opt"), Tree(tmp_path / "a.whl", "/a"))
    )
    wheels = {"b": tmp_path / "b.whl", "a": tmp_path / "a.whl"}
    assert [(entry.name, entry.mode) for entry in build_context(recipe, "FROM x", wheels)] == [
        ("Dockerfile", 0o644),
        ("wheels/requirements.lock", 0o644),
        ("wheels/a.whl", 0o644),
        ("wheels/b.whl", 0o644),
        ("trees/0/deep/module.py", 0o644),
        ("trees/0/run.sh", 0o755),
        ("trees/1", 0o644),
    ]


def test_the_bucket_image_holds_rclone_and_runs_no_package_script() -> None:
    recipe = buckets_recipe()
    assert isinstance(recipe.base, DistributionBase)
    text = render_dockerfile(recipe, INPUTS, recipe.template.read_text())
    assert f"\nFROM {base_inputs(recipe.base).reference}\nCOPY trees/0 /usr/bin/rclone\n" in text
    assert "RUN" not in text
    assert mmdebstrap_argv(recipe.base, Path("/t.tar")) == [
        *("mmdebstrap", "--variant=extract"),
        "--include=fuse3,ca-certificates,coreutils,dash,tar,findutils,grep",
        *("--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/locale/*"),
        *("bookworm", "/t.tar"),
    ]


def test_an_image_says_what_went_into_it() -> None:
    assert labels(RECIPE, INPUTS) == {
        "org.opencontainers.image.title": "A title",
        "org.opencontainers.image.version": INPUTS.reference,
        "org.opencontainers.image.base.name": base_inputs(BASE).reference,
        "toolkit.inputs.sha256": INPUTS.digest,
        "toolkit.inputs": f"base={'0' * 16} lock={'1' * 16}",
        "toolkit.facts": "facts",
    }


def test_a_context_without_a_lock_holds_no_wheels() -> None:
    recipe = replace(RECIPE, trees=())
    assert [entry.name for entry in build_context(recipe, "FROM x", {})] == ["Dockerfile"]
