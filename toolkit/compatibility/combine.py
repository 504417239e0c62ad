"""Convert a row of the catalogue to a `Combination` that can be checked. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from toolkit.catalogue.model import DistributionBase, FrameworkRow
from toolkit.compatibility.model import Combination
from toolkit.lock.model import WheelPin


def combination_of(
    row: FrameworkRow, wheels: Sequence[WheelPin], architectures: Sequence[str] = (), requirements: Sequence[str] = ()
) -> Combination:
    """What `row` combines.

    Args:
        wheels: the content of its lock and of that of the user's packages; none if nothing is locked yet.
        architectures: GPUs that it is to run on besides the recipe's own, such as `sm_60`; a CPU image has none.
        requirements: the user's requirements on top, such as `nvidia-cudnn-cu12>=9.11`.
    """
    suite = row.recipe.base.suite if isinstance(row.recipe.base, DistributionBase) else None
    gpus = {*row.recipe.architectures, *architectures} if row.flavour == "cuda" else set()
    return Combination(
        framework=row.framework,
        version=row.version,
        python=row.python,
        suite=suite.name if suite else "",
        glibc=suite.glibc if suite else "",
        flavour=row.flavour,
        packages=tuple((wheel.name, wheel.version) for wheel in wheels),
        requirements=() if wheels else (*row.recipe.requirements, *requirements),
        architectures=tuple(sorted(gpus)),
        open_mpi=suite.open_mpi if suite else "",
    )
