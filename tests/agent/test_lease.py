"""What an agent gives back of a lease at its end, where its launch was killed before it could."""

from __future__ import annotations

from toolkit.agent.cleanup import give_back_lease
from toolkit.agent.docker_api import EngineRefused

RUN = "training-abcd2345"
RECORD = f"0123456789abcdef 000003 1795903609 2026-01-02T03:04:05Z {RUN} * alice ann desk"


class Volumes:
    """An engine with volumes that have the label of a lease."""

    def __init__(self, volumes: dict[str, str]) -> None:
        self.volumes = volumes

    def labelled_volumes(self, label: str) -> dict[str, str]:
        assert label == "toolkit.lease"
        return dict(self.volumes)

    def remove_volume(self, name: str) -> bool:
        return self.volumes.pop(name) != ""


def test_the_runs_own_go_and_no_one_elses() -> None:
    others = {
        "toolkit-lease.aaaaaaaaaaaaaaaa.000001": RECORD.replace(RUN, "training-other222"),
        "toolkit-lease.bbbbbbbbbbbbbbbb.000001": RUN,
        "somebodys": RECORD,
        "empty": "",
    }
    engine = Volumes({"toolkit-lease.0123456789abcdef.000003": RECORD, **others})
    give_back_lease(engine, RUN)  # type: ignore[arg-type]
    assert engine.volumes == others


def test_an_engine_that_is_away_keeps_no_agent() -> None:
    class Away(Volumes):
        def labelled_volumes(self, label: str) -> dict[str, str]:
            raise EngineRefused("starting")

    give_back_lease(Away({}), RUN)  # type: ignore[arg-type]
