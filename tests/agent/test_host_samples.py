"""Samples of a host: what the kernel says, as rates and levels, in a file that stays small."""

from __future__ import annotations

import io
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.agent import host_samples as module
from toolkit.agent import traffic as traffic_module
from toolkit.agent.docker_api import DockerApi, Usage
from toolkit.agent.gpu_readings import GpuReadings, argv_every, read_gpu
from toolkit.agent.host_counters import Counters, cpu_ticks, disk_bytes, memory_use, read_counters
from toolkit.agent.host_samples import HostSamples, Reading, Sample, SampleFile, merged, sample_between
from toolkit.agent.requests import print_samples
from toolkit.agent.traffic import network, traffic

from .engine_stand_in import Answer, engine_that_answers
from .jobs import job

STAT = "cpu  100 5 50 800 40 3 2 10 7 0\ncpu0 1 2 3\n"
MEMINFO = "MemTotal:       1000 kB\nMemFree:         100 kB\nMemAvailable:    400 kB\nHugePages_Total:       0\n"
DISKS = (
    "   7       0 loop0 9 0 999 0 9 0 999 0 0 0 0\n"
    " 259       0 nvme0n1 10 0 100 0 20 0 200 0 0 0 0\n"
    " 259       1 nvme0n1p1 10 0 90 0 20 0 190 0 0 0 0\n"
    " 253       0 dm-0 10 0 80 0 20 0 180 0 0 0 0\n"
    "  72       0 cciss/c0d0 1 0 10 0 1 0 20 0 0 0 0\n"
)
NETWORK = (
    "Inter-|   Receive  |  Transmit\n face |bytes ...\n"
    "    lo: 9999 1 0 0 0 0 0 0 9999 1 0 0 0 0 0 0\n"
    "  ens3:100 1 0 0 0 0 0 0 200 1 0 0 0 0 0 0\n"
    "  ib0:  10 1 0 0 0 0 0 0 20 1 0 0 0 0 0 0\n"
    "docker0: 5000 1 0 0 0 0 0 0 5000 1 0 0 0 0 0 0\n"
)
HOST = Counters(busy=100, total=1000, read=1000, written=2000, memory=600, memory_free=400, disk_free=50)


def kernel(folder: Path, *adapters: str) -> tuple[Path, Path]:
    """/proc and /sys of a host with two disks."""
    proc, sys = folder / "proc", folder / "sys"
    (proc / "net").mkdir(parents=True)
    for name, text in (("stat", STAT), ("meminfo", MEMINFO), ("diskstats", DISKS), ("net/dev", NETWORK)):
        (proc / name).write_text(text)
    for disk in ("loop0", "nvme0n1", "dm-0", "cciss!c0d0"):
        (sys / "block" / disk).mkdir(parents=True)
    for adapter in adapters:
        (sys / "class/net" / adapter / "device").mkdir(parents=True)
    return proc, sys


def test_the_kernel_is_read_and_nothing_counts_twice(tmp_path: Path) -> None:
    proc, sys = kernel(tmp_path)
    found = read_counters(str(tmp_path), proc, sys)
    assert (found.busy, found.total) == cpu_ticks(STAT.splitlines()[0]) == (170, 1010)
    assert (found.memory, found.memory_free) == memory_use(MEMINFO) == (600 << 10, 400 << 10)
    assert (found.read, found.written) == disk_bytes(DISKS, sys) == (110 * 512, 220 * 512)
    assert found.disk_free > 0


@pytest.mark.parametrize(
    ("adapters", "moved"),
    [(("ens3", "ib0"), (110, 220)), (("ens3",), (100, 200)), ((), (110, 220))],
)
def test_a_networks_bytes_are_those_of_adapters_and_else_of_what_is_not_virtual(
    tmp_path: Path, adapters: tuple[str, ...], moved: tuple[int, int]
) -> None:
    assert network(*kernel(tmp_path, *adapters)) == moved


def test_traffic_is_none_where_the_kernel_does_not_say_and_without_a_mount_only_its_bytes_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proc, sys = kernel(tmp_path, "ens3")
    said = {"bytes": 77}
    monkeypatch.setattr(traffic_module.rc, "ask", lambda *_, **__: said)
    assert traffic(proc, sys) == {"received": 100, "sent": 200, "mounts": 77}
    said.clear()
    assert traffic(proc, sys) == {"received": 100, "sent": 200, "mounts": 0}
    assert traffic(tmp_path / "none", sys) is None


def reading(clock: float, read: int = 1000, mounts: int = 0, cpu: float = 0.0) -> Reading:
    host = Counters(100 + int(clock) * 50, 1000 + int(clock) * 200, read, 2000, 600, 400, 50)
    moved = {"received": 10 * int(clock), "sent": 0, "mounts": mounts}
    return Reading(clock, host, moved, {1: Usage(3, 10, cpu, 1 << 20, clock)})  # type: ignore[arg-type]


def test_a_sample_has_rates_between_two_readings_and_what_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.os, "cpu_count", lambda: 4)
    found = sample_between(reading(0), reading(5, read=6000, mounts=500, cpu=10.0), {"gpu0.power": 301.5})
    assert found == {
        **{"cpu": 25.0, "cpu.learners": 50.0, "memory": 600, "memory.free": 400, "memory.learners": 1 << 20},
        **{"disk.free": 50, "disk.read": 1000, "disk.written": 0, "mounts": 100, "gpu0.power": 301.5},
        **{"network.received": 10, "network.sent": 0},
    }


def test_a_counter_that_went_back_and_a_container_that_does_not_answer_give_no_rate() -> None:
    before, now = reading(0, read=9000, cpu=8.0), reading(5, cpu=1.0)
    alone = Reading(5.0, now.host, None, {})
    assert "disk.read" not in sample_between(before, now, {})
    assert "cpu.learners" not in sample_between(before, now, {})
    assert {"network.received", "mounts", "memory.learners"}.isdisjoint(sample_between(before, alone, {}))


def test_samples_become_one_by_their_mean_but_what_a_run_ends_from_by_its_extreme() -> None:
    one: Sample = {"at": 5.0, "cpu": 10, "memory": 100, "memory.free": 9, "disk.free": 8, "gpu0.memory": 3}
    two: Sample = {
        "at": 10.0,
        "cpu": 20,
        "memory": 50,
        "memory.free": 59,
        "disk.free": 6,
        "gpu0.memory": 1,
        "mounts": 4,
    }
    assert merged([one, two]) == {
        **{"at": 10.0, "cpu": 15, "memory": 100, "memory.free": 9, "disk.free": 6, "gpu0.memory": 3, "mounts": 4}
    }


@given(st.integers(1, 300))
def test_a_file_has_at_most_so_many_samples_and_covers_the_whole_time(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = SampleFile(Path(folder) / "samples", {"version": 1}, most=16)
        for number in range(1, count + 1):
            file.add({"at": number, "cpu": number})
        lines = [json.loads(line) for line in (Path(folder) / "samples").read_text().splitlines()]
    assert lines[0] == {"version": 1}
    samples = lines[1:]
    assert len(samples) < 16
    each = 1
    while count >= 16 * each:
        each *= 2
    assert [sample["at"] for sample in samples] == list(range(each, count + 1, each))
    assert [sample["cpu"] for sample in samples] == [at - (each - 1) / 2 for at in range(each, count + 1, each)]


def test_a_host_is_sampled_into_a_file_that_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HOST", str(tmp_path))
    monkeypatch.setattr(module, "CONTROL", str(tmp_path))
    clock = iter((0.0, 5.0, 5.5))
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(module, "read_counters", lambda _: HOST)
    gpus = GpuReadings((), DockerApi(str(tmp_path / "none")), 5)
    monkeypatch.setattr(gpus, "now", dict)
    samples = HostSamples(job(host=1), lambda: None, dict, gpus)
    for _ in range(3):
        samples.take()
    out = io.StringIO()
    print_samples(str(tmp_path), out)
    header, one = map(json.loads, out.getvalue().splitlines())
    assert (header["host"], header["number"], header["units"]["gpu.memory"]) == ("p100-02", 1, "bytes")
    assert {**one, "at": 0} == {
        **{"at": 0, "memory": 600, "memory.free": 400, "disk.free": 50, "disk.read": 0, "disk.written": 0}
    }
    assert [file.name for file in tmp_path.iterdir()] == ["host-metrics.1.jsonl"]


def test_a_full_disk_or_a_kernel_that_says_nothing_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HOST", str(tmp_path / "none"))
    HostSamples(job(), lambda: None, dict, GpuReadings((), DockerApi(), 5)).take()


UUID = "GPU-3c29f5a2-7f5b-2f4e-8d1c-9a0b1c2d3e4f"


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (
            f"{UUID}, 97, 1024, 301.55, 64",
            (UUID, {"utilisation": 97, "memory": 1 << 30, "power": 301.55, "temperature": 64}),
        ),
        (f"{UUID}, [N/A], 5, [Not Supported], 30", (UUID, {"memory": 5 << 20, "temperature": 30})),
        (f"{UUID}, nan, 5, inf, 30", (UUID, {"memory": 5 << 20, "temperature": 30})),
        (f"{UUID}, 97, 1024, 301.55", None),
        ("\x1b[31m, 97, 1024, 301.55, 64", None),
        ("No devices were found", None),
        ("", None),
    ],
)
def test_a_line_of_nvidia_smi(line: str, found: object) -> None:
    assert read_gpu(line) == found


@given(st.text())
def test_any_line_is_a_reading_or_none(line: str) -> None:
    found = read_gpu(line)
    assert found is None or set(found[1]) <= {"utilisation", "memory", "power", "temperature"}


def frame(text: bytes) -> bytes:
    return b"\x01\0\0\0" + len(text).to_bytes(4, "big") + text


def test_gpus_are_read_where_a_learner_has_them_and_numbered_in_the_order_of_their_learners(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toolkit.agent.gpu_readings._AGAIN_SECONDS", 0.0)
    text = f"{UUID}, 97, 1024, 301.5, 64\n".encode()
    other = f"GPU-{'0' * 8}, 3, 1, 50, 30\n".encode()
    answers = {
        "GET /containers/a/json": Answer(200, b'{"HostConfig": {"DeviceRequests": null}}'),
        "GET /containers/b/json": Answer(200, b'{"HostConfig": {"DeviceRequests": [{}]}}'),
        "POST /containers/b/exec": Answer(201, b'{"Id": "e"}'),
        "POST /exec/e/start": Answer(200, frame(text[:20]) + frame(text[20:] + b"\xff\n" + other)),
    }
    with engine_that_answers(tmp_path / "engine.sock", answers) as stand_in:
        gpus = GpuReadings(("a", "b"), DockerApi(str(stand_in.place)), 5)
        for container in ("a", "b"):
            gpus._read(container)
    assert gpus.now()["gpu0.utilisation"] == 97
    assert gpus.now()["gpu1.memory"] == 1 << 20
    assert len(gpus.now()) == 8
    execs = [data for what, data in stand_in.asked if what.endswith("/exec")]
    assert len(execs) == 10, "a stream that ends is begun again, but not for ever"
    asked = json.loads(execs[0])
    assert (asked["Cmd"], asked["User"]) == (argv_every(5), "65534:65534")


def test_there_are_never_more_than_so_many_gpus_and_old_readings_are_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpus = GpuReadings((), DockerApi(str(tmp_path)), 5)
    for number in range(1000):
        gpus.take(f"GPU-{number}, 1, 1, 1, 1")
    assert len(gpus.now()) == 64 * 4
    monkeypatch.setattr("toolkit.agent.gpu_readings._FRESH_SECONDS", -1.0)
    assert gpus.now() == {}
