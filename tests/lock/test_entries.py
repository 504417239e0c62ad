"""The locks of the catalogue, and what a person calls them by."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolkit.errors import Code, ToolkitError
from toolkit.lock.entries import chosen, lock_entries

from .recipes import row


def test_frameworks_on_one_lock_have_it_once_and_its_folder_owns_it(tmp_path: Path) -> None:
    rows = [row(tmp_path, framework="flow-ddl"), row(tmp_path, framework="flow")]
    (entry,) = lock_entries(rows, [])
    assert (entry.name, entry.title) == ("flow-1.0-py3.11-cpu", "flow 1.0 on Python 3.11 (cpu)")
    assert entry.words == {"flow-1.0-py3.11-cpu", "flow-ddl-1.0-py3.11-cpu", "flow", "flow-ddl", "all"}


def test_a_combination_a_framework_or_all_names_locks(tmp_path: Path) -> None:
    tool = row(tmp_path, "tool").recipe
    entries = lock_entries([row(tmp_path, "cpu"), row(tmp_path, "cuda")], [tool])
    assert [entry.name for entry in chosen(entries, ["flow-1.0-py3.11-cuda"])] == ["flow-1.0-py3.11-cuda"]
    assert [entry.name for entry in chosen(entries, ["flow"])] == ["flow-1.0-py3.11-cpu", "flow-1.0-py3.11-cuda"]
    assert chosen(entries, ["all"]) == entries


def test_a_name_that_is_not_there_is_reported_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(
        ToolkitError, match=r"no `flow-1\.0-py3\.11-cpy`; did you mean `flow-1\.0-py3\.11-cpu`"
    ) as caught:
        chosen(lock_entries([row(tmp_path)], []), ["flow", "flow-1.0-py3.11-cpy"])
    assert caught.value.code is Code.MANIFEST
