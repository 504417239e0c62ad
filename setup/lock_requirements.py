"""Writes `constraints.txt` and the files in `requirements/`: every package of the tool and of its tests, by SHA-256.

    .venv/bin/python setup/lock_requirements.py             # the pinned versions, with what is new in pyproject.toml
    .venv/bin/python setup/lock_requirements.py --upgrade   # the newest versions that pyproject.toml takes

uv resolves once for all extras and groups, for every Python from 3.11 on (`constraints.txt`); then each file gets the
part that its users need, with the hashes of all wheels of those versions. pip installs them with `--require-hashes`.
Wheels alone: a source distribution would run its own code while it is installed.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import uv

TOP = Path(__file__).resolve().parents[1]
FILES = {
    "tool": (),
    "examples": ("--extra", "examples", "--group", "build"),
    "test": ("--extra", "test", "--group", "build"),
    "bench": ("--extra", "test", "--group", "build", "--group", "bench"),
    "ddl": ("--extra", "test", "--group", "build", "--group", "ddl"),
    "report": ("--extra", "test", "--group", "build", "--group", "report"),
}
"""What each file holds besides the tool's own dependencies."""
_ALL = ("--all-extras", "--group", "build")
"""`ddl` is left out: its TensorFlow must not hold back what the tool itself uses."""
_OTHERS = {
    "peers": ("benchmarks/peers.in",),  # pyinfra needs an older Paramiko than the tool
    "record": ("pyproject.toml", "--extra", "test", "--group", "build", "--group", "record"),  # an older rich
}
"""Files that are not constrained, and what each holds."""
_HEADER = """\
# Made by `python setup/lock_requirements.py`, which says how; do not edit. {use}
"""
_USES = {
    "tool": "What `toolkit bundle` takes to machines without a network.",
    "examples": "What ./quickstart installs.",
    "test": "What ./check installs, and most environments of tox.ini.",
    "bench": "What `tox -e bench` installs.",
    "ddl": "What `tox -e ddl` installs.",
    "report": "What `tox -e report` installs.",
    "record": "What `tox -e record` installs.",
    "peers": "What `tox -e bench` measures the tool beside, from benchmarks/peers.in.",
}


def compile_argv(words: tuple[str, ...], output: Path, *, hashes: bool) -> list[str]:
    """uv's command line that resolves pyproject.toml with `words` into `output`."""
    constrained = ("--constraints", "constraints.txt", "--generate-hashes") if hashes else ()
    return _compile(("pyproject.toml", *words, *constrained), output)


def _compile(words: tuple[str, ...], output: Path) -> list[str]:
    return [
        *(uv.find_uv_bin(), "pip", "compile", *words, "--universal", "--python-version", "3.11"),
        *("--only-binary", ":all:", "--no-header", "--no-annotate", "--quiet", "--output-file", str(output)),
    ]


def main() -> None:
    """Resolve, then write every file."""
    constraints = TOP / "constraints.txt"
    upgrade = ("--upgrade",) if "--upgrade" in sys.argv[1:] else ()
    subprocess.run(compile_argv((*_ALL, *upgrade), constraints, hashes=False), cwd=TOP, check=True)
    pins = constraints.read_text()
    constraints.write_text(_HEADER.format(use="Versions alone; `requirements/` has the hashes.") + pins)
    for name, use in _USES.items():
        file = TOP / "requirements" / f"{name}.txt"
        file.parent.mkdir(exist_ok=True)
        file.unlink(missing_ok=True)
        constrained = name in FILES
        argv = (
            compile_argv(FILES[name], file, hashes=True)
            if constrained
            else _compile((*_OTHERS[name], "--generate-hashes"), file)
        )
        subprocess.run(argv, cwd=TOP, check=True)
        file.write_text(_HEADER.format(use=use) + file.read_text())


if __name__ == "__main__":
    main()
