"""Other accounts of a host against leases, and a program against the host: the quick part of tests/real."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from toolkit.doctor.probes import Buckets
from toolkit.doctor.topics.gpu import start_with_gpus
from toolkit.doctor.topics.storage import list_buckets
from toolkit.hosts.local import LocalShell
from toolkit.leases.client import acquire, holders, release, renew
from toolkit.leases.model import Held, new_lease
from toolkit.process import Result
from toolkit.runtimes.docker import Docker
from toolkit.runtimes.specs import HOST_NETWORK, AgentContainerSpec, Bind, LearnerContainerSpec, Limits, Network
from toolkit.shipping.hosts.ship_commands import start_relay
from toolkit.validation.validate import run_inside

from ..leases.standin import StandIn

FLOOD = 200


class Host(LocalShell):
    """This machine with another engine; every command starts in `folder`, which is a neighbour's."""

    def __init__(self, engine: StandIn, folder: Path) -> None:
        self._engine, self._folder = engine, folder

    def run(self, argv: Sequence[str], *, data: bytes | None = None, timeout: float | None = None) -> Result:
        own = [self._engine.program if word == "docker" else word for word in argv]
        return super().run(["env", "-C", str(self._folder), *own], data=data, timeout=timeout)


@pytest.fixture
def engine(tmp_path: Path) -> StandIn:
    return StandIn(tmp_path / "engine-of-all")


@pytest.fixture
def neighbours(tmp_path: Path) -> Path:
    """A folder with everything that has ever stopped a program which reads or writes there."""
    folder = tmp_path / "neighbours"
    folder.mkdir()
    (folder / "toolkit-lease.0123456789abcdef.000001").symlink_to("/etc/shadow")
    (folder / "lease.0123456789abcdef").symlink_to(folder)
    for name in ("*", "-rf", "0123456789abcdef", "new.0123456789abcdef"):
        os.mkfifo(folder / name)
    with (folder / "huge").open("wb") as file:
        file.truncate(1 << 40)
    return folder


def tree(folder: Path) -> list[tuple[str, int, int]]:
    return sorted((one.name, one.lstat().st_mode, one.lstat().st_mtime_ns) for one in folder.iterdir())


def test_leases_are_kept_in_no_folder_and_no_one_elses_is_touched(engine: StandIn, neighbours: Path) -> None:
    before, host = tree(neighbours), Host(engine, neighbours)
    lease = new_lease("training-abcd2345", "ann", "desk")
    assert isinstance(acquire(host, lease), Held)
    renew(host, lease)
    assert [one.lease for one in holders(host)] == [lease]
    release(host, lease)
    assert (tree(neighbours), list(engine.volumes.iterdir())) == (before, [])


def test_a_flood_of_what_is_no_lease_keeps_no_one_from_a_host(engine: StandIn, neighbours: Path) -> None:
    for number in range(FLOOD):
        token = f"{number:016x}"
        (engine.volumes / f"toolkit-lease.{token}.00000x").write_text(f"{token} 00000x 1 then training-x * m m m\n")
        (engine.volumes / f"junk-{number}").write_text(f"{token} 000001 1 then training-x * m m m\n")
    host, lease = Host(engine, neighbours), new_lease("training-abcd2345", "ann", "desk")
    assert isinstance(acquire(host, lease), Held)
    assert [one.lease for one in holders(host)] == [lease]
    release(host, lease)
    assert len(list(engine.volumes.iterdir())) == 2 * FLOOD


def test_what_a_holder_calls_itself_reaches_no_terminal_and_no_record(engine: StandIn, neighbours: Path) -> None:
    host = Host(engine, neighbours)
    lease = new_lease("training-abcd2345", "\x1b]0;owned\x07\nheld 0 x", "$(touch planted)")
    assert isinstance(acquire(host, lease), Held)
    (holder,) = holders(host)
    assert str(holder).isprintable()
    assert not (neighbours / "planted").exists()
    release(host, lease)


def started() -> dict[str, list[str]]:
    """Every command line of the tool's that starts a container, but those of a lab."""
    docker, limits, folder = Docker(), Limits(processes=4096), Bind("/f", "/b")
    agent = AgentContainerSpec("n", "r", "image", folder, [], ["x"])
    learner = LearnerContainerSpec("n", "r", "image", "h", Network(HOST_NETWORK), "/f", ("x",), limits=limits)
    buckets = Buckets("image", {}, {})
    return {
        "learner": docker.start_learner(learner),
        "agent": docker.start_agent(agent),
        "buckets": docker.start_side_container("n", "r", "image", [], ["x"]),
        "store": docker.start_store("n", "r", "image", [folder], "1:1", ["x"]),
        "results folder": docker.owner_of_folder(folder, "r", "image"),
        "served model": docker.serve_in_image("image", "r", "1:1", [], {}, Limits(memory=1), ["x"]),
        "check": docker.check_in_image("image", "r", "1:1", [], {}, ["x"]),
        "volume's file": docker.read_from_volume("v", "image", "name"),
        "doctor's GPUs": start_with_gpus("image", ["GPU-a"]),
        "doctor's buckets": list_buckets(buckets),
        "proof": run_inside("image", "n", ()),
        "relay": start_relay(docker, "n", "s", "image", ""),
    }


@pytest.mark.parametrize("name", list(started()))
def test_nothing_in_a_container_gains_privileges_or_takes_the_hosts_processes(name: str) -> None:
    argv = started()[name]
    assert argv[argv.index("no-new-privileges") - 1] == "--security-opt"
    assert argv[argv.index("--pids-limit") + 1] == "4096"
    assert argv[argv.index("--cap-drop") + 1] == "ALL"
