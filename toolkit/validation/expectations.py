"""What an entry of the catalogue promises of its image: pure."""

from __future__ import annotations

import re

from packaging.utils import canonicalize_name

from toolkit.catalogue.model import FrameworkRow
from toolkit.compatibility.bounds import requirement_of
from toolkit.errors import Code, ToolkitError
from toolkit.image.bundle_layer import LIBRARIES, STUBS
from toolkit.validation.model import Expectation

_DDL = "/opt/ddl"
_MODULES = {"pytorch": "torch"}
"""Frameworks whose Python module has another name."""


def expectation(row: FrameworkRow) -> Expectation:
    """What the image of `row` must be; raises `ToolkitError` (S103) if a GPU is not like `sm_60`."""
    recipe = row.recipe
    for architecture in recipe.architectures:
        if not re.fullmatch(r"sm_[1-9]\d+", architecture):
            raise ToolkitError(Code.IMAGE, f"{recipe.name}: GPU `{architecture}`: expected one such as `sm_60`")
    native = [recipe.native.target] if recipe.native else []
    framework = row.framework.partition("-")[0]  # tensorflow-ddl is tensorflow with a library on top
    requirements = map(requirement_of, recipe.requirements)
    return Expectation(
        framework=_MODULES.get(framework, framework),
        version=row.version,
        python=recipe.python,
        has_ddl=any(tree.target == _DDL or tree.target.startswith(f"{_DDL}/") for tree in recipe.trees),
        has_mpi4py=any(canonicalize_name(one.name) == "mpi4py" for one in requirements if one),
        has_ops=recipe.native is not None,
        architectures=recipe.architectures,
        library_path=":".join([*native, LIBRARIES, STUBS]) if recipe.bundle else "",
    )
