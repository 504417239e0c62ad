"""Making a base."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolkit.catalogue.model import DistributionBase
from toolkit.errors import ToolkitError
from toolkit.image.base import make_base, temporary_tar

BASE = DistributionBase("bookworm", ("python3",), "apt")


def test_a_machine_without_mmdebstrap_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolkitError, match="mmdebstrap is not installed") as caught:
        make_base(BASE, tmp_path / "base.tar", lambda _: None)
    assert "apt-get install mmdebstrap" in caught.value.mend


def test_a_tar_has_a_new_name_in_the_folder(tmp_path: Path) -> None:
    one, other = temporary_tar(tmp_path), temporary_tar(tmp_path)
    assert one != other
    assert {one.parent, other.parent} == {tmp_path}
