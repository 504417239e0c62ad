"""Programs in sh and bash: each a file beside the module that has a host or a container run it, under shellcheck."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def shell_program(package: str, name: str) -> str:
    """The text of the file `name` in the package, `toolkit.doctor.topics`. It is package data: a wheel has it, too."""
    return files(package).joinpath(name).read_text(encoding="utf-8")
