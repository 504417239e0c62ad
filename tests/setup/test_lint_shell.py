"""shellcheck sees every shell program, templates filled in, and its findings fail the lint."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

from toolkit.paths import assets


@pytest.fixture
def lint(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """setup/lint_shell.py, with the shellcheck of the tests' own environment on the path."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    spec = importlib.util.spec_from_file_location("lint_shell", assets() / "setup" / "lint_shell.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_programs_are_found_by_their_name_or_their_first_line(lint: ModuleType, tmp_path: Path) -> None:
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    for name, text in {
        "check": "#!/bin/sh\n",
        "start": "#! /usr/bin/env bash\n",
        "ddlrun": "#!/usr/bin/env python3\n",
        "part.sh": "echo\n",
        "more.bash": "echo\n",
        "rank.sh.j2": "echo\n",
        "page.md": "#!/bin/sh\n",
        ".venv/bin/activate": "#!/bin/sh\n",
    }.items():
        (tmp_path / name).write_text(text)
    found = [file.name for file in lint.shell_programs(tmp_path)]
    assert found == ["check", "more.bash", "part.sh", "rank.sh.j2", "start"]


def test_the_project_s_own_are_among_them(lint: ModuleType) -> None:
    found = {str(file.relative_to(assets())) for file in lint.shell_programs(assets())}
    assert found >= {
        *("check", "quickstart", ".ci/run", "setup/machine.sh", "images/lab-host/start.sh"),
        *("templates/learner.rank.sh.j2", "toolkit/leases/host_script.sh", "toolkit/doctor/fact_script.sh"),
    }
    assert set(lint.EXCLUDED) <= found


def test_a_finding_fails_it_and_names_the_file(
    lint: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "good.sh").write_text('#!/bin/sh\nrm -rf "$1"\n')
    assert (lint.main(tmp_path), capsys.readouterr().out) == (0, "")
    (tmp_path / "bad.sh").write_text("#!/bin/sh\nrm -rf $1\n")
    assert lint.main(tmp_path) == 1
    assert capsys.readouterr().out.startswith("bad.sh:2:8: note: Double quote")


def test_a_template_is_checked_for_the_first_learner_and_for_another(
    lint: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "#!/bin/sh\n{% if number == 1 %}echo {{ words }}{% else %}echo $1{% endif %}\n"
    (tmp_path / "rank.sh.j2").write_text(text)
    assert lint.main(tmp_path) == 1
    assert capsys.readouterr().out.startswith("rank.sh.j2 (learner 2):2:6: note: Double quote")
