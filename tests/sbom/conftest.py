"""An image and what is in it, as values."""

from __future__ import annotations

import pytest

from toolkit.image.labels import INPUTS_SHA256
from toolkit.inventory.images import EngineImage
from toolkit.inventory.model import UNNAMED_LICENCE, Contents, Distribution, File, Need, Package
from toolkit.inventory.trees import with_trees
from toolkit.sbom.subject import Subject

SITE = "/opt/venv/lib/python3.11/site-packages"
DEB_SHA, WHEEL_SHA = "d" * 64, "e" * 64
LOCK = (
    f"lock: 1\nasked: {'a' * 64}\ntemplate: {'b' * 64}\n"
    f"debs:\n  - libc6 2.36-9 amd64 debian pool/libc6_2.36-9_amd64.deb {DEB_SHA} 10\n"
    f"wheels:\n  - keras 3.15.1 keras-3.15.1-py3-none-any.whl {WHEEL_SHA} 20\n"
)
RECIPE = (
    '{"base":"Debian 12","packages":["libc6"],"python":"3.11","requirements":["keras==3.15.1"],"trees":["/opt/ddl"]}'
)
IMAGE = EngineImage(
    image_id="sha256:" + "0123456789abcdef" * 4,
    references=("tensorflow-2.19-py3.11-cpu:0123456789ab",),
    size=1000,
    created="2020-01-01T00:00:00Z",
    labels={
        "org.opencontainers.image.version": "tensorflow-2.19-py3.11-cpu:0123456789ab",
        "toolkit.combination": "tensorflow-2.19-py3.11-cpu",
        "toolkit.inputs": "below=1234 /opt/ddl/a.py=5678",
        INPUTS_SHA256: "9" * 64,
        "toolkit.recipe": RECIPE,
    },
)
PACKAGES = (
    Package("deb", "libc6", "2.36-9", "amd64", licences=("LGPL-2.1+", "public-domain"), source="glibc", size=8),
    Package("deb", "netbase", "6.4", "all", source="netbase"),
    Package(
        "python",
        "keras",
        "3.15.1",
        place=SITE,
        licences=("Apache License 2.0",),
        needs=(Need(("numpy",)),),
        files=(f"{SITE}/keras/__init__.py",),
        size=5,
    ),
    Package("python", "numpy", "2.1.3", place=SITE, licences=(UNNAMED_LICENCE,)),
    Package(
        "python", "six", "1.0", place=f"{SITE}/numpy/_vendor", licences=("MIT",), carried_by=f"python:numpy:{SITE}"
    ),
)
FILES = {
    "/opt/ddl/a.py": File("file", 0o644, 0, 0, 3, "f" * 64),
    f"{SITE}/keras/__init__.py": File("file", 0o644, 0, 0, 5, "e" * 64),
}


def subject_of(packages: tuple[Package, ...] = PACKAGES, image: EngineImage = IMAGE, lock: str = LOCK) -> Subject:
    return Subject(image, with_trees(Contents(FILES, packages, Distribution("debian", "12"), lock), image.asked.trees))


@pytest.fixture
def subject() -> Subject:
    return subject_of()
