"""The soak's parts: the images, as the real tests build them."""

from __future__ import annotations

from ..real.conftest import bench

__all__ = ["bench"]
