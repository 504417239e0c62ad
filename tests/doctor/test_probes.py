"""What is tried on a host: the argv, that keys are not in it, and what is made of the answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager

import pytest

from toolkit.containers.engine import Engine
from toolkit.doctor.probes import Buckets
from toolkit.doctor.topics.gpu import start_with_gpus, try_gpus
from toolkit.doctor.topics.reach import Probes, Target, probe
from toolkit.doctor.topics.storage import bucket_finding, list_buckets, try_buckets
from toolkit.process import Result
from toolkit.secrets import Secret
from toolkit.storage.s3 import Access

from .recordings import facts_of

ACCESS = Access("http://10.0.0.9:9000", Secret("the-access-key"), Secret("the-secret-key"))
BUCKETS = Buckets("buckets:1", {"data": "digits", "results": "models"}, {"data": ACCESS, "results": ACCESS})
NOT_HERE = "Unable to find image 'buckets:1' locally\ndocker: Error response from daemon: No such image: buckets:1."


class Scripted:
    """A shell that answers what it was given, one answer after the other."""

    name = "h1"

    def __init__(self, *answers: tuple[int, str, str]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[list[str], bytes | None]] = []

    def run(self, argv: Sequence[str], *, data: bytes | None = None, timeout: float | None = None) -> Result:
        assert timeout is not None
        self.asked.append((list(argv), data))
        return Result(tuple(argv), *self.answers.pop(0))

    def stream(self, argv: Sequence[str], on_line: Callable[[str], None]) -> int:
        raise NotImplementedError

    def feed(self, argv: Sequence[str], pieces: Iterable[bytes]) -> Result:
        raise NotImplementedError

    def read(self, argv: Sequence[str]) -> AbstractContextManager[Iterator[bytes]]:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


def test_keys_go_by_standard_input_and_never_by_the_command_line() -> None:
    shell = Scripted((0, "data 3 directory not found\nresults 0 \n", ""))
    finding = try_buckets(Engine(shell), "h1", BUCKETS)
    assert (finding.verdict.value, finding.found) == ("ok", "digits and models answer")
    ((argv, data),) = shell.asked
    assert argv == list_buckets(BUCKETS)
    assert argv[-4:] == ["data", "digits", "results", "models"]
    assert data and b"the-secret-key" in data and b"the-access-key" in data
    assert not [word for word in argv if "the-secret-key" in word or "the-access-key" in word]


def test_a_host_without_the_image_is_skipped_and_nothing_is_pulled() -> None:
    finding = try_buckets(Engine(Scripted((125, "", NOT_HERE))), "h1", BUCKETS)
    assert (finding.verdict.value, finding.found) == (
        "skipped",
        "the bucket image is not on the host yet; a launch transfers it",
    )
    argv = list_buckets(BUCKETS)
    assert argv[argv.index("--pull") + 1] == "never"


@pytest.mark.parametrize(
    ("output", "found", "hint"),
    [
        (
            "data 1 dial tcp: connection refused\nresults 0 \n",
            "digits at http://10.0.0.9:9000: dial tcp",
            "endpoint_url",
        ),
        ("data 1 AccessDenied: 403\nresults 0 \n", "digits at http://10.0.0.9:9000: AccessDenied", "keys"),
        ("data 0 \nresults 124 \n", "models at http://10.0.0.9:9000: status 124", "endpoint_url"),
        ("data 0 \n", "models at http://10.0.0.9:9000: no answer", "endpoint_url"),
        ("", "digits at http://10.0.0.9:9000: no answer; models at", "endpoint_url"),
    ],
)
def test_a_bucket_that_a_host_does_not_reach(output: str, found: str, hint: str) -> None:
    finding = bucket_finding("h1", BUCKETS, output)
    assert (finding.verdict.value, finding.host) == ("fail", "h1")
    assert finding.found.startswith(found)
    assert hint in finding.hint


def test_a_container_is_given_the_gpus_by_their_uuids() -> None:
    argv = start_with_gpus("image:1", ["GPU-1", "GPU-2"])
    assert argv[argv.index("--gpus") + 1] == '"device=GPU-1,GPU-2"'
    assert argv[-3:] == ["nvidia-smi", "image:1", "-L"]
    assert "--rm" in argv


def test_the_first_image_that_is_there_is_started() -> None:
    facts = facts_of("p100")
    listed = "".join(f"GPU {one.index}: (UUID: {one.uuid})\n" for one in facts.gpus)
    shell = Scripted((125, "", NOT_HERE), (0, listed, ""))
    finding = try_gpus(Engine(shell, "podman"), facts, ["first:1", "second:1"])
    assert (finding.verdict.value, finding.found) == ("ok", "a container sees 4 × p100")
    assert [(argv[0], argv[-2]) for argv, _ in shell.asked] == [("podman", "first:1"), ("podman", "second:1")]
    nothing = try_gpus(Engine(Scripted((125, "", NOT_HERE))), facts, ["first:1"])
    assert nothing.verdict.value == "skipped"
    said = 'docker: Error response from daemon: could not select device driver "" with capabilities: [[gpu]].'
    refused = try_gpus(Engine(Scripted((125, "", said))), facts, ["first:1"])
    assert (refused.verdict.value, refused.found) == ("fail", f"a container with GPUs does not start: {said}")


TARGETS = (Target("h2", "10.0.0.2", 22, 20000), Target("h3", "10.0.0.3", 2222, 20001))


def test_probes_go_to_a_run_s_port_of_every_other_host() -> None:
    shell = Scripted((0, "10.0.0.2 20000 Connection refused\n10.0.0.3 20001 open\n", ""))
    assert probe(shell, TARGETS).answers == {
        ("10.0.0.2", 20000): "Connection refused",
        ("10.0.0.3", 20001): "open",
    }
    assert shell.asked[0][0][-6:] == ["quick", "1", "10.0.0.2", "20000", "10.0.0.3", "20001"]
    assert probe(Scripted(), ()) == Probes({})


def test_what_does_not_answer_at_once_is_tried_longer_and_its_sshd_too() -> None:
    shell = Scripted((0, "10.0.0.2 20000 Connection refused\n", ""), (0, "10.0.0.3 2222 open\n", ""))
    assert probe(shell, TARGETS) == Probes(
        {("10.0.0.2", 20000): "Connection refused", ("10.0.0.3", 2222): "open"},
    )
    assert shell.asked[1][0][-6:] == ["each", "3", "10.0.0.3", "20001", "10.0.0.3", "2222"]


def test_why_a_host_could_not_try() -> None:
    assert probe(Scripted((0, "no tool\n", "")), TARGETS).trouble == "neither bash nor nc on the host to check with"
    assert probe(Scripted((127, "", "sh: not found")), TARGETS).trouble.endswith("status 127: sh: not found")
