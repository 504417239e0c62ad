"""Leases for real: in real engines, by many processes that are really at once, and between accounts of a host."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from toolkit.cluster.model import Cluster
from toolkit.cluster.reader import read_cluster
from toolkit.errors import ToolkitError
from toolkit.hosts.cluster_hosts import Hosts
from toolkit.leases.client import acquire, acquire_all, holders, release, release_all, renew
from toolkit.leases.host_script import TAKEN, acquire_argv, list_argv, release_argv, renew_argv
from toolkit.leases.model import Held, Lease, Taken, new_lease, read_holders

from .lab import RealLab

ROUNDS = 6
AT_ONCE = 8
SHELLS = [name for name in ("dash", "bash") if shutil.which(name)]
RECORD = "2026-01-02T03:04:05Z"


def lease(run: str, *gpus: str) -> Lease:
    return new_lease(run, "ann", "desk", gpus)


def docker(*words: str, check: bool = True) -> str:
    return subprocess.run(["docker", *words], check=check, capture_output=True, text=True).stdout.strip()


def lease_volumes() -> list[str]:
    return docker("volume", "ls", "--filter", "label=toolkit.lease", "--format", "{{.Name}}").split()


@pytest.fixture(name="hosts")
def hosts_of_lab(lab: RealLab) -> Iterator[Hosts]:
    with Hosts(read_cluster(lab.cluster_file)) as hosts:
        yield hosts
    for host in lab.hosts:
        lab.ok(host, "docker volume ls --quiet --filter label=toolkit.lease | xargs --no-run-if-empty docker volume rm")


@pytest.fixture
def none_left() -> Iterator[None]:
    """This machine's engine has no lease but of runs on hosts, which this machine is not."""
    yield
    for name in lease_volumes():
        docker("volume", "rm", name, check=False)


class Taking:
    """One process that takes a lease on this machine, by the program that runs on hosts."""

    def __init__(self, sh: str, one: Lease, grace: int = 120) -> None:
        argv = acquire_argv(one, engine="docker", grace=grace)
        self.lease = one
        self.process = subprocess.Popen(
            [sh, *argv[1:]], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )

    def status(self) -> int:
        _, errors = self.process.communicate(timeout=120)
        assert errors == ""
        return self.process.returncode

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()


def call(sh: str, argv: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sh, *argv[1:]], capture_output=True, text=True, check=False)


def listed(sh: str) -> dict[str, str]:
    done = call(sh, list_argv(engine="docker", grace=120))
    assert done.returncode == 0
    return {holder.lease.token: holder.state for holder in read_holders(done.stdout)}


def let_go(sh: str, one: Lease) -> None:
    assert call(sh, release_argv(one.token, engine="docker")).returncode == 0


def grow_old(one: Lease) -> None:
    """As if the lease had last been renewed at the beginning of time."""
    for name in lease_volumes():
        if name.startswith(f"toolkit-lease.{one.token}."):
            found = json.loads(docker("volume", "inspect", name, check=False) or "[]")
            if not found:
                continue  # the generation before, which its taker removes by the way
            words = found[0]["Labels"]["toolkit.lease"].split()
            words[2] = "1"
            docker("volume", "rm", name, check=False)
            docker("volume", "create", "--label", f"toolkit.lease={' '.join(words)}", name)


@pytest.mark.usefixtures("none_left")
@pytest.mark.parametrize("sh", [SHELLS[0], *(pytest.param(sh, marks=pytest.mark.slow) for sh in SHELLS[1:])])
def test_of_eight_at_once_exactly_one_wins_in_every_round(sh: str) -> None:
    for number in range(ROUNDS):
        takers = [Taking(sh, lease(f"run-{number}-{one}")) for one in range(AT_ONCE)]
        statuses = [taker.status() for taker in takers]
        assert sorted(statuses) == [0, *[TAKEN] * (AT_ONCE - 1)]
        winner = takers[statuses.index(0)].lease
        assert listed(sh) == {winner.token: "held"}
        let_go(sh, winner)


@pytest.mark.usefixtures("none_left")
@pytest.mark.parametrize("sh", SHELLS)
@pytest.mark.slow
def test_of_eight_heirs_of_a_dead_run_exactly_one_wins_in_every_round(sh: str) -> None:
    dead = lease("dead")
    assert Taking(sh, dead).status() == 0
    for number in range(ROUNDS):
        grow_old(dead)
        takers = [Taking(sh, lease(f"heir-{number}-{one}")) for one in range(AT_ONCE)]
        statuses = [taker.status() for taker in takers]
        assert sorted(statuses) == [0, *[TAKEN] * (AT_ONCE - 1)]
        dead = takers[statuses.index(0)].lease
        assert listed(sh) == {dead.token: "held"}


@pytest.mark.usefixtures("none_left")
@pytest.mark.parametrize("sh", SHELLS)
@pytest.mark.slow
def test_runs_that_want_overlapping_gpus_never_share_one(sh: str) -> None:
    chance = random.Random(5)  # noqa: S311
    for number in range(ROUNDS):
        wanted = [lease(f"run-{number}-{one}", *chance.sample("0123", 2)) for one in range(AT_ONCE)]
        takers = [Taking(sh, one) for one in wanted]
        statuses = [taker.status() for taker in takers]
        won = [taker.lease for taker, status in zip(takers, statuses, strict=True) if status == 0]
        gpus = [gpu for one in won for gpu in one.gpus]
        assert won
        assert len(gpus) == len(set(gpus))
        # Whoever was refused was refused for a reason: none of those could still have been served.
        lost = [taker.lease for taker, status in zip(takers, statuses, strict=True) if status != 0]
        assert all(set(one.gpus) & set(gpus) for one in lost)
        for one in won:
            let_go(sh, one)


@pytest.mark.usefixtures("none_left")
@pytest.mark.parametrize("sh", SHELLS)
@pytest.mark.slow
def test_takers_that_are_killed_at_any_moment_never_leave_two_holders_or_a_locked_host(sh: str) -> None:
    chance = random.Random(7)  # noqa: S311
    for number in range(ROUNDS // 2):
        takers = [Taking(sh, lease(f"run-{number}-{one}")) for one in range(AT_ONCE)]
        time.sleep(chance.uniform(0, 0.5))
        for taker in takers[:4]:
            taker.kill()
        assert {taker.status() for taker in takers[4:]} <= {0, TAKEN}
        holding = [token for token, state in listed(sh).items() if state == "held"]
        assert len(holding) == 1
        for taker in takers:
            grow_old(taker.lease)
        heir = lease("heir")
        assert Taking(sh, heir).status() == 0
        assert [token for token, state in listed(sh).items() if state == "held"] == [heir.token]
        let_go(sh, heir)


@pytest.mark.usefixtures("none_left")
@pytest.mark.parametrize("sh", SHELLS)
@pytest.mark.slow
def test_a_lease_that_is_renewed_while_heirs_come_is_either_kept_or_lost(sh: str) -> None:
    for number in range(2 * ROUNDS):
        old = lease(f"old-{number}")
        assert Taking(sh, old).status() == 0
        grow_old(old)
        heirs = [Taking(sh, lease(f"heir-{number}-{one}")) for one in range(3)]
        time.sleep(number * 0.03)
        renewed = call(sh, renew_argv(old, engine="docker", grace=120)).returncode == 0
        won = [heir.lease for heir in heirs if heir.status() == 0]
        assert len(won) == (0 if renewed else 1)
        (holder,) = [old] if renewed else won
        assert listed(sh) == {holder.token: "held"}
        let_go(sh, holder)


@pytest.mark.usefixtures("none_left")
@pytest.mark.parametrize("sh", SHELLS)
def test_a_lease_that_no_one_renews_goes_by_itself(sh: str) -> None:
    alone = lease("alone", "0")
    assert Taking(sh, alone, grace=3).status() == 0
    deadline = time.monotonic() + 120
    while listed(sh):
        assert time.monotonic() < deadline
        time.sleep(0.5)


def test_two_launches_at_once_never_share_a_host_and_one_gets_all(lab: RealLab, hosts: Hosts) -> None:
    for number in range(5):

        def launch(name: str, number: int = number) -> tuple[Held, ...] | Taken:
            with Hosts(read_cluster(lab.cluster_file)) as own:
                return acquire_all([(shell, lease(f"{name}-{number}")) for shell in own.shells])

        with ThreadPoolExecutor(3) as pool:
            answers = list(pool.map(launch, ["one", "two", "three"]))
        (won,) = [answer for answer in answers if isinstance(answer, tuple)]
        assert [held.host for held in won] == lab.hosts
        for shell in hosts.shells:
            (holder,) = holders(shell)
            assert holder.lease in {held.lease for held in won}
        release_all([(hosts.shell(held.host), held.lease) for held in won])
        assert [holders(shell) for shell in hosts.shells] == [(), ()]


def test_a_lease_stands_as_long_as_its_runs_container_does(lab: RealLab, hosts: Hosts, buckets_image: str) -> None:
    shell, (host, *_) = hosts.shells[0], lab.hosts
    lab.give(host, buckets_image)
    alive, heir = lease("training-alive"), lease("training-heir")
    held = acquire(shell, alive)
    assert isinstance(held, Held)
    label = shlex.quote(f"toolkit.lease={held.label}")
    name = lab.ok(host, f"docker run --detach --init --label {label} {buckets_image} sleep 600")
    renew(shell, alive)
    release(shell, alive)
    lab.ok(host, "docker volume prune --force")  # of whoever tidies up: a container holds what it runs with
    answer = acquire(shell, heir)
    assert isinstance(answer, Taken)
    assert [(one.lease, one.state, one.by_container) for one in answer.holders] == [(alive, "held", True)]
    lab.ok(host, f"docker rm --force {name}")
    assert isinstance(acquire(shell, heir), Held)
    with pytest.raises(ToolkitError, match="no longer has its lease"):
        renew(shell, alive)
    renew(shell, heir)
    release(shell, heir)


# Accounts of one host: root and `operator`, who may use its engine, and mallory, who may not.


def as_operator(lab: RealLab) -> Cluster:
    cluster = read_cluster(lab.cluster_file)
    return replace(cluster, access=replace(cluster.access, user="operator"))


def test_two_accounts_of_a_host_see_each_others_leases_and_exclude_each_other(lab: RealLab, hosts: Hosts) -> None:
    with Hosts(as_operator(lab)) as others:
        roots, operators = hosts.shells[0], others.shells[0]
        assert operators.run(["id", "-u"]).output.strip() == "1001"
        mine = lease("training-mine", "GPU-1")
        assert isinstance(acquire(roots, mine), Held)
        (seen,) = holders(operators)
        assert (seen.lease, seen.account) == (mine, "root")
        taken = acquire(operators, lease("training-hers"))
        assert isinstance(taken, Taken)
        assert [(one.lease, one.account) for one in taken.holders] == [(mine, "root")]
        hers = lease("training-hers", "GPU-2")
        assert isinstance(acquire(operators, hers), Held)
        assert {(one.lease.run, one.account) for one in holders(roots)} == {
            ("training-mine", "root"),
            ("training-hers", "operator"),
        }
        refused = acquire(roots, lease("training-more", "GPU-2"))
        assert isinstance(refused, Taken)
        assert [one.account for one in refused.holders] == ["operator"]
        release(roots, mine)
        release(operators, hers)


def test_of_launches_of_two_accounts_at_once_one_gets_the_host(lab: RealLab, hosts: Hosts) -> None:
    with Hosts(as_operator(lab)) as others:
        pair = (hosts.shells[0], others.shells[0])
        for number in range(5):
            wanted = [(shell, lease(f"{number}-{at}")) for at, shell in enumerate(pair)]
            with ThreadPoolExecutor(2) as pool:
                answers = list(pool.map(lambda one: acquire(*one), wanted))
            (won,) = [answer for answer in answers if isinstance(answer, Held)]
            assert [one.lease for one in holders(pair[number % 2])] == [won.lease]
            release(pair[0], won.lease)


def test_an_account_without_the_engine_can_neither_block_nor_forge_a_lease(lab: RealLab, hosts: Hosts) -> None:
    """She makes every folder that leases ever lay in, fills it with links, FIFOs and records, and closes it."""
    host, shell = lab.hosts[0], hosts.shells[0]
    lab.ok(host, "id mallory > /dev/null 2>&1 || useradd --create-home --uid 1666 mallory")
    record = f"0123456789abcdef 000001 9999999999 {RECORD} training-hers * mallory m m"
    attack = f"""
        set -e
        for folder in /var/tmp/toolkit /var/tmp/toolkit/leases /tmp/toolkit-leases /dev/shm/toolkit-lease; do
          mkdir -p $folder; cd $folder
          echo {shlex.quote(record)} > lease.0123456789abcdef; chmod 700 lease.0123456789abcdef
          mkfifo fifo; ln -s /etc/shadow lease.link; truncate -s 1T huge; touch $(seq 500)
        done
        chmod 0 /var/tmp/toolkit
        ! docker volume create --label {shlex.quote(f"toolkit.lease={record}")} toolkit-lease.0123456789abcdef.000001
        ! docker ps
    """
    lab.ok(host, f"setpriv --reuid 1666 --regid 1666 --clear-groups sh -c {shlex.quote(attack)}")
    before = lab.ok(host, "ls -lRn --time-style=full-iso /var/tmp /tmp /dev/shm")
    assert holders(shell) == ()
    mine = lease("training-mine")
    assert isinstance(acquire(shell, mine), Held)
    renew(shell, mine)
    release(shell, mine)
    assert lab.ok(host, "ls -lRn --time-style=full-iso /var/tmp /tmp /dev/shm") == before
    lab.ok(host, "rm -rf /var/tmp/toolkit /tmp/toolkit-leases /dev/shm/toolkit-lease")
    with Hosts(as_mallory(lab)) as hers, pytest.raises(ToolkitError) as caught:
        acquire(hers.shells[0], lease("training-hers"))
    assert caught.value.what == f"leases cannot be stored in the engine of host {host}"
    assert "permission denied" in caught.value.evidence
    assert "may the account use it" in caught.value.hint


def as_mallory(lab: RealLab) -> Cluster:
    copy = "install -d -m 0700 -o mallory -g mallory /home/mallory/.ssh && "
    copy += "install -m 0600 -o mallory -g mallory /root/.ssh/authorized_keys /home/mallory/.ssh/authorized_keys"
    lab.ok(lab.hosts[0], copy)
    cluster = read_cluster(lab.cluster_file)
    return replace(cluster, access=replace(cluster.access, user="mallory"), hosts=cluster.hosts[:1])


def test_what_an_account_with_the_engine_plants_among_the_leases_is_passed_over(lab: RealLab, hosts: Hosts) -> None:
    host, shell = lab.hosts[0], hosts.shells[0]
    junk = (
        "",
        "$(touch /tmp/planted)",
        f"0123456789abcdef held 1 {RECORD} training-x * m m m",
        f"0123456789abcdef 000001 x {RECORD} training-x * m m m",
        f"a\n0123456789abcdef 000001 1 {RECORD} training-x * m m m",
        f"0123456789abcdef 000001 1 {RECORD} training-x * m m m",  # in a volume of another name
        "x" * 60_000,
    )
    for at, record in enumerate(junk):
        lab.ok(
            host,
            f"docker volume create --label {shlex.quote(f'toolkit.lease={record}')} somebodys-{at}",
            user="operator",
        )
    mine = lease("training-mine")
    assert isinstance(acquire(shell, mine), Held)
    assert [one.lease for one in holders(shell)] == [mine]
    release(shell, mine)
    lab.ok(host, "test ! -e /tmp/planted")  # not an empty /tmp: a busy containerd leaves its stacks there
    names = [f"somebodys-{at}" for at in range(len(junk))]
    assert lab.ok(host, "docker volume ls --quiet --filter name=somebodys").split() == names
    lab.ok(host, f"docker volume rm {' '.join(names)}")
