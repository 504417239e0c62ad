"""Making a base."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolkit.errors import ToolkitError
from toolkit.image.base import make_base
from toolkit.lock.pool import Pool

from .test_stages import BASE


def test_without_mmdebstrap_the_hint_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolkitError, match="mmdebstrap is not installed") as caught:
        make_base(BASE, (), Pool(tmp_path / "pool"), tmp_path / "base.tar", lambda _: None)
    assert "apt-get install mmdebstrap" in caught.value.hint
