"""The completion scripts in the shells themselves, each where it is installed: type, press Tab, press Enter."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from toolkit.paths import assets

SECONDS = 20.0
SETUP = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "source <(toolkit completion bash)"),
    "zsh": (["zsh", "-f", "-i"], "autoload -U compinit; compinit -u -D; source <(toolkit completion zsh)"),
}
TYPED = {
    "toolkit lau": "launch",
    "toolkit images sb": "images sbom",
    "toolkit bundle lo": "bundle load",
    "toolkit launch man": "launch manifest.yml",
    "toolkit launch m --clus": "launch m --cluster",
    "toolkit launch m --cluster=man": "launch m --cluster=manifest.yml",
    "toolkit launch --code a": "launch --code a folder",
    "toolkit build --flavour cu": "build --flavour cuda",
    "toolkit build --flavour=cu": "build --flavour=cuda",
    "toolkit collect tr": "collect training-abcd2345",
    "toolkit collect ab": "collect abcd2345",
    "toolkit frameworks tensorflow-": "frameworks tensorflow-ddl",
    "toolkit runs nothing": "runs nothing",
}
"""What is typed before the Tab, and the arguments that the command then has."""

COMMAND = f"""#!/bin/sh
[ "$1" = completion ] && exec {sys.executable} -m toolkit "$@"
echo "GOT<$*>"
"""


@pytest.fixture(scope="module", autouse=True)
def shells() -> None:
    """The real ones: `./check` installs them."""
    missing = [shell for shell in ("bash", "zsh", "fish") if shutil.which(shell) is None]
    assert not missing, f"apt-get install {' '.join(missing)}"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with things to complete, and `bin/toolkit`, which says what it was called with."""
    (tmp_path / "home" / "runs").mkdir(parents=True)
    (tmp_path / "home" / "runs" / "training-abcd2345.json").touch()
    (tmp_path / "here" / "a folder").mkdir(parents=True)
    (tmp_path / "here" / "manifest.yml").touch()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "toolkit").write_text(COMMAND)
    (tmp_path / "bin" / "toolkit").chmod(0o755)
    return tmp_path


def environment(place: Path) -> dict[str, str]:
    return {
        "PATH": f"{place / 'bin'}:/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": str(assets()),
        "HOME": str(place),
        "TOOLKIT_HOME": str(place / "home"),
        "TERM": "dumb",
        "LC_ALL": "C.UTF-8",
    }


class Terminal:
    """A shell on a terminal of its own."""

    def __init__(self, process: int, terminal: int) -> None:
        self.process, self._terminal = process, terminal

    def type(self, text: str) -> None:
        """Type it, and press Enter."""
        os.write(self._terminal, f"{text}\r".encode())

    def read_until(self, mark: str) -> str:
        """What is printed up to `mark`; what came so far where it does not come in time."""
        read, end = b"", time.monotonic() + SECONDS
        while mark.encode() not in read and time.monotonic() < end:
            if select.select([self._terminal], [], [], 0.5)[0]:
                try:
                    read += os.read(self._terminal, 1)
                except OSError:
                    break
        return read.decode(errors="replace")


@contextmanager
def terminal(argv: list[str], place: Path) -> Iterator[Terminal]:
    process, number = pty.fork()
    if process == 0:
        os.chdir(place / "here")
        os.execvpe(argv[0], argv, environment(place))  # noqa: S606 - what pty.fork() is for
    try:
        yield Terminal(process, number)
    finally:
        os.close(number)  # the shell is hung up on
        with suppress(ChildProcessError):
            os.waitpid(process, 0)


@pytest.mark.parametrize("shell", SETUP)
def test_tab_completes(place: Path, shell: str) -> None:
    argv, setup = SETUP[shell]
    found = {}
    with terminal(argv, place) as person:
        person.type(f"{setup}; echo RE''ADY")
        assert "READY" in person.read_until("READY")
        for typed in TYPED:
            person.type(f"{typed}\t")
            person.read_until("GOT<")
            found[typed] = person.read_until(">").removesuffix(">").strip().removesuffix("/")
    assert found == TYPED


def test_fish_completes(place: Path) -> None:
    script = "toolkit completion fish | source; for line in $argv; complete -C $line; echo END; end"
    done = subprocess.run(
        ["fish", "--no-config", "-c", script, *TYPED],
        env=environment(place),
        cwd=place / "here",
        capture_output=True,
        text=True,
        check=True,
        timeout=SECONDS,
    )
    offered = [[line.split("\t")[0] for line in part.splitlines()] for part in done.stdout.split("END\n")[:-1]]
    wanted = [[f"toolkit {full}"] if not typed.endswith("nothing") else [] for typed, full in TYPED.items()]
    assert [
        [f"{typed.rpartition(' ')[0]} {word}".removesuffix("/") for word in words]
        for typed, words in zip(TYPED, offered, strict=True)
    ] == wanted
    assert done.stderr == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_has_no_fault_of_syntax(shell: str) -> None:
    done = subprocess.run(
        [shell, "-n", str(assets() / "toolkit" / "cli" / "shells" / f"toolkit.{shell}")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_zsh_loads_the_script_from_its_path_of_functions(place: Path) -> None:
    script = (assets() / "toolkit" / "cli" / "shells" / "toolkit.zsh").read_text()
    (place / "functions").mkdir()
    (place / "functions" / "_toolkit").write_text(script)
    with terminal(["zsh", "-f", "-i"], place) as person:
        person.type(f"fpath=({place}/functions $fpath); autoload -U compinit; compinit -u -D; echo RE''ADY")
        assert "READY" in person.read_until("READY")
        person.type("toolkit lau\t")
        person.read_until("GOT<")
        assert person.read_until(">").strip() == "launch>"
