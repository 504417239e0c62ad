"""Ending a run without its agents: what is removed, what is kept, what is named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from toolkit.cluster.reader import read_cluster
from toolkit.containers.engine import Engine
from toolkit.errors import ToolkitError
from toolkit.paths import assets
from toolkit.run.finish import force as module
from toolkit.run.finish.force import force_stop
from toolkit.run.records.record import Record, State
from toolkit.run.records.record_store import Records

from .clients import RECORD
from .engines import StandInHost, things_of

RUN = RECORD.training_id
VOLUME = ("volume", RUN, f"toolkit-{RUN}")


class Forcing:
    """Two hosts of a run, and the records here."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.records, self.done, self.asked = Records(folder), list[str](), list[list[str]]()
        self.hosts = [StandInHost(name, things_of(RUN, "agent", "buckets", name)) for name in ("one", "two")]
        for host in self.hosts:
            host.says = self._says

        @contextmanager
        def reached(_: Record) -> Iterator[Mapping[str, Engine]]:
            yield {host.name: host.engine for host in self.hosts}

        patch.setattr(module, "reached", reached)
        patch.setattr(module, "cluster_of", lambda _: read_cluster(assets() / "clusters" / "local.yml"))

    def _says(self, argv: object) -> str | None:
        words = list(argv)  # type: ignore[call-overload]
        if words[1] == "exec":
            self.asked.append(words)
            return ""
        return None

    def __call__(self, record: Record = RECORD) -> Record:
        return force_stop(record, self.records, "ada@desk", self.done.append)


@pytest.fixture
def forcing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Forcing:
    return Forcing(tmp_path, monkeypatch)


def test_everything_goes_and_is_named_but_what_may_be_in_no_bucket(forcing: Forcing) -> None:
    record = forcing()
    assert [host.things for host in forcing.hosts] == [[VOLUME], [VOLUME]]
    assert (record.state, record.kept) == (State.HALTED, ("one", "two"))
    assert record.reason.startswith("stopped by ada@desk with --force")
    assert record.hint == f"its results are still on one, two: toolkit rescue {RUN}"
    assert forcing.records.find(RUN) == record
    assert f"one: removed: container toolkit-{RUN}-agent" in forcing.done


def test_mounts_are_taken_down_before_their_container_goes(forcing: Forcing) -> None:
    forcing()
    assert [words[2:] for words in forcing.asked] == [
        [f"toolkit-{RUN}-buckets", "python3", "-m", "toolkit.agent", "unmount"]
    ] * 2
    assert forcing.done[2] == f"one: removed: container toolkit-{RUN}-buckets"


def test_what_hangs_is_named_and_all_else_goes(forcing: Forcing) -> None:
    forcing.hosts[0].stuck = [f"toolkit-{RUN}-one"]
    with pytest.raises(ToolkitError, match=f"container toolkit-{RUN}-one on one"):
        forcing()
    assert len(forcing.hosts[0].things) == 2
    assert forcing.hosts[1].things == [VOLUME]
    assert forcing.records.find(RUN).state is State.HALTED


@pytest.mark.parametrize("trouble", ["away", "stopped"])
def test_a_host_that_does_not_answer_is_named_and_the_others_are_cleaned(forcing: Forcing, trouble: str) -> None:
    setattr(forcing.hosts[0], trouble, True)
    with pytest.raises(ToolkitError, match="what the run has on one"):
        forcing()
    assert forcing.hosts[1].things == [VOLUME]
    assert "one" in forcing.records.find(RUN).kept


def test_a_run_that_has_an_end_keeps_it(forcing: Forcing) -> None:
    for host in forcing.hosts:
        host.things = things_of(RUN, "agent")[:1]
    ended = replace(RECORD, end="completed", reason="all is well").at(State.COMPLETED, 4.0)
    assert forcing(ended) == ended
