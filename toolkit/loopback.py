"""Servers on this machine: they are reached without a proxy, whatever the environment says."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

_NAMES = ("localhost", "127.0.0.1", "::1")


def is_loopback(url: str) -> bool:
    """Whether a URL is on this machine's loopback: 127.0.0.0/8, ::1, or a name of RFC 6761."""
    host = (urlsplit(url).hostname or "").rstrip(".").lower()
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def direct_to_loopback(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables to change so that requests, pip and other child processes reach loopback without a proxy.

    Programs in Go (docker, rclone) do so by themselves. Empty if no proxy is set, or if none is used for any host.
    """
    if not any(name.lower().endswith("_proxy") and name.lower() != "no_proxy" for name in environment):
        return {}
    kept = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    if kept.strip() == "*":
        return {}
    value = ",".join([*filter(None, (one.strip() for one in kept.split(","))), *_NAMES])
    return {"no_proxy": value, "NO_PROXY": value}
