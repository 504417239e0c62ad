"""The doctor for real: this machine, a lab whose hosts are broken on purpose, and 32 hosts behind real sshds."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from toolkit.cluster.model import Cluster
from toolkit.cluster.reader import read_cluster
from toolkit.containers.engine import LOCAL
from toolkit.doctor.examine import Examination, gather, short
from toolkit.doctor.examine import examine as examine_hosts
from toolkit.doctor.finding import Finding, Verdict, refuse
from toolkit.doctor.probes import Buckets
from toolkit.doctor.requirements import Asked
from toolkit.doctor.topics.reach import Target, probe
from toolkit.doctor.topics.storage import try_buckets
from toolkit.errors import ToolkitError
from toolkit.hosts.cluster_hosts import Hosts
from toolkit.hosts.local import LocalShell
from toolkit.manifest.reader import read_manifest
from toolkit.paths import assets
from toolkit.secrets import Secret
from toolkit.storage.open_storage import open_access
from toolkit.storage.s3 import Access, Store
from toolkit.storage.store_server import LOOPBACK

from .bench import MANIFEST
from .lab import RealLab
from .test_hosts_real import Bench as Sshds
from .test_hosts_real import make_key


def doctor(lab: RealLab, *words: object, status: int = 0) -> dict[str, Any]:
    """`toolkit doctor --json`."""
    done = lab.bench.run("doctor", "--cluster", lab.cluster_file, "--json", *words)
    assert done.returncode == status, f"{done.stdout}\n{done.stderr}"
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def failures(said: dict[str, Any]) -> dict[tuple[str, str], dict[str, str]]:
    return {(one["host"], one["check"]): one for one in said["findings"] if one["verdict"] == "fail"}


def in_host(host: str, script: str) -> None:
    """As root in a lab's host, past its sshd."""
    subprocess.run(
        ["docker", "exec", f"toolkit-lab-{host}", "sh", "-c", script], check=True, capture_output=True, timeout=60
    )


def until_engine_answers(host: str) -> None:
    deadline = time.monotonic() + 30
    while subprocess.run(
        ["docker", "exec", f"toolkit-lab-{host}", "docker", "version"], capture_output=True, check=False
    ).returncode:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def examine(cluster: Cluster) -> Examination:
    with Hosts(cluster) as hosts:
        return examine_hosts(hosts, Asked(cluster))


def test_this_machine() -> None:
    local = read_cluster(assets() / "clusters" / "local.yml")
    with Hosts(local) as hosts:
        (answer,) = gather(hosts, Asked(local))
    facts = answer.get()
    assert (facts.whole, facts.uid, facts.cpus) == (True, os.getuid(), os.cpu_count())
    assert facts.hostname == os.uname().nodename
    assert facts.engine.version == LOCAL.run(["docker", "version", "--format", "{{.Server.Version}}"]).output.strip()
    assert facts.clock_offset is not None and abs(facts.clock_offset) < 0.5
    room = os.statvfs(facts.engine.root)
    assert facts.images and abs((facts.images.free or 0) - room.f_bavail * room.f_frsize) < 1e9
    assert {Path("/sys/class/net") / one.name for one in facts.interfaces} <= set(Path("/sys/class/net").iterdir())
    found = {one.check: one.verdict for one in examine(local).findings}
    assert found["engine"] is found["fuse"] is found["clock"] is Verdict.OK


def test_a_good_lab_has_no_failure_and_is_looked_at_in_seconds(lab: RealLab) -> None:
    said = doctor(lab)
    assert failures(said) == {}
    assert {one["host"] for one in said["findings"]} == set(lab.hosts)
    reach = [one["found"] for one in said["findings"] if one["check"] == "reach"]
    assert reach == ["it reaches 1 of 1 others"] * 2
    assert said["seconds"] < 5


def test_the_address_that_a_launch_takes_is_the_lab_s(lab: RealLab) -> None:
    cluster = read_cluster(lab.cluster_file)
    with Hosts(cluster) as hosts:
        answers = gather(hosts, Asked(cluster))
    assert [answer.get().address_in(cluster.network) for answer in answers] == [lab.address(one) for one in lab.hosts]
    assert 22 in answers[0].get().ports_in_use
    refuse(short(answers, Asked(cluster)), cluster.name)


def test_an_engine_that_is_stopped(lab: RealLab) -> None:
    second = lab.hosts[1]
    in_host(second, "service docker stop")
    try:
        wrong = failures(doctor(lab, status=3))
    finally:
        in_host(second, "service docker start")
        until_engine_answers(second)
    assert set(wrong) == {(second, "engine")}
    assert "Cannot connect to the Docker daemon" in wrong[second, "engine"]["found"]
    assert "start" in wrong[second, "engine"]["hint"]


def test_a_full_scratch_disk_and_a_missing_fuse_are_refused_before_a_launch(lab: RealLab) -> None:
    first = lab.hosts[0]
    in_host(first, "mkdir -p /var/tmp/toolkit && mount -t tmpfs -o size=1m tmpfs /var/tmp/toolkit; rm /dev/fuse")
    cluster = read_cluster(lab.cluster_file)
    try:
        wrong = failures(doctor(lab, status=3))
        with Hosts(cluster) as hosts, pytest.raises(ToolkitError) as caught:
            refuse(short(gather(hosts, Asked(cluster)), Asked(cluster)), cluster.name)
    finally:
        in_host(first, "umount /var/tmp/toolkit && rmdir /var/tmp/toolkit; mknod -m 666 /dev/fuse c 10 229")
    assert set(wrong) == {(first, "fuse"), (first, "disk of scratch")}
    assert wrong[first, "disk of scratch"]["found"] == "1.0 MB free in /var/tmp/toolkit; 5 GB are required"
    assert wrong[first, "fuse"]["hint"].startswith("on the host, as root: modprobe fuse")
    assert caught.value.code.label == "S100"
    assert [str(problem).partition(":")[0] for problem in caught.value.problems] == [first, first]
    assert failures(doctor(lab)) == {}


def test_a_host_that_is_down_is_one_failure_and_the_rest_of_it_is_skipped(lab: RealLab) -> None:
    second = lab.hosts[1]
    container = f"toolkit-lab-{second}"
    subprocess.run(["docker", "pause", container], check=True, capture_output=True)
    try:
        said = doctor(lab, status=3)
    finally:
        subprocess.run(["docker", "unpause", container], check=True, capture_output=True)
    wrong = failures(said)
    assert set(wrong) == {(second, "ssh")}
    assert lab.address(second) in wrong[second, "ssh"]["found"]
    rest = {one["verdict"] for one in said["findings"] if one["host"] == second and one["check"] != "ssh"}
    assert rest == {"skipped"}
    assert said["seconds"] < 15


@pytest.mark.parametrize("wrong", ["key", "host key"])
def test_a_wrong_key_and_an_unknown_key_are_reported_by_host(lab: RealLab, tmp_path: Path, wrong: str) -> None:
    make_key(tmp_path / "other")
    (tmp_path / "empty").touch()
    old, new = {
        "key": (lab.facts["identity"], tmp_path / "other"),
        "host key": (lab.facts["known_hosts"], tmp_path / "empty"),
    }[wrong]
    file = tmp_path / "cluster.yml"
    file.write_text(lab.cluster_file.read_text().replace(str(old), str(new)))
    done = lab.bench.run("doctor", "--cluster", file, "--json")
    failed = failures(json.loads(done.stdout))
    assert (done.returncode, set(failed)) == (3, {(host, "ssh") for host in lab.hosts})
    for one in failed.values():
        assert {"key": "authentication failed for root", "host key": "unknown host key"}[wrong] in one["found"]
        assert {"key": "ssh-copy-id", "host key": "toolkit cluster trust"}[wrong] in one["hint"]


def test_a_firewall_before_the_ports_of_runs_is_found_though_sshd_answers(lab: RealLab) -> None:
    first, second = lab.hosts
    rule = "INPUT -p tcp --dport 20000:32000 -j DROP"
    in_host(first, f"iptables -A {rule}")
    try:
        wrong = failures(doctor(lab, status=3))
    finally:
        in_host(first, f"iptables -D {rule}")
    assert set(wrong) == {(second, "reach")}
    assert first in wrong[second, "reach"]["found"]
    assert "no answer, although its sshd answers: a firewall" in wrong[second, "reach"]["found"]


def test_what_was_tried_leaves_no_process_and_no_container_on_a_host(lab: RealLab, buckets_image: str) -> None:
    first, second = lab.hosts
    lab.give(first, buckets_image)
    in_host(second, "iptables -A INPUT -p tcp --dport 20000:32000 -j DROP")
    try:
        said = doctor(lab, MANIFEST, status=3)
    finally:
        in_host(second, "iptables -D INPUT -p tcp --dport 20000:32000 -j DROP")
    assert (first, "reach") in failures(said)
    for host in lab.hosts:
        assert lab.ok(host, "docker ps --all --quiet") == ""
        assert "/dev/tcp" not in lab.ok(host, "ps -eo args | grep -v grep")


@pytest.fixture
def data_and_results(lab: RealLab, tmp_path: Path) -> Iterator[None]:
    """Both buckets of the example's manifest in the lab's embedded store."""
    (tmp_path / "digits").mkdir()
    (tmp_path / "digits" / "one").write_text("1")
    lab.bench.ok("bucket", "put", MANIFEST, tmp_path / "digits")
    yield


def test_buckets_are_tried_from_each_host_that_has_the_image(
    lab: RealLab, buckets_image: str, data_and_results: None
) -> None:
    first, second = lab.hosts
    lab.give(first, buckets_image)
    said = doctor(lab, MANIFEST)
    found = {one["host"]: (one["verdict"], one["found"]) for one in said["findings"] if one["check"] == "bucket"}
    assert found[first] == ("ok", "mnist-training-data and mnist-training-models answer")
    assert found[second] == ("skipped", "the bucket image is not on the host yet; a launch transfers it")
    assert found["this machine"][0] == "ok"


def test_wrong_keys_and_a_store_that_is_not_there(buckets_image: str, tmp_path: Path) -> None:
    manifest = read_manifest(MANIFEST)
    with open_access(manifest, tmp_path, buckets_image, f"doctor-{secrets.token_hex(4)}", LOOPBACK) as access:
        good = access["data"]
        Store(good).create_bucket("there")

        def tried(access: Access) -> Finding:
            return try_buckets(LOCAL, "h", Buckets(buckets_image, {"data": "there"}, {"data": access}))

        assert tried(good).verdict is Verdict.OK
        wrong = tried(replace(good, secret_access_key=Secret("not-the-secret")))
        assert (wrong.verdict, "keys" in wrong.hint) == (Verdict.FAIL, True)
        nowhere = tried(replace(good, endpoint_url="http://127.0.0.1:9"))
        assert (nowhere.verdict, "endpoint_url" in nowhere.hint) == (Verdict.FAIL, True)
        assert "connection refused" in nowhere.found


def test_probes_tell_an_open_port_from_one_that_is_refused_on_this_machine() -> None:
    import socket

    with socket.create_server((LOOPBACK, 0)) as server, socket.socket() as free:
        free.bind((LOOPBACK, 0))
        ports = server.getsockname()[1], free.getsockname()[1]
        free.close()
        heard = probe(LocalShell(), [Target("h", LOOPBACK, 22, port) for port in ports])
    assert heard.answers == {(LOOPBACK, ports[0]): "open", (LOOPBACK, ports[1]): "Connection refused"}


@pytest.fixture
def sshds(tmp_path: Path) -> Iterator[Sshds]:
    """Thirty-two hosts that are this machine, each with an sshd and a port of its own."""
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    made = Sshds(tmp_path)
    make_key(made.identity)
    made.known_hosts.touch()
    yield made
    for sshd in made.started:
        for pid in (*sshd.children(), sshd.process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        sshd.process.wait(20)


def test_thirty_two_hosts(sshds: Sshds) -> None:
    # An account without a .bashrc: what a person's own does at each command is no host's time.
    hosts = [sshds.start(f"h{number:02}", "SetEnv HOME=/nonexistent") for number in range(32)]
    cluster = replace(sshds.cluster(*hosts), scratch="/var/tmp/toolkit")
    found = examine(cluster)
    print(f"32 hosts on one machine: {found.seconds:.2f} s")
    wrong = [one for one in found.findings if one.verdict is Verdict.FAIL]
    assert wrong == []
    reached = [one.found for one in found.findings if one.check == "reach"]
    assert reached == ["it reaches 31 of 31 others"] * 32
    assert not [sshd for sshd in hosts if "exceeded" in sshd.log or "drop connection" in sshd.log]
    assert found.seconds < 15  # all 32 are this one machine, which does the work of 32; it takes 3 s where it is idle
