"""Running mmdebstrap: its steps as they begin, its last lines where it fails."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence

from toolkit.errors import Code, ToolkitError
from toolkit.process import stream
from toolkit.urls import redact_urls

_LAST_LINES = 20
_WIDEST = 300
"""Characters of a line that are kept: mmdebstrap repeats a command with all its packages when it fails."""
_NO_NAMESPACE = "(and without root: `uidmap`)"
_PACKAGES = {"unshare": "util-linux"}
"""Programs whose package has another name."""


def run_mmdebstrap(
    argv: Sequence[str],
    environment: Mapping[str, str],
    on_step: Callable[[str], None],
    *,
    failed: str,
    hint: str,
    data: str | None = None,
) -> None:
    """Run `argv` with `data` on its standard input; `on_step` gets each step that it names.

    Raises `ToolkitError` (S103): `failed` with its last lines and `hint`, or where a program of `argv` is missing.
    """
    for program in ("mmdebstrap", argv[0]):
        if shutil.which(program) is None:
            hint = f"sudo apt-get install {_PACKAGES.get(program, program)} (Debian, Ubuntu)"
            raise ToolkitError(Code.IMAGE, f"{program} is not installed", hint=hint)
    last: list[str] = []

    def on_line(line: str) -> None:
        last.append(line[:_WIDEST])
        del last[:-_LAST_LINES]
        if line.startswith("I: "):
            on_step(redact_urls(line.removeprefix("I: ").rstrip(".")))

    status = stream(argv, on_line, environment={**environment, "LC_ALL": "C.UTF-8"}, data=data)
    if status != 0:
        raise ToolkitError(Code.IMAGE, failed, evidence="\n".join(last), hint=f"{hint} {_NO_NAMESPACE}")
