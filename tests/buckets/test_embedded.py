"""The embedded store's keys."""

from __future__ import annotations

import stat
from pathlib import Path

from toolkit.buckets.embedded import embedded_keys


def test_keys_are_made_once_and_are_their_owners_alone(tmp_path: Path) -> None:
    first = embedded_keys(tmp_path / "home")
    assert embedded_keys(tmp_path / "home") == first
    assert {name: len(key.reveal()) for name, key in first.items()} == {"access_key_id": 20, "secret_access_key": 40}
    assert stat.S_IMODE((tmp_path / "home" / "embedded-keys.json").stat().st_mode) == 0o600
    assert embedded_keys(tmp_path / "other") != first
