"""The argv that keeps leases: nothing of a person's stands in the program, only in words of their own."""

from __future__ import annotations

from toolkit.leases.host_script import PROGRAM, acquire_argv, list_argv, release_argv, renew_argv
from toolkit.leases.model import Lease

TOKEN = "00aa00aa00aa00aa"
LEASE = Lease("training-a", "$(reboot) é", "'; rm -rf /", ("GPU-2", "GPU-1"), TOKEN)
HEAD = ["sh", "-c", PROGRAM, "leases"]


def test_taking_and_renewing_hand_over_the_record_as_words_without_anything_that_a_shell_reads() -> None:
    words = (TOKEN, "training-a", "GPU-1,GPU-2", "%24%28reboot%29%20%C3%A9", "%27%3B%20rm%20-rf%20%2F")
    assert acquire_argv(LEASE, engine="podman", grace=120) == [*HEAD, "acquire", "podman", "120", *words]
    assert renew_argv(LEASE, engine="docker", grace=5) == [*HEAD, "renew", "docker", "5", *words]


def test_releasing_needs_the_token_alone_and_listing_nothing() -> None:
    assert release_argv(TOKEN, engine="docker") == [*HEAD, "release", "docker", "0", TOKEN, "-", "*", "-", "-"]
    assert list_argv(engine="docker", grace=5) == [*HEAD, "list", "docker", "5", "", "-", "*", "-", "-"]
