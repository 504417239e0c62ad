"""The names of a run's containers on a host, besides its learners'. Pure."""

from __future__ import annotations


def own_container(run: str) -> str:
    """The agent's own container, which holds the engine's socket and no keys."""
    return f"toolkit-{run}-agent"


def buckets_container(run: str) -> str:
    """The container that mounts the buckets: it holds their keys, and no socket."""
    return f"toolkit-{run}-buckets"


def results_container(run: str) -> str:
    """The container that serves a results folder of the host: it holds nothing but the folder."""
    return f"toolkit-{run}-results"
