"""Images, built by a real engine."""

from __future__ import annotations

import json
import multiprocessing
import shutil
import signal
import subprocess
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from toolkit.atomic_file import sha256_of
from toolkit.catalogue.model import LEARNER_UID, DistributionBase, FrameworkRow, Recipe, SiteBundle
from toolkit.errors import ToolkitError
from toolkit.image.base import make_base
from toolkit.image.build import Build, BuiltImage
from toolkit.image.builders import builder_named
from toolkit.image.store import ImageStore
from toolkit.image.tool_images import buckets_recipe
from toolkit.image.version import read_inputs
from toolkit.lock.file import read_lock, write_lock
from toolkit.lock.model import WheelPin
from toolkit.lock.pool import Pool
from toolkit.lock.staleness import question
from toolkit.paths import assets, cache
from toolkit.progress import Report, silent

from .bench import MANIFEST, Bench


def in_image(image: str, *words: str) -> str:
    argv = ["docker", "run", "--rm", "--network", "none", "--cap-drop", "ALL", image, *words]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def test_an_image_that_is_there_is_not_built_again(bench: Bench, image: str) -> None:
    said = json.loads(bench.ok("build", "--json", MANIFEST).stdout)
    assert said["image"]["reference"] == image
    assert (said["image"]["built_now"], said["buckets_image"]["built_now"]) == (False, False)


def test_labels_say_what_went_in(bench: Bench, image: str, row: FrameworkRow) -> None:
    argv = ["docker", "image", "inspect", "--format", "{{json .Config.Labels}}", image]
    labels = json.loads(subprocess.run(argv, check=True, capture_output=True, text=True).stdout)
    assert labels["org.opencontainers.image.version"] == image
    assert labels["toolkit.inputs.sha256"] == read_inputs(row.recipe).digest
    assert "lock=" in labels["toolkit.inputs"]


def test_the_image_is_unprivileged_and_holds_no_host_key_and_no_pip_cache(image: str) -> None:
    assert in_image(image, "id", "-u").strip() == str(LEARNER_UID)
    look = "ls /etc/ssh/*key* /home/learner/.cache /root/.cache /wheels 2>/dev/null; true"
    assert in_image(image, "sh", "-c", look) == ""


def test_the_image_holds_the_locked_tensorflow_and_ddl(image: str) -> None:
    program = "import tensorflow, ddl, mpi4py.MPI; print(tensorflow.__version__, ddl.size())"
    assert in_image(image, "python", "-c", program).split() == ["2.19.1", "1"]


def small(row: FrameworkRow, folder: Path, name: str, template: str, wheels: tuple[WheelPin, ...] = ()) -> Recipe:
    """A recipe on the example's base, with its own template."""
    templates = folder / "templates"
    shutil.copytree(assets() / "templates", templates, dirs_exist_ok=True)
    (templates / "small.j2").write_text(template)
    lock = replace(read_lock(row.recipe.lock), wheels=wheels, asked="", template="")
    recipe = replace(
        row.recipe,
        name=name,
        template=templates / "small.j2",
        lock=folder / f"{name}.lock",
        trees=(),
        requirements=(),
        native=None,
    )
    write_lock(replace(lock, asked=question(recipe), template=sha256_of(recipe.template)), recipe.lock, name)
    return recipe


def build(recipe: Recipe, cache_folder: Path, namespace: str = "", builder: str = "classic") -> BuiltImage:
    store = ImageStore()
    return Build(recipe, store, builder_named(builder, store), cache_folder, silent, namespace=namespace).run()


@pytest.fixture
def no_leftovers() -> Iterator[None]:
    """A test's own images are removed by their names."""
    yield
    store = ImageStore()
    for name in store.names_in("toolkit-build-test-"):
        store.remove(name)


def test_a_failing_step_shows_its_last_lines_and_leaves_no_tag(row: FrameworkRow, image: str, tmp_path: Path) -> None:
    recipe = small(row, tmp_path, "toolkit-build-test-broken", "FROM {{ parent }}\nRUN echo before the fall && false\n")
    with pytest.raises(ToolkitError) as caught:
        build(recipe, cache())
    assert caught.value.code.label == "S103"
    assert "RUN echo before the fall && false" in caught.value.what
    assert "before the fall" in caught.value.evidence
    assert ImageStore().find(read_inputs(recipe).reference) is None


def test_a_wheel_with_another_hash_is_refused(row: FrameworkRow, image: str, tmp_path: Path) -> None:
    wheel = WheelPin("six", "1.17.0", "six-1.17.0-py2.py3-none-any.whl", "0" * 64, 11050)
    pip = next(wheel for wheel in read_lock(row.recipe.lock).wheels if wheel.name == "pip")
    recipe = small(row, tmp_path, "toolkit-build-test-wrong-hash", "FROM {{ parent }}\n", (wheel, pip))
    with pytest.raises(ToolkitError) as caught:
        build(recipe, tmp_path / "cache")
    assert "could not be downloaded" in caught.value.what
    assert "hash" in caught.value.evidence.lower()
    assert ImageStore().find(read_inputs(recipe).reference) is None


def poisoned(file: Path) -> None:
    """pip's wheel with a program of someone else's in it: whoever starts it leaves a mark in the environment."""
    with zipfile.ZipFile(file, "a") as wheel:
        text = wheel.read("pip/__main__.py").decode()
        mark = "open('/opt/venv/lib/python3.11/site-packages/evil.pth', 'w').write('import os')\n"
        wheel.writestr("pip/__main__.py", text.replace("import os\n", f"import os\n{mark}", 1))


def own_pool(recipe: Recipe, folder: Path) -> Pool:
    """A cache of this test's own with the recipe's wheels."""
    pool = Pool(folder / "cache" / "pool")
    for wheel in read_lock(recipe.lock).wheels:
        pool.add(Pool(cache() / "pool").path(wheel), wheel)
    return pool


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.slow
def test_a_poisoned_pip_in_the_pool_is_never_run(
    row: FrameworkRow, image: str, tmp_path: Path, no_leftovers: None
) -> None:
    wheels = tuple(wheel for wheel in read_lock(row.recipe.lock).wheels if wheel.name in ("pip", "markdown"))
    recipe = small(
        row, tmp_path, "toolkit-build-test-poison", "FROM {{ parent }}\nCOPY lock.yml /usr/share/toolkit/\n", wheels
    )
    pool = own_pool(recipe, tmp_path)
    pip = next(wheel for wheel in wheels if wheel.name == "pip")
    poisoned(pool.path(pip))
    notes: list[str] = []
    store = ImageStore()
    report: Report = lambda state: notes.append(state.note)  # noqa: E731
    Build(
        recipe, store, builder_named("classic", store), tmp_path / "cache", report, namespace="toolkit-build-test-p/"
    ).run()
    assert [note for note in notes if note] == [f"{pip.file} was damaged in the pool: dropped and fetched again"]
    assert pool.is_whole(pip)
    (made,) = [name for name in store.names_in("toolkit-build-test-p/") if "poison" in name]
    site = in_image(made, "ls", "/opt/venv/lib/python3.11/site-packages")
    assert "markdown" in site
    assert "evil.pth" not in site


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("builder", ["classic", "buildkit"])
@pytest.mark.slow
def test_a_wheel_that_changes_after_it_was_checked_makes_no_image(
    row: FrameworkRow, image: str, tmp_path: Path, no_leftovers: None, monkeypatch: pytest.MonkeyPatch, builder: str
) -> None:
    wheels = tuple(wheel for wheel in read_lock(row.recipe.lock).wheels if wheel.name in ("pip", "markdown"))
    recipe = small(
        row, tmp_path, "toolkit-build-test-race", "FROM {{ parent }}\nCOPY lock.yml /usr/share/toolkit/\n", wheels
    )
    pool, before = own_pool(recipe, tmp_path), dangling()
    pip = next(wheel for wheel in wheels if wheel.name == "pip")

    def whole_then_poisoned(*_: object) -> list[WheelPin]:
        poisoned(pool.path(pip))
        return []

    monkeypatch.setattr("toolkit.image.stage_builder.fetch_wheels", whole_then_poisoned)
    with pytest.raises(ToolkitError, match="has changed since it was checked"):
        build(recipe, tmp_path / "cache", namespace="toolkit-build-test-race/", builder=builder)
    assert not [name for name in ImageStore().names_in("toolkit-build-test-race/") if "environment" in name]
    assert dangling() == before


def dangling() -> set[str]:
    argv = ["docker", "images", "--quiet", "--filter", "dangling=true", "--filter", "label=toolkit.stage"]
    return set(subprocess.run(argv, check=True, capture_output=True, text=True).stdout.split())


def test_a_base_that_cannot_be_made_comes_with_mmdebstraps_last_lines(row: FrameworkRow, tmp_path: Path) -> None:
    base = row.recipe.base
    assert isinstance(base, DistributionBase)
    with pytest.raises(ToolkitError) as caught:
        make_base(replace(base, packages=("no-such",)), (), Pool(tmp_path), tmp_path / "base.tar", lambda _: None)
    assert (caught.value.code.label, caught.value.what) == ("S103", "mmdebstrap could not build the base from bookworm")
    assert "E: " in caught.value.evidence


def test_of_two_builds_at_once_one_builds(row: FrameworkRow, image: str, tmp_path: Path, no_leftovers: None) -> None:
    template = "FROM {{ parent }}\nRUN sleep 3\nCOPY lock.yml /usr/share/toolkit/lock.yml\n"
    recipe = small(row, tmp_path, "toolkit-build-test-two-at-once", template)
    with ThreadPoolExecutor() as pool:
        made = list(pool.map(lambda _: build(recipe, cache()), range(2)))
    assert sorted(one.fresh for one in made) == [False, True]
    assert made[0].image_id == made[1].image_id


@pytest.mark.slow
def test_two_builds_from_nothing_and_both_builders_give_the_same_bits(
    row: FrameworkRow, image: str, tmp_path: Path, no_leftovers: None
) -> None:
    """Everything but the framework's own gigabyte: base, an environment with compiled modules, the tool's trees."""
    wheels = tuple(w for w in read_lock(row.recipe.lock).wheels if w.name in ("pip", "markdown", "markupsafe", "numpy"))
    template = (assets() / "templates" / "learner.Dockerfile.j2").read_text()
    recipe = replace(small(row, tmp_path, "toolkit-build-test-bits", template, wheels), trees=row.recipe.trees)
    pool = tmp_path / "elsewhere" / "cache" / "pool"
    shutil.copytree(cache() / "pool", pool)  # the files are the lock's own; what is made of them is made anew
    one = build(recipe, cache(), namespace="toolkit-build-test-one/")
    other = build(recipe, pool.parent, namespace="toolkit-build-test-other/", builder="buildkit")
    assert (one.fresh, other.fresh) == (True, True)
    assert one.image_id == other.image_id


def test_a_killed_build_leaves_no_tag_and_the_next_one_works(
    row: FrameworkRow, image: str, tmp_path: Path, no_leftovers: None
) -> None:
    template = "FROM {{ parent }}\nRUN sleep 4\nCOPY lock.yml /usr/share/toolkit/lock.yml\n"
    recipe = small(row, tmp_path, "toolkit-build-test-killed", template)
    child = multiprocessing.get_context("fork").Process(target=build, args=(recipe, cache()))
    child.start()
    time.sleep(2)
    child.kill()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    assert ImageStore().find(read_inputs(recipe).reference) is None
    assert build(recipe, cache()).fresh


@pytest.mark.slow
def test_a_sites_bundle_is_a_layer_below_the_image_and_its_libraries_are_found(
    row: FrameworkRow, image: str, tmp_path: Path, no_leftovers: None
) -> None:
    """The content stands in for NVIDIA's libraries, which are on no index."""
    (tmp_path / "lib64").mkdir()
    (tmp_path / "lib64" / "libcublas.so.9.0").write_text("a stand-in")
    subprocess.run(["tar", "-C", tmp_path, "-czf", tmp_path / "cuda.tar.gz", "lib64"], check=True)
    template = "FROM {{ parent }}\nCOPY lock.yml /usr/share/toolkit/lock.yml\n"
    pip = next(wheel for wheel in read_lock(row.recipe.lock).wheels if wheel.name == "pip")
    recipe = small(row, tmp_path, "toolkit-build-test-bundle", template, (pip,))
    bundle = SiteBundle("cuda", tmp_path / "cuda.tar.gz", sha256_of(tmp_path / "cuda.tar.gz"))
    built = build(replace(recipe, bundle=bundle), cache(), namespace="toolkit-build-test-bundle/")
    said = in_image(built.image_id, "sh", "-c", "echo $LD_LIBRARY_PATH; cat /usr/local/cuda/lib64/libcublas.so.9.0")
    assert said == "/usr/local/cuda/lib64\na stand-in"


def test_a_full_disk_is_one_clear_error(bench: Bench, image: str, tmp_path: Path) -> None:
    """A real disk of 8 MB under the cache, which the process alone sees."""
    folder = tmp_path / "cache"
    folder.mkdir()
    script = 'mount -t tmpfs -o size=8m tmpfs "$0" && exec "$@"'
    argv = ["unshare", "--map-root-user", "--mount", "sh", "-c", script, folder]
    argv += bench.argv("images", "verify", read_inputs(buckets_recipe()).reference)  # from nothing, whatever is here
    environment = {**bench.environment, "TOOLKIT_CACHE": str(folder)}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 3, done.stderr
    assert done.stderr.count("toolkit: error") == 1
    assert "disk of the cache is full" in done.stderr
    assert "Traceback" not in done.stderr
