"""The argv that keeps leases: nothing of a person's stands in the program, only in words of their own."""

from __future__ import annotations

from toolkit.leases.model import Lease
from toolkit.leases.program import PROGRAM, acquire_argv, list_argv, release_argv, renew_argv

LEASE = Lease("training-a", "$(reboot)", "'; rm -rf /", ("GPU-1",), "00aa")
HEAD = ["sh", "-c", PROGRAM, "leases"]


def test_taking_hands_over_the_record_as_words() -> None:
    assert acquire_argv("/s/leases", LEASE, engine="podman", grace=120) == [
        *HEAD,
        *("acquire", "/s/leases", "podman", "120", "00aa", "GPU-1"),
        *("run=training-a", "user=$(reboot)", "operator='; rm -rf /", "gpus=GPU-1"),
    ]


def test_renewing_and_releasing_need_the_token_alone() -> None:
    assert renew_argv("/s/leases", LEASE) == [*HEAD, "renew", "/s/leases", "docker", "0", "00aa", ""]
    assert release_argv("/s/leases", LEASE) == [*HEAD, "release", "/s/leases", "docker", "0", "00aa", ""]


def test_listing_asks_the_engine_which_runs_live() -> None:
    assert list_argv("/s/leases", engine="docker", grace=5) == [*HEAD, "list", "/s/leases", "docker", "5", "", ""]
