"""GPU kinds by name: as nvidia-smi, manifests and cluster files spell them. Pure."""

from __future__ import annotations

import re

_MAKERS = {"nvidia", "tesla", "geforce", "quadro"}
_FORM = re.compile(r"sxm\d*|pcie?|nvl\d*|hbm\d\w*|\d+[gt]b|mig|max")
_NO_PART_OF_A_KIND = re.compile(r"[^a-z0-9]+")


def kind_of(name: str) -> str:
    """`p100` for `Tesla P100-PCIE-16GB`, `rtx2080ti` for `NVIDIA GeForce RTX 2080 Ti`."""
    words = [word for word in _NO_PART_OF_A_KIND.split(name.lower()) if word]
    kept: list[str] = []
    for word in words:
        if _FORM.fullmatch(word) and kept:
            break
        if word not in _MAKERS:
            kept.append(word)
    return "".join(kept)


def same_kind(one: str, other: str) -> bool:
    """Whether two names mean the same kind: `RTX-2080-Ti` is `rtx2080ti`."""
    return _NO_PART_OF_A_KIND.sub("", one.lower()) == _NO_PART_OF_A_KIND.sub("", other.lower())
