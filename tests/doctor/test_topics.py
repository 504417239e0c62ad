"""A topic of the doctor is one module and one line of the registry: here a tiny one, registered by that alone."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Sequence

import pytest

from toolkit.cluster.reader import read_cluster
from toolkit.doctor.examine import examine, question, short
from toolkit.doctor.facts import FIELDS, HostFacts
from toolkit.doctor.finding import Finding, Verdict, ok, warn
from toolkit.doctor.printed import Printed, kib
from toolkit.doctor.probes import Trial
from toolkit.doctor.requirements import Asked
from toolkit.doctor.topic import Topic
from toolkit.doctor.topics import registry
from toolkit.hosts.cluster_hosts import Answer, Hosts
from toolkit.paths import assets

from .recordings import asked, facts_of


def swap(facts: HostFacts, _asked: Asked) -> Finding:
    total = facts.more["swap"]
    return warn(facts.name, "swap", f"{total} bytes", "swapoff -a") if total else ok(facts.name, "swap", "none")


def alike(every: Sequence[HostFacts], _asked: Asked) -> list[Finding]:
    kinds = {facts.more["swap"] for facts in every}
    return [ok(facts.name, "swap alike", f"{len(kinds)} of {len(every)}") for facts in every]


def tried(trial: Trial) -> list[Finding]:
    return [ok(name, "swap tried", trial.hosts.shell(name).run(["echo", "it"]).output) for name in trial.reached]


SWAP = Topic(
    script='at swap; grep "^$swap_field:" /proc/meminfo; echo "that was $swap_field"\n',
    variables={"swap_field": "SwapTotal"},
    read=lambda printed: {"swap": kib(printed.section("swap")), "memory": 1 << 20},
    before_launch={"swap": swap},
    compared_before_launch={"swap alike": alike},
    tried={"swap tried": tried},
)
LOCAL = assets() / "clusters" / "local.yml"


@pytest.fixture
def plugged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "TOPICS", (*registry.TOPICS, SWAP))


def with_swap(name: str, kib_of_swap: int) -> HostFacts:
    """The recorded P100 host, which printed that besides."""
    facts = facts_of("p100", name, **{"@toolkit end": f"@toolkit swap\nSwapTotal: {kib_of_swap} kB\n@toolkit end"})
    assert facts.whole
    return facts


def test_a_host_runs_a_registered_topic_s_script_with_its_variables(plugged: None) -> None:
    done = subprocess.run(question("docker", ""), capture_output=True, text=True, check=True)
    found, said = Printed(done.stdout).lines("swap")
    assert found.startswith("SwapTotal:")
    assert said == "that was SwapTotal"


def test_its_facts_are_fields_where_there_are_such_and_its_own_otherwise(plugged: None) -> None:
    facts = with_swap("p100-1", 2048)
    assert facts.more == {"swap": 2 << 20}
    assert facts.memory == 1 << 20
    assert facts.engine == facts_of("p100").engine


def test_its_checks_are_made_before_a_launch(plugged: None) -> None:
    hosts = [with_swap("p100-1", 2048), with_swap("p100-2", 0)]
    found = short([Answer(one.name, one) for one in hosts], asked("p100-1", "p100-2"))
    assert [one for one in found if one.check.startswith("swap")] == [
        warn("p100-1", "swap", "2097152 bytes", "swapoff -a"),
        ok("p100-1", "swap alike", "2 of 2"),
        ok("p100-2", "swap", "none"),
        ok("p100-2", "swap alike", "2 of 2"),
    ]


def test_its_checks_are_in_the_report_of_this_machine(plugged: None) -> None:
    cluster = read_cluster(LOCAL)
    with Hosts(cluster) as hosts:
        found = {one.check: one for one in examine(hosts, Asked(cluster)).findings}
    assert (found["swap"].verdict in (Verdict.OK, Verdict.WARN), found["swap tried"].found) == (True, "it\n")
    assert found["swap alike"].found == "1 of 1"


def test_of_a_host_that_does_not_answer_they_are_skipped(plugged: None) -> None:
    found = short([Answer("p100-1", error=OSError("no route"))], asked())
    assert [one.verdict for one in found if one.check.startswith("swap")] == [Verdict.SKIPPED] * 2


def test_the_report_of_this_machine_lists_its_checks_in_their_order() -> None:
    cluster = read_cluster(LOCAL)
    with Hosts(cluster) as hosts:
        found = examine(hosts, Asked(cluster)).findings
    before_launch = "account engine gpu driver network fuse disk-of-images disk-of-scratch clock"
    rest = "gpu-errors gpu-memory link other-networks accounts rdma memlock shared-memory sshd"
    later = "own-address alike reach gpu-container bucket"
    expected = f"ssh {before_launch} {rest} {later}".split()
    assert [one.check.replace(" ", "-") for one in found] == expected


def test_before_a_launch_the_same_checks_are_made_in_the_same_order() -> None:
    found = short([Answer("p100-1", facts_of("p100"))], asked())
    assert [one.check for one in found] == [
        *("ssh", "account", "engine", "gpu", "driver", "network", "fuse", "disk of images", "disk of scratch", "clock"),
        "own address",
    ]


def test_no_two_topics_give_the_same_fact_and_every_fact_is_given() -> None:
    printed = Printed("")
    given = Counter(fact for topic in registry.TOPICS for fact in topic.read(printed))
    assert set(given) == set(FIELDS)
    assert {fact: count for fact, count in given.items() if count > 1} == {}


def test_no_two_topics_begin_the_same_section() -> None:
    sections = [
        line.split()[1].rstrip(";")
        for topic in registry.TOPICS
        for line in topic.script.splitlines()
        if line.startswith("at ")
    ]
    assert len(sections) == len(set(sections)) > 20
