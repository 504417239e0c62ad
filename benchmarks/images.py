"""What it costs that images are the same to the bit, beside `docker build`. Needs an engine; 10 minutes, 10 GB.

    python benchmarks/images.py [IMAGE]

Builds IMAGE (default tensorflow-2.19-py3.11-cpu) from nothing with `toolkit`, and with `docker build` from the same
Dockerfiles and the same locked files, in two stages as people do; then both once more with nothing changed. Every
locked file is on this machine before: no download is measured. Prints a table; removes what it made.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from toolkit.api.resolve import named_row
from toolkit.catalogue.model import DistributionBase
from toolkit.image.base import local_archive, mmdebstrap_argv
from toolkit.image.normalize import EPOCH
from toolkit.lock.file import read_lock
from toolkit.lock.pool import Pool
from toolkit.paths import cache

BASE, ENVIRONMENT, IMAGE = "toolkit-benchmark-base", "toolkit-benchmark-environment", "toolkit-benchmark-image"
NAMESPACE = "toolkit-benchmark/"

BUILD = """
import resource, sys
from toolkit.api.resolve import named_row
from toolkit.image.build import Build
from toolkit.image.builders import builder_named
from toolkit.progress import silent
from toolkit.image.store import ImageStore
from toolkit.paths import cache
store = ImageStore()
recipe = named_row(sys.argv[1]).recipe
Build(recipe, store, builder_named("classic", store), cache(), silent, namespace=sys.argv[2]).run()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000)
"""


def seconds(argv: Sequence[object], **options: object) -> tuple[float, str]:
    """Run `argv`: how long it took, and what it printed."""
    start = time.perf_counter()
    done = subprocess.run([*map(str, argv)], check=True, capture_output=True, text=True, **options)  # type: ignore[call-overload]
    return time.perf_counter() - start, done.stdout


def plain_base(name: str) -> None:
    """The base as mmdebstrap leaves it, imported."""
    recipe = named_row(name).recipe
    assert isinstance(recipe.base, DistributionBase)
    debs = read_lock(recipe.lock).debs
    with local_archive(debs, Pool(cache() / "pool")) as packages, tempfile.TemporaryDirectory() as folder:
        tar = Path(folder) / "base.tar"
        environment = {**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH), "LC_ALL": "C.UTF-8"}
        seconds(mmdebstrap_argv(recipe.base, packages, tar), env=environment)
        seconds(["docker", "import", tar, BASE])


def two_stages(rendered: Path) -> tuple[Path, Path]:
    """The rendered stages as people would write them: the environment, then an image that copies it."""
    environment, image = sorted(rendered.glob("[23]-*"))
    for folder in (environment, image):
        lines = (folder / "Dockerfile").read_text().splitlines()
        lines[0] = f"FROM {BASE}"
        if folder == image:
            lines.insert(1, f"COPY --from={ENVIRONMENT} /opt/venv /opt/venv")
        (folder / "Dockerfile").write_text("\n".join(lines) + "\n")
    return environment, image


def plain_build(stages: tuple[Path, Path], *options: str) -> None:
    """`docker build` of both stages."""
    environment, image = stages
    for folder, tag in ((environment, ENVIRONMENT), (image, IMAGE)):
        seconds(["docker", "build", "--network", "none", *options, "--tag", tag, folder], env=classic())


def classic() -> dict[str, str]:
    """The same builder on both sides."""
    return {**os.environ, "DOCKER_BUILDKIT": "0"}


def main() -> None:
    """Measure, print, remove."""
    name = sys.argv[1] if len(sys.argv) > 1 else "tensorflow-2.19-py3.11-cpu"
    toolkit = [sys.executable, "-m", "toolkit"]
    seconds([*toolkit, "build", "--image", name])
    with tempfile.TemporaryDirectory(dir=cache()) as folder:
        rendered = Path(folder) / "rendered"
        seconds([*toolkit, "build", "--image", name, "--dry-run", rendered])
        stages = two_stages(rendered)
        try:
            start = time.perf_counter()
            plain_base(name)
            plain_build(stages, "--no-cache")
            plain = time.perf_counter() - start
            start = time.perf_counter()
            plain_build(stages)
            plain_again = time.perf_counter() - start
            ours, peak = seconds([sys.executable, "-c", BUILD, name, NAMESPACE])
            ours_again, _ = seconds([*toolkit, "build", "--image", name])
        finally:
            remove()
    print(f"{name}, seconds              toolkit   docker build")
    print(f"from nothing, files here     {ours:7.1f}   {plain:7.1f}   ({100 * (ours / plain - 1):+.0f} %)")
    print(f"nothing changed              {ours_again:7.1f}   {plain_again:7.1f}")
    print(f"peak memory of our process   {int(peak):4d} MB")


def remove() -> None:
    """Take away the images of both sides."""
    docker = shutil.which("docker") or "docker"
    listed = subprocess.run(
        [docker, "images", "--format", "{{.Repository}}:{{.Tag}}"], capture_output=True, text=True, check=True
    )
    names = [line for line in listed.stdout.split() if line.startswith("toolkit-benchmark")]
    subprocess.run([docker, "rmi", *names], capture_output=True, check=False)


if __name__ == "__main__":
    main()
