"""An OCI image layout's documents, written so that equal images give equal bytes. Pure.

The layout (github.com/opencontainers/image-spec, image-layout.md) also gets docker's own `manifest.json`, which Engine
20.10 reads; newer engines and skopeo read either. The configuration is copied byte for byte, so the image ID is
unchanged.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

LAYOUT_FILE = "oci-layout"
INDEX_FILE = "index.json"
DOCKER_FILE = "manifest.json"
BLOBS = "blobs/sha256/"
LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
REF_NAME = "org.opencontainers.image.ref.name"
CONTAINERD_NAME = "io.containerd.image.name"
"""An engine with the containerd image store reads the image's name from here."""
_HUB, _HUB_LIBRARY = "docker.io/", "docker.io/library/"


@dataclass(frozen=True, order=True)
class Blob:
    """A file named by its content: its digest, `sha256:` and 64 hexadecimal digits, and its size in bytes."""

    digest: str
    size: int

    @property
    def name(self) -> str:
        """Its path in the layout."""
        return blob_name(self.digest)


@dataclass(frozen=True)
class OciImage:
    """One image of a layout: its name and its parts; layers from the lowest up."""

    reference: str
    config: Blob
    layers: tuple[Blob, ...]

    @property
    def image_id(self) -> str:
        """The engine's ID for it: the digest of its configuration."""
        return self.config.digest

    @property
    def manifest(self) -> bytes:
        """The OCI manifest's bytes."""
        return _json(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST_TYPE,
                "config": _descriptor(CONFIG_TYPE, self.config),
                "layers": [_descriptor(LAYER_TYPE, layer) for layer in self.layers],
            }
        )

    @property
    def manifest_blob(self) -> Blob:
        """The manifest as a blob."""
        return blob_of(self.manifest)


def blob_name(digest: str) -> str:
    """The blob's path in the layout."""
    return BLOBS + digest.removeprefix("sha256:")


def blob_of(content: bytes) -> Blob:
    """The blob with `content`."""
    return Blob(f"sha256:{hashlib.sha256(content).hexdigest()}", len(content))


def index(manifests: Iterable[tuple[str, Blob]]) -> bytes:
    """`index.json`: every image's manifest by the image's name, sorted."""
    entries = [
        {
            **_descriptor(MANIFEST_TYPE, manifest),
            "annotations": {CONTAINERD_NAME: full_name(reference), REF_NAME: reference},
        }
        for reference, manifest in sorted(manifests, key=lambda entry: entry[0])
    ]
    return _json({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": entries})


def docker_manifest(images: Iterable[tuple[str, str, Sequence[str]]]) -> bytes:
    """docker's `manifest.json` for images given as name, configuration's digest and layers' digests."""
    return _json(
        [
            {"Config": blob_name(config), "RepoTags": [name], "Layers": [blob_name(layer) for layer in layers]}
            for name, config, layers in sorted(images)
        ]
    )


def full_name(reference: str) -> str:
    """A reference with its registry, in containerd's form: `x:1` is `docker.io/library/x:1`."""
    host, slash, _ = reference.partition("/")
    if slash and is_host(host):
        return reference
    return f"{_HUB if slash else _HUB_LIBRARY}{reference}"


def short_name(reference: str) -> str:
    """The reverse of `full_name`."""
    return reference.removeprefix(_HUB_LIBRARY).removeprefix(_HUB)


def is_host(part: str) -> bool:
    """Whether the first part of a reference is a registry's host, by docker's rule."""
    return "." in part or ":" in part or part == "localhost"


def with_tag(reference: str) -> str:
    """The reference with its tag; `latest` if it has none."""
    return reference if ":" in reference.rpartition("/")[2] else f"{reference}:latest"


def _descriptor(media_type: str, blob: Blob) -> dict[str, object]:
    return {"mediaType": media_type, "digest": blob.digest, "size": blob.size}


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
