"""What each learner is given."""

from __future__ import annotations

import json

import pytest

from toolkit.cluster.reader import read_cluster
from toolkit.manifest.reader import read_manifest
from toolkit.places import house
from toolkit.run.files import learner_entries
from toolkit.run.keys import KeyPair, new_key_pair
from toolkit.run.plan import RunImage, make_plan
from toolkit.tar_stream import Entry

CLIENT, HOSTS = new_key_pair(), {1: new_key_pair(), 2: new_key_pair()}


@pytest.fixture(scope="module")
def entries() -> dict[str, Entry]:
    """The example's files, by name."""
    manifest = read_manifest(house() / "examples" / "mnist" / "manifest.yml")
    cluster = read_cluster(house() / "clusters" / "local.yml")
    plan = make_plan(manifest, cluster, RunImage("i", "sha256:i", ()), "buckets", "training-abcd2345")
    return {entry.name: entry for entry in learner_entries(plan, "10.0.0.0/24", CLIENT, HOSTS, house() / "templates")}


def text(entry: Entry) -> str:
    assert isinstance(entry.content, bytes)
    return entry.content.decode()


def test_learner_1_drives_and_the_others_answer(entries: dict[str, Entry]) -> None:
    common = {"entry.sh", "rank.sh"}
    first = {"supervise.py", "run.json", "hostfile", "ssh_config", "id_ed25519", "known_hosts"} | common
    assert {name.split("/")[1] for name in entries if name.startswith("learner-1/")} == first
    assert {name.split("/")[1] for name in entries if name.startswith("learner-2/")} == (
        {"sshd_config", "host_key", "authorized_keys"} | common
    )
    assert "supervise.py" in text(entries["learner-1/entry.sh"])
    assert "exec /usr/sbin/sshd" in text(entries["learner-2/entry.sh"])


def test_every_file_is_the_learners_alone(entries: dict[str, Entry]) -> None:
    assert {(entry.mode, entry.uid) for entry in entries.values()} == {(0o600, 1000)}


def test_host_keys_are_pinned_and_the_private_ones_stay_apart(entries: dict[str, Entry]) -> None:
    assert text(entries["learner-1/known_hosts"]) == f"[learner-2]:2222 {HOSTS[2].public}\n"
    assert text(entries["learner-2/host_key"]) == HOSTS[2].private.reveal()
    assert text(entries["learner-1/id_ed25519"]) == CLIENT.private.reveal()
    config = text(entries["learner-1/ssh_config"])
    assert "StrictHostKeyChecking yes" in config
    assert "UserKnownHostsFile /run/learner/known_hosts" in config


def test_the_one_key_that_may_enter_sets_the_learners_number(entries: dict[str, Entry]) -> None:
    line = f'restrict,environment="LEARNER_ID=2" {CLIENT.public}\n'
    assert text(entries["learner-2/authorized_keys"]) == line
    assert "PermitUserEnvironment LEARNER_ID\n" in text(entries["learner-2/sshd_config"])


def test_the_supervisors_plan_holds_each_steps_command_line(entries: dict[str, Entry]) -> None:
    plan = json.loads(text(entries["learner-1/run.json"]))
    assert [(step["number"], step["parallel"], step["argv"][0]) for step in plan["steps"]] == [
        (1, True, "/usr/bin/mpirun"),
        (2, False, "/bin/sh"),
    ]
    assert [(learner["number"], learner["ranks"]) for learner in plan["learners"]] == [(1, [0]), (2, [1])]


def test_key_pairs_are_new_and_print_no_private_part() -> None:
    one, other = new_key_pair(), new_key_pair()
    assert one.public != other.public
    assert one.public.startswith("ssh-ed25519 ")
    assert "PRIVATE" in one.private.reveal()
    assert "PRIVATE" not in repr(KeyPair(one.private, one.public))
