"""Building an image to the bit, beside `docker build` of the same stages: from nothing, unchanged, with a package more.

The peer's Dockerfiles are those that the tool renders, in two stages as people write them; its base is what mmdebstrap
leaves. Every locked file is on this machine before, so no download is measured.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from benchmarks.compare.case import Case
from benchmarks.compare.workspace import TOOLKIT, Workspace
from benchmarks.launched import EMBEDDED, s3_reference, write_manifest
from toolkit.api.resolve import named_row
from toolkit.catalogue.model import DistributionBase
from toolkit.image.base import local_archive, mmdebstrap_argv
from toolkit.image.normalize import EPOCH
from toolkit.image.store import ImageStore
from toolkit.lock.file import read_lock
from toolkit.lock.pool import Pool
from toolkit.paths import cache

_NAME = "tensorflow-2.19-py3.11-cpu"
_BASE, _ENVIRONMENT, _IMAGE = "toolkit-benchmark-base", "toolkit-benchmark-environment", "toolkit-benchmark-image"
_NAMESPACE = "toolkit-benchmark/"
_MORE = "humanize==4.12.1\n"
_CHECKS = "every file of the image is read once more, and the framework is imported, before an image gets its name."
_BUILD = """
import sys
from toolkit.api.resolve import named_row
from toolkit.image.build import Build
from toolkit.image.builders import builder_named
from toolkit.image.store import ImageStore
from toolkit.paths import cache
from toolkit.progress import silent
store = ImageStore()
recipe, builder = named_row(sys.argv[1]).recipe, builder_named("classic", store)
Build(recipe, store, builder, cache(), silent, namespace=sys.argv[2]).run()
"""


@contextmanager
def cases(space: Workspace) -> Iterator[list[Case]]:
    """For TensorFlow's image."""
    builds = Builds(space)
    try:
        yield [
            Case(
                *("build-unchanged", "`toolkit build`, nothing changed", "docker build, all cached", 0.5),
                *(builds.unchanged, builds.unchanged_by_docker),
            ),
            Case(
                *("build-requirement", "`toolkit lock` and `build`, one requirement more", "docker build", 0.5),
                *(builds.requirement, builds.requirement_by_docker, _CHECKS, 3),
            ),
            Case(
                *("build-nothing", "a build from nothing, locked files here", "mmdebstrap and docker build", 1.0),
                *(builds.from_nothing, builds.from_nothing_by_docker, _CHECKS, 2),
            ),
        ]
    finally:
        builds.remove()


class Builds:
    """Both sides' builds of one image."""

    def __init__(self, space: Workspace) -> None:
        self._space = space
        space.run([TOOLKIT, "build", "--image", _NAME])
        self._before = ImageStore().names_in("")
        self._stages = self._rendered()
        self._manifest = self._code()
        self._plain_base()
        self._plain_build()

    def unchanged(self) -> float:
        """Seconds for an image that is there."""
        return self._space.timed(TOOLKIT, "build", "--image", _NAME)()

    def unchanged_by_docker(self) -> float:
        """Seconds with every step cached."""
        return self._seconds(self._plain_build)

    def requirement(self) -> float:
        """Seconds to lock and build, for a package that no image has."""
        self._remove_additions()
        self._manifest.with_name("toolkit.lock").unlink(missing_ok=True)
        steps = (partial(self._space.run, [TOOLKIT, verb, self._manifest]) for verb in ("lock", "build"))
        return self._seconds(*steps)

    def requirement_by_docker(self) -> float:
        """Seconds for a list of packages that has another line."""
        with (self._stages[0] / "wheels" / "requirements.lock").open("a") as file:
            file.write(f"# {time.time_ns()}\n")
        return self._seconds(self._plain_build)

    def from_nothing(self) -> float:
        """Seconds with no stage there."""
        seconds = self._space.timed(sys.executable, "-c", _BUILD, _NAME, _NAMESPACE)()
        self._remove_ours()
        return seconds

    def from_nothing_by_docker(self) -> float:
        """Seconds for the base and both stages, without a cache."""
        return self._seconds(self._plain_base, lambda: self._plain_build("--no-cache"))

    def remove(self) -> None:
        """Take away the images of both sides, but for the catalogue's own."""
        self._remove_ours()
        self._remove_additions()
        for name in (_IMAGE, _ENVIRONMENT, _BASE):
            subprocess.run(["docker", "image", "rm", name], capture_output=True, check=False)

    @staticmethod
    def _seconds(*steps: Callable[[], object]) -> float:
        start = time.perf_counter()
        for step in steps:
            step()
        return time.perf_counter() - start

    def _remove_ours(self) -> None:
        store = ImageStore()
        for name in store.names_in(_NAMESPACE):
            store.remove(name)

    def _remove_additions(self) -> None:
        """The image with the package, and none that was there before."""
        store = ImageStore()
        for name in set(store.names_in("")).difference(self._before):
            if "toolkit.additions" in store.get(name).labels:
                store.remove(name)

    def _code(self) -> Path:
        code = self._space.folder / "code"
        code.mkdir()
        (code / "program.py").write_text("print('not run')\n")
        (code / "requirements.txt").write_text(_MORE)
        data, results = (s3_reference(EMBEDDED, role, role) for role in ("source", "target"))
        manifest = write_manifest(code, {"command": "python program.py"}, "cpu", 1, data=data, results=results)
        manifest.write_text(manifest.read_text().replace('"tensorflow-ddl"', '"tensorflow"'))
        return manifest

    def _rendered(self) -> list[Path]:
        """The rendered stages, the last one as an image that copies the environment, as people write it."""
        folder = self._space.folder / "rendered"
        self._space.run([TOOLKIT, "build", "--image", _NAME, "--dry-run", folder])
        environment, image = sorted(folder.glob("[23]-*"))
        for stage in (environment, image):
            lines = (stage / "Dockerfile").read_text().splitlines()
            lines[0] = f"FROM {_BASE}"
            if stage == image:
                lines.insert(1, f"COPY --from={_ENVIRONMENT} /opt/venv /opt/venv")
            (stage / "Dockerfile").write_text("\n".join(lines) + "\n")
        return [environment, image]

    def _plain_base(self) -> None:
        """The base as mmdebstrap leaves it, imported."""
        recipe = named_row(_NAME).recipe
        assert isinstance(recipe.base, DistributionBase)
        debs = read_lock(recipe.lock).debs
        with local_archive(debs, Pool(cache() / "pool")) as packages, tempfile.TemporaryDirectory() as folder:
            tar = Path(folder) / "base.tar"
            self._space.run(mmdebstrap_argv(recipe.base, packages, tar), SOURCE_DATE_EPOCH=str(EPOCH), LC_ALL="C.UTF-8")
            self._space.run(["docker", "import", tar, _BASE])

    def _plain_build(self, *options: str) -> None:
        """`docker build` of both stages, by the builder that the tool uses."""
        for folder, tag in zip(self._stages, (_ENVIRONMENT, _IMAGE), strict=True):
            argv = [shutil.which("docker"), "build", "--network", "none", *options, "--tag", tag, folder]
            self._space.run(argv, DOCKER_BUILDKIT="0")
