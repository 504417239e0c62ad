"""From a recipe to a Dockerfile's text: pure."""

from __future__ import annotations

import json
from collections.abc import Mapping

from jinja2 import Environment, StrictUndefined

from toolkit.catalogue.model import LEARNER_UID, Recipe, RegistryBase
from toolkit.catalogue.version import Inputs, base_inputs


def base_reference(recipe: Recipe) -> str:
    """What the Dockerfile stands on: the base that is made here, or the registry's, pinned by digest."""
    return recipe.base.image if isinstance(recipe.base, RegistryBase) else base_inputs(recipe.base).reference


def context_name(index: int) -> str:
    """The name of the recipe's `index`-th tree in the build context."""
    return f"trees/{index}"


def render_dockerfile(recipe: Recipe, inputs: Inputs, template: str, pip_wheel: str = "") -> str:
    """The Dockerfile; a name that the template uses and the recipe lacks is an error, never an empty string."""
    # A Dockerfile is no HTML: autoescape would turn quotes into entities.
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)  # noqa: S701
    environment.filters["quoted"] = _quoted
    return environment.from_string(template).render(
        base=base_reference(recipe),
        pip_wheel=pip_wheel,
        trees=[{"context": context_name(index), "target": tree.target} for index, tree in enumerate(recipe.trees)],
        uid=LEARNER_UID,
        labels=labels(recipe, inputs),
    )


def _quoted(value: str) -> str:
    """A value in a Dockerfile's double quotes, where `$` would name a variable."""
    return json.dumps(value, ensure_ascii=False).replace("$", "\\$")


def labels(recipe: Recipe, inputs: Inputs) -> Mapping[str, str]:
    """What the image says of itself; nothing here depends on when or where it is built."""
    return {
        "org.opencontainers.image.title": recipe.title,
        "org.opencontainers.image.version": inputs.reference,
        "org.opencontainers.image.base.name": base_reference(recipe),
        "toolkit.inputs.sha256": inputs.digest,
        "toolkit.inputs": " ".join(f"{name}={digest[:16]}" for name, digest in inputs.digests),
        "toolkit.facts": recipe.facts,
    }
