"""The fault tests' parts: the real tests' own bench, and the page that the run writes."""

from __future__ import annotations

from ..real.conftest import bench, image, row

__all__ = ["bench", "image", "row"]
