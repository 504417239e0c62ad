"""Which layers of an image a host lacks. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from itertools import takewhile

_HEX = re.compile(r"[0-9a-f]{64}")
_GO_ESCAPES = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026"}
V1_DOCUMENT = "/json"
V1_LAYER = "/layer.tar"


def prefix_there(diff_ids: Sequence[str], there: Iterable[Sequence[str]]) -> int:
    """How many of the image's layers, from the lowest up, some image of the host has in the same order.

    An engine identifies a layer by its whole chain: on top of other layers it is a different one.
    """
    return max((_shared(diff_ids, layers) for layers in there), default=0)


def chain_ids(diff_ids: Sequence[str]) -> list[str]:
    """The chain ID of each layer (OCI image-spec, config.md, "Layer ChainID")."""
    chain: list[str] = []
    for diff_id in diff_ids:
        chain.append(_digest(f"{chain[-1]} {diff_id}".encode()) if chain else diff_id)
    return chain


class LayerNames:
    """Maps members of `docker save`'s stream to layers before their content has passed.

    Newer engines and podman name a layer by its diff ID. Engines up to 24 name it by the ID that it had before Docker
    1.10 (moby, image/v1/imagev1.go, `CreateID`): the SHA-256 of the `json` beside it, its parent's ID and its chain ID.
    So that `json`, which comes first, proves which layer follows. With other engines layers remain unknown, and are
    sent although they might exist.
    """

    def __init__(self, diff_ids: Sequence[str]) -> None:
        self._diff_ids = tuple(diff_ids)
        self._plain = {diff_id.removeprefix("sha256:"): diff_id for diff_id in diff_ids}
        self._legacy: dict[str, str] = {}

    def learn(self, name: str, document: bytes) -> None:
        """Process the `json` of a layer in the old format; `name` is the member's."""
        folder = name.removesuffix(V1_DOCUMENT)
        if folder in self._legacy:
            return
        try:
            fields = json.loads(document)
            parent = fields.pop("parent", "")
            for added in ("id", "os"):  # added after the ID was computed
                fields.pop(added, None)
        except (ValueError, AttributeError):
            return
        ids = _legacy_ids(fields, chain_ids(self._diff_ids)[:-1])
        # All layers but the top have the same `json` except for the IDs; the top's is the image's configuration.
        if folder in ids:
            self._legacy.update(zip(ids, self._diff_ids, strict=False))
        elif not ids or self._legacy.get(parent) == self._diff_ids[-2]:
            self._legacy[folder] = self._diff_ids[-1]

    def diff_id(self, name: str) -> str:
        """The layer in the member `name`; empty if unknown."""
        found = next((self._plain[text] for text in _HEX.findall(name) if text in self._plain), "")
        return found or self._legacy.get(name.removesuffix(V1_LAYER), "")


def _legacy_ids(fields: dict[str, object], chain: Sequence[str]) -> list[str]:
    ids: list[str] = []
    for chain_id in chain:
        parent = {"parent": f"sha256:{ids[-1]}"} if ids else {}
        whole = {**fields, "layer_id": chain_id, **parent}
        text = json.dumps(dict(sorted(whole.items())), separators=(",", ":"), ensure_ascii=False)
        ids.append(_digest(text.translate(_GO_ESCAPES).encode()).removeprefix("sha256:"))
    return ids


def _shared(one: Sequence[str], other: Sequence[str]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
