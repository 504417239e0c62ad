"""Files as a tar, a piece at a time."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.tar.write import Entry, tar_stream

NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/\\"), min_size=1, max_size=150)
ENTRIES = st.lists(
    st.builds(
        Entry,
        NAMES.filter(lambda name: name.strip(".")),
        st.binary(max_size=2000),
        st.sampled_from([0o600, 0o644, 0o755]),
        st.integers(0, 70000),
    ),
    max_size=6,
    unique_by=lambda entry: entry.name,
)


@given(ENTRIES)
def test_what_went_in_comes_out(entries: list[Entry]) -> None:
    with tarfile.open(fileobj=io.BytesIO(b"".join(tar_stream(entries)))) as tar:
        members = tar.getmembers()
        found = [
            Entry(member.name, (tar.extractfile(member) or io.BytesIO()).read(), member.mode, member.uid)
            for member in members
        ]
    assert found == entries
    assert {(member.mtime, member.gid == member.uid) for member in members} <= {(0, True)}


def test_a_file_is_streamed_and_equal_files_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).write_bytes(b"x" * 3_000_000)
    one, other = (list(tar_stream([Entry("name", tmp_path / name)])) for name in ("one", "other"))
    assert one == other
    assert max(map(len, one)) <= 1 << 20


def test_a_file_that_changes_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "growing"
    file.write_bytes(b"x" * 10)
    stream = tar_stream([Entry("name", file)])
    next(stream)
    file.write_bytes(b"x" * 5)
    with pytest.raises(OSError, match="changed while it was read"):
        list(stream)
