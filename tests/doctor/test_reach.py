"""Who reaches whom: many answers, few findings."""

from __future__ import annotations

from toolkit.doctor.topics.reach import Probes, Target, heard, reach

TARGETS = tuple(Target(f"h{number}", f"10.0.0.{number}", 22, 20000) for number in range(1, 5))
HOSTS = tuple(target.host for target in TARGETS)
Answers = dict[tuple[str, int], str]


def answers(of: str, **other: Answers) -> Answers:
    """What a host hears where all is well, or `other` from some."""
    found: Answers = {}
    for target in TARGETS:
        if target.host != of:
            found[target.address, 20000] = "Connection refused"
            if target.host in other:
                found = {key: words for key, words in found.items() if key[0] != target.address}
                found |= other[target.host]
    return found


def reported(heard_by: dict[str, Probes]) -> dict[str, tuple[str, str]]:
    return {one.host: (one.verdict.value, one.found) for one in reach(TARGETS, heard_by)}


def test_all_reach_all() -> None:
    well = {host: Probes(answers(host)) for host in HOSTS}
    assert reported(well) == dict.fromkeys(HOSTS, ("ok", "it reaches 3 of 3 others"))


def test_a_run_s_port_where_something_listens_meanwhile_is_reached_too() -> None:
    listening = {("10.0.0.2", 20000): "open"}
    well = {host: Probes(answers(host, h2=listening)) for host in HOSTS}
    assert reported(well)["h1"] == ("ok", "it reaches 3 of 3 others")


def test_a_host_that_none_reaches_is_one_finding() -> None:
    lost = {host: Probes(answers(host, h3={("10.0.0.3", 20000): "No route to host"})) for host in HOSTS}
    found = reported(lost)
    assert found["h3"] == ("fail", "no other host can reach it: 10.0.0.3 port 20000: No route to host")
    assert found["h1"] == found["h2"] == found["h4"] == ("ok", "it reaches 2 of 3 others")


def test_a_firewall_before_the_ports_of_runs_is_seen() -> None:
    silent = {("10.0.0.3", 22): "open"}
    found = reported({host: Probes(answers(host, h3=silent)) for host in HOSTS})
    assert found["h3"] == (
        "fail",
        "no other host can reach it: 10.0.0.3 port 20000: no answer, although its sshd answers: a firewall",
    )


def test_one_pair_that_does_not_meet_is_reported_of_the_one_who_tried() -> None:
    cut = {host: Probes(answers(host)) for host in HOSTS}
    cut["h1"] = Probes(answers("h1", h2={}))
    found = reported(cut)
    assert found["h1"] == ("fail", "it cannot reach h2 (10.0.0.2 port 20000: no answer)")
    assert [found[host][0] for host in HOSTS[1:]] == ["ok", "ok", "ok"]


def test_of_two_hosts_the_one_who_tried_is_reported() -> None:
    two = TARGETS[:2]
    by = {"h1": Probes({("10.0.0.2", 20000): "No route to host"}), "h2": Probes(answers("h2"))}
    found = {one.host: one.verdict.value for one in reach(two, by)}
    assert found == {"h1": "fail", "h2": "ok"}


def test_a_host_that_could_not_try_is_never_called_good() -> None:
    by = {host: Probes(answers(host)) for host in HOSTS}
    by["h4"] = Probes({}, "neither bash nor nc on the host to check with")
    assert reported(by)["h4"] == ("skipped", "neither bash nor nc on the host to check with")


def test_answers_are_read_line_by_line() -> None:
    output = "10.0.0.2 22 open\n10.0.0.2 20000 Connection refused\nnoise\n10.0.0.3 x y\n"
    bash = "bash: connect: No route to host\nbash: line 5: /dev/tcp/10.0.0.3/22: No route to host\n"
    assert heard(output + bash) == {
        ("10.0.0.2", 22): "open",
        ("10.0.0.2", 20000): "Connection refused",
        ("10.0.0.3", 22): "No route to host",
    }
