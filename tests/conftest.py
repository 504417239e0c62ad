"""A property-based test is judged by what it finds, and never by how long a case took on a busy machine."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("toolkit", deadline=None)
settings.load_profile("toolkit")
