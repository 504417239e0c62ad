"""Renewing locks: what stays, what is shared, what is solved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from toolkit.catalogue.model import FrameworkRow, RegistryBase
from toolkit.errors import ToolkitError
from toolkit.lock.entries import LockEntry, chosen, lock_entries
from toolkit.lock.file import read_lock
from toolkit.lock.model import DebPin, WheelPin
from toolkit.lock.pool import Pool
from toolkit.lock.renew import Renewal, Renewed, state_of
from toolkit.progress import silent

from .recipes import BASE, deb, row, wheel


@dataclass
class Solvers:
    """In place of mmdebstrap and uv: answers with versions that count up, and remembers what it was asked."""

    debs: list[tuple[str, ...]] = field(default_factory=list)
    wheels: list[tuple[tuple[str, ...], tuple[WheelPin, ...]]] = field(default_factory=list)

    def solve_debs(self, base: Any, *_: Any) -> tuple[DebPin, ...]:
        self.debs.append(base.packages)
        return tuple(deb(name, f"{len(self.debs)}.0", f"{len(self.debs):064}") for name in sorted(base.packages))

    def solve_wheels(
        self, requirements: Sequence[str], *_: Any, keep: Sequence[WheelPin], **__: Any
    ) -> tuple[WheelPin, ...]:
        self.wheels.append((tuple(requirements), tuple(keep)))
        return (wheel(requirements[0].partition("=")[0], f"{len(self.wheels)}.0"),)


@pytest.fixture
def solvers(monkeypatch: pytest.MonkeyPatch) -> Solvers:
    made = Solvers()
    monkeypatch.setattr("toolkit.lock.renew.solve_debs", made.solve_debs)
    monkeypatch.setattr("toolkit.lock.renew.solve_wheels", made.solve_wheels)
    return made


def renew(
    folder: Path, rows: Sequence[FrameworkRow], *words: str, update: bool = False
) -> tuple[tuple[Renewed, ...], tuple[LockEntry, ...]]:
    entries = lock_entries(rows, [])
    renewal = Renewal(entries, Pool(folder / "pool"), silent, {})
    return renewal.run(chosen(entries, words or ["all"]), update=update), entries


def test_locks_that_ask_for_the_same_packages_share_one_solution(tmp_path: Path, solvers: Solvers) -> None:
    other = row(tmp_path, "big", base=replace(BASE, packages=("python3",)))
    renewed, _ = renew(tmp_path, [row(tmp_path, "cpu"), row(tmp_path, "cuda"), other])
    assert solvers.debs == [("python3", "openmpi-bin"), ("python3",)]
    first, second, third = (one.new.debs for one in renewed)
    assert first == second != third


def test_a_new_lock_takes_the_packages_of_one_that_is_there(tmp_path: Path, solvers: Solvers) -> None:
    ((before,), _) = renew(tmp_path, [row(tmp_path, "cpu")])
    ((now,), _) = renew(tmp_path, [row(tmp_path, "cpu"), row(tmp_path, "cuda")])
    assert (now.entry.name, now.why) == ("flow-1.0-py3.11-cuda", "there is no lock yet")
    assert now.new.debs == before.new.debs
    assert len(solvers.debs) == 1


def test_a_stale_lock_gives_its_packages_to_no_other(tmp_path: Path, solvers: Solvers) -> None:
    renew(tmp_path, [row(tmp_path, "cpu")])
    changed = replace(BASE, packages=("python3", "openmpi-bin", "vim"))
    rows = [row(tmp_path, "cpu", base=changed), row(tmp_path, "cuda", base=changed)]
    renewed, _ = renew(tmp_path, rows)
    assert len(renewed) == 2
    assert solvers.debs[1:] == [("python3", "openmpi-bin", "vim")]
    assert all(deb("vim", "2.0", f"{2:064}") in one.new.debs for one in renewed)


def test_a_fresh_lock_is_left_alone(tmp_path: Path, solvers: Solvers) -> None:
    _, (entry,) = renew(tmp_path, [row(tmp_path)])
    stamp = entry.recipe.lock.stat().st_mtime_ns
    assert renew(tmp_path, [row(tmp_path)])[0] == ()
    assert entry.recipe.lock.stat().st_mtime_ns == stamp
    assert len(solvers.wheels) == 1


def test_a_changed_template_keeps_every_pin(tmp_path: Path, solvers: Solvers) -> None:
    ((first,), (entry,)) = renew(tmp_path, [row(tmp_path)])
    entry.recipe.template.write_text("FROM another\n")
    renewal = Renewal((entry,), Pool(tmp_path / "pool"), silent, {})
    (second,) = renewal.run((entry,))
    assert second.why == "the template changed"
    assert (second.new.debs, second.new.wheels) == (first.new.debs, first.new.wheels)
    assert (len(solvers.debs), len(solvers.wheels)) == (1, 1)
    assert state_of(entry).why == ""


def test_other_requirements_keep_the_packages_and_prefer_the_old_wheels(tmp_path: Path, solvers: Solvers) -> None:
    ((first, _), _) = renew(tmp_path, [row(tmp_path, "cpu"), row(tmp_path, "cuda")])
    changed = row(tmp_path, "cpu", requirements=("flow-cpu==1.1",))
    ((now,), _) = renew(tmp_path, [changed, row(tmp_path, "cuda")])
    assert now.new.debs == first.new.debs
    assert solvers.wheels[-1] == (("flow-cpu==1.1",), first.new.wheels)


def test_an_update_solves_anew_once_for_all_and_prefers_nothing_old(tmp_path: Path, solvers: Solvers) -> None:
    rows = [row(tmp_path, "cpu"), row(tmp_path, "cuda")]
    renew(tmp_path, rows)
    renewed, _ = renew(tmp_path, rows, update=True)
    assert len(solvers.debs) == 2
    assert [one.new.debs[0].version for one in renewed] == ["2.0", "2.0"]
    assert [keep for _, keep in solvers.wheels[2:]] == [(), ()]


def test_only_what_was_named_is_renewed(tmp_path: Path, solvers: Solvers) -> None:
    renewed, entries = renew(tmp_path, [row(tmp_path, "cpu"), row(tmp_path, "cuda")], "flow-1.0-py3.11-cuda")
    assert [one.entry.name for one in renewed] == ["flow-1.0-py3.11-cuda"]
    assert [state_of(entry).why for entry in entries] == ["there is no lock yet", ""]


def test_a_lock_that_cannot_be_read_is_made_anew(tmp_path: Path, solvers: Solvers) -> None:
    _, (entry,) = renew(tmp_path, [row(tmp_path)])
    good = read_lock(entry.recipe.lock)
    entry.recipe.lock.write_text("<<<<<<< mine\n")
    assert state_of(entry).why == "the lock cannot be read"
    ((now,), _) = renew(tmp_path, [row(tmp_path)])
    assert now.new.asked == good.asked
    assert state_of(entry).why == ""


def test_what_was_solved_before_a_failure_stays(
    tmp_path: Path, solvers: Solvers, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [row(tmp_path, "cpu"), row(tmp_path, "big", base=RegistryBase("x@sha256:1"))]
    with pytest.raises(ToolkitError, match="of unknown glibc"):
        renew(tmp_path, rows)
    assert [state_of(entry).why for entry in lock_entries(rows, [])] == ["", "there is no lock yet"]


def test_an_image_without_python_has_no_wheels(tmp_path: Path, solvers: Solvers) -> None:
    ((now,), _) = renew(tmp_path, [row(tmp_path, python="", requirements=())])
    assert now.new.wheels == ()
    assert solvers.wheels == []
