"""An image's configuration, written so that equal images have equal bytes: its SHA-256 is the image ID. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from toolkit.image.labels import STAGE
from toolkit.image.layer import Layer

CREATED = "2020-01-01T00:00:00Z"
"""The creation time of all images; the actual time is in the provenance, outside the image."""
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_KEPT = ("Cmd", "Entrypoint", "Env", "ExposedPorts", "Labels", "StopSignal", "User", "Volumes", "WorkingDir")
"""The fields of OCI's image specification; builders add others, and write empty values differently."""


@dataclass(frozen=True)
class ImageConfig:
    """An image's settings for its containers, its layers' diff IDs from the lowest up, and what created each of
    them."""

    settings: Mapping[str, Any]
    diff_ids: tuple[str, ...]
    origins: tuple[str, ...]

    def on_top(self, settings: Mapping[str, Any], layer: Layer) -> ImageConfig:
        """The configuration of an image with `layer` on top of this one."""
        return ImageConfig(settings, (*self.diff_ids, layer.diff_id), (*self.origins, layer.origin))

    @property
    def text(self) -> bytes:
        """The configuration as OCI's JSON, in normalized form."""
        whole = {
            "architecture": "amd64",
            "config": self.settings,
            "created": CREATED,
            "history": [{"created": CREATED, "created_by": origin} for origin in self.origins],
            "os": "linux",
            "rootfs": {"diff_ids": list(self.diff_ids), "type": "layers"},
        }
        return json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    @property
    def image_id(self) -> str:
        """The engine's ID for it."""
        return f"sha256:{hashlib.sha256(self.text).hexdigest()}"


def settled_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """A builder's configuration without its empty values."""
    kept = {name: config[name] for name in _KEPT if config.get(name)}
    if kept.get("WorkingDir") == "/":
        del kept["WorkingDir"]
    said = {name: value for name, value in kept.pop("Labels", {}).items() if name != STAGE}
    return {**kept, "Labels": said} if said else kept


def with_variables(settings: Mapping[str, Any], variables: Sequence[str]) -> dict[str, Any]:
    """`settings` with `variables` (`NAME=value`) set: one of the same name is replaced in place."""
    environment = dict(variable.partition("=")[::2] for variable in (*settings.get("Env", ()), *variables))
    return settled_settings({**settings, "Env": [f"{name}={value}" for name, value in environment.items()]})


def base_config(layer: Layer) -> ImageConfig:
    """A base's: a shell and a path. Some builders would add the path themselves: so it is always set."""
    return ImageConfig({"Cmd": ["/bin/sh"], "Env": [PATH]}, (layer.diff_id,), (layer.origin,))
