"""What the engine's HTTP API refuses."""

from __future__ import annotations


class EngineFailure(Exception):
    """The engine refused, or the connection to it broke; the text is the message."""

    @property
    def full_disk(self) -> bool:
        """Whether the engine's disk is full."""
        return "no space left" in str(self)


class NotThere(EngineFailure):
    """The requested object does not exist."""
