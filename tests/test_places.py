"""Where the tool's own files lie, and where it keeps a person's."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from toolkit.paths import assets, cache, home, private_folder


def test_the_house_has_its_rooms() -> None:
    rooms = ("images/tensorflow-ddl/recipe.yml", "templates/learner.Dockerfile.j2", "clusters/local.yml")
    assert [room for room in rooms if not (assets() / room).is_file()] == []


@pytest.mark.parametrize(
    ("variables", "homes", "caches"),
    [
        ({"HOME": "/p"}, "/p/.toolkit", "/p/.toolkit/cache"),
        ({"HOME": "/p", "TOOLKIT_HOME": ""}, "/p/.toolkit", "/p/.toolkit/cache"),
        ({"HOME": "/p", "TOOLKIT_HOME": "/else"}, "/else", "/else/cache"),
        ({"HOME": "/p", "TOOLKIT_HOME": "/else", "TOOLKIT_CACHE": "/c"}, "/else", "/c"),
    ],
)
def test_home_and_cache_can_be_put_elsewhere(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], homes: str, caches: str
) -> None:
    for name in ("TOOLKIT_HOME", "TOOLKIT_CACHE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert (home(), cache()) == (Path(homes), Path(caches))


def test_a_home_that_is_named_relatively_is_made_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOOLKIT_HOME", "here")
    assert home() == tmp_path / "here"


def test_a_private_folder_is_made_for_its_owner_and_what_exists_is_left(tmp_path: Path) -> None:
    assert stat.S_IMODE(private_folder(tmp_path / "new").stat().st_mode) == 0o700
    (tmp_path / "old").mkdir(mode=0o755)
    assert stat.S_IMODE(private_folder(tmp_path / "old").stat().st_mode) == 0o755
