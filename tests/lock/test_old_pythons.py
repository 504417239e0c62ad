"""What the oldest Pythons need of a build: wheels of the wrong name, and bytes that chance does not decide."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from toolkit.catalogue.reader import ENVIRONMENT_TEMPLATE
from toolkit.fetch.wheels import fetch_wheels
from toolkit.image.base import mmdebstrap_argv
from toolkit.image.stages import stages_of
from toolkit.image.version import Inputs
from toolkit.lock.model import Lock, WheelPin
from toolkit.lock.pool import Pool
from toolkit.paths import assets

from .recipes import BASE, row

TEMPLATES = {
    name: (assets() / "templates" / name).read_text() for name in (ENVIRONMENT_TEMPLATE, "learner.Dockerfile.j2")
}
PIP = WheelPin("pip", "20.3.4", "pip-20.3.4-py2.py3-none-any.whl", "1" * 64, 1)
OWN = WheelPin("numpy", "1.16.6", "numpy-1.16.6-cp27-cp27mu-manylinux1_x86_64.whl", "2" * 64, 1)
FOREIGN = WheelPin("absl-py", "0.12.0", "absl_py-0.12.0-py3-none-any.whl", "3" * 64, 1)


def environment(folder: Path, python: str, *wheels: WheelPin) -> tuple[str, dict[str, object]]:
    """The Dockerfile and the context of the environment's stage."""
    (folder / "templates").mkdir()
    for name, text in TEMPLATES.items():
        (folder / "templates" / name).write_text(text)
    recipe = replace(row(folder, python=python).recipe, template=folder / "templates" / "learner.Dockerfile.j2")
    lock = Lock("a" * 64, "b" * 64, (), wheels)
    first, _ = stages_of(recipe, Inputs("x", ()), lock, TEMPLATES, Pool(folder / "pool"))
    return first.dockerfile, {entry.name: entry.content for entry in first.context}


def test_a_wheel_that_is_named_for_python_3_alone_is_installed_by_itself(tmp_path: Path) -> None:
    dockerfile, context = environment(tmp_path, "2.7", PIP, OWN, FOREIGN)
    assert context["wheels/foreign.lock"] == f"absl-py==0.12.0 --hash=sha256:{'3' * 64}\n".encode()
    assert b"absl" not in context["wheels/requirements.lock"]  # type: ignore[operator]
    assert "--target /opt/venv/lib/python2.7/site-packages" in dockerfile
    assert "--requirement /build/wheels/foreign.lock" in dockerfile


@pytest.mark.parametrize(("python", "wheels"), [("2.7", (PIP, OWN)), ("3.5", (PIP, FOREIGN))])
def test_no_other_environment_has_such_wheels(tmp_path: Path, python: str, wheels: tuple[WheelPin, ...]) -> None:
    dockerfile, context = environment(tmp_path, python, *wheels)
    assert "wheels/foreign.lock" not in context
    assert "--target" not in dockerfile


def test_pip_gets_the_python_that_each_wheel_is_named_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []
    hashes = {pin.file: pin.sha256 for pin in (OWN, FOREIGN)}

    def pip(argv: list[str], _on_line: object) -> int:
        requirements = Path(argv[argv.index("--requirement") + 1]).read_text()
        asked.append((argv[argv.index("--python-version") + 1], requirements.partition("==")[0]))
        for file in hashes:
            (Path(argv[argv.index("--dest") + 1]) / file).touch()
        return 0

    monkeypatch.setattr("toolkit.fetch.wheels.stream", pip)
    monkeypatch.setattr(Pool, "take", lambda _self, file, _pin: file)
    fetch_wheels([OWN, FOREIGN], "2.7", Pool(tmp_path / "pool"), lambda _: None)
    assert asked == [("2.7", "numpy"), ("3", "absl-py")]


@pytest.mark.parametrize(
    ("python", "packages", "again"),
    [
        ("2.7", ("python2.7",), False),
        ("2.7", ("python2.7", "python3"), True),
        ("3.5", ("python3",), True),
        ("3.10", ("python3",), True),
        ("3.11", ("python3",), False),
    ],
)
def test_the_bases_own_modules_are_compiled_again_where_chance_decides_their_bytes(
    python: str, packages: tuple[str, ...], again: bool
) -> None:
    base = replace(BASE, packages=packages, suite=replace(BASE.suite, python=python))
    hooks = [word for word in mmdebstrap_argv(base, Path("/debs"), Path("/x.tar")) if "compileall" in word]
    compile_all = "python3 -m compileall -q -f /usr/lib/python3 /usr/lib/python3.* /usr/share/python3"
    line = f"--customize-hook=PYTHONHASHSEED=0 chroot \"$1\" sh -c '{compile_all}'"
    assert hooks == ([line] if again else [])
