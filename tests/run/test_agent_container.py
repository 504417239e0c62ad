"""How a launch starts a run's agent on a host."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from toolkit.containers.engine import Engine
from toolkit.run.launch.agent_container import AgentContainer, agent_argv
from toolkit.runtimes.docker import Docker

from .engines import StandInHost

RUN = "training-abcd2345"


def started_by(program: str) -> list[list[str]]:
    """The command lines that start an agent on a host whose engine is `program`."""
    asked: list[list[str]] = []

    def says(argv: Sequence[str]) -> str:
        asked.append(list(argv))
        return "unix:///run/engine.sock" if "context" in argv or "RemoteSocket" in " ".join(argv) else "/volumes"

    host = StandInHost(says=says)
    folder = AgentContainer(Engine(host, program), RUN, "image", f"toolkit-{RUN}").start()  # type: ignore[arg-type]
    assert folder.endswith(f"/toolkit-{RUN}/_data")
    return [argv for argv in asked if argv[1] in ("run", "volume")]


def test_the_agent_is_the_first_thing_of_a_run_and_makes_its_volume_itself() -> None:
    (run,) = started_by("docker")
    assert run[:2] == ["docker", "run"]


def test_podman_is_given_the_volume_as_it_makes_no_folder_of_the_host() -> None:
    volume, run = started_by("podman")
    assert (volume[:3], run[:2]) == (["podman", "volume", "create"], ["podman", "run"])


def test_the_agent_of_a_rescue_knows_that_its_volume_holds_what_no_bucket_has() -> None:
    argv = agent_argv(Docker(), RUN, "image", "volume", "/volumes", "/run/docker.sock", rescue=True)
    assert argv[-3:] == ["rescue", RUN, "volume"]


@pytest.mark.parametrize("lease", ["", "a record"])
def test_an_agent_holds_its_runs_lease_and_sees_nothing_else_of_the_host(lease: str) -> None:
    argv = agent_argv(Docker(), RUN, "image", "volume", "/volumes", "/run/docker.sock", lease)
    assert argv[argv.index("keep") + 1 :] == [RUN, "volume"]
    assert ("toolkit.lease=a record" in argv) is bool(lease)
    assert [word for word in argv if word.startswith("type=bind")] == [
        "type=bind,source=/run/docker.sock,target=/run/engine.sock"
    ]
