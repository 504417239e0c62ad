"""What short commands import: it is most of their time, and comes back unnoticed (docs/performance.md)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = "examples/mnist/manifest.yml"
TRANSFERS = ("boto3", "botocore", "docker", "fabric", "invoke", "jinja2", "paramiko", "requests", "urllib3")
"""Clients of engines, stores and hosts, and what builds images."""
READERS = tuple(f"toolkit.user_packages.{name}" for name in ("conda", "pins", "pipfile", "pyproject"))
"""Of requirement files that the example does not have."""


def imported(folder: Path, *words: str) -> list[str]:
    """The modules that a command has imported when it ends."""
    program = (
        "import sys\nfrom toolkit.cli.main import main\n"
        "try: main(sys.argv[1:])\nexcept SystemExit: pass\n"
        "print('\\nIMPORTED', *sys.modules)"
    )
    environment = {**os.environ, "TOOLKIT_HOME": str(folder / "home"), "DOCKER_HOST": f"unix://{folder}/no-engine"}
    argv = [sys.executable, "-c", program, *words]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, env=environment, timeout=60)
    return done.stdout.rpartition("\nIMPORTED ")[2].split()


@pytest.mark.parametrize(
    ("words", "absent", "most"),
    [
        (["--help"], (*TRANSFERS, "json", "pydantic", "rich", "threading", "traceback", "typing", "yaml"), 12),
        (["runs", "--json"], (*TRANSFERS, "packaging", "rich.console", "toolkit.run.launch", "yaml"), 60),
        (["manifest", "check", EXAMPLE], (*TRANSFERS, "packaging", "rich", "toolkit.user_packages"), 98),
        (
            ["launch", "--dry-run", EXAMPLE],
            (*TRANSFERS, *READERS, "packaging.requirements", "rich", "toolkit.image.build"),
            210,
        ),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else "",
)
def test_a_short_command_imports_no_more_than_it_needs(
    tmp_path: Path, words: list[str], absent: tuple[str, ...], most: int
) -> None:
    """`most`: of the tool's own modules. If a command really needs more, raise it; the list is its time."""
    found = imported(tmp_path, *words)
    own = [name for name in found if name.partition(".")[0] == "toolkit"]
    assert [name for name in absent if name in found] == []
    assert len(own) <= most, sorted(own)
