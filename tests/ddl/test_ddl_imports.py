"""What waits for an import: each in a process of its own, as imports last."""

from pathlib import Path

import pytest
from in_process import run

WAIT = "from ddl.imports import when_imported; when_imported('late', lambda: print('acted', late_is()))"
KNOWS = "import sys\ndef late_is(): return getattr(sys.modules.get('late'), 'value', None)"


@pytest.fixture
def modules(tmp_path: Path) -> str:
    (tmp_path / "late").mkdir()
    (tmp_path / "late" / "__init__.py").write_text("value = 1\nprint('imported')\n")
    (tmp_path / "late" / "part.py").write_text("")
    return str(tmp_path)


def test_it_acts_once_right_after_the_import(modules: str) -> None:
    done = run(f"{KNOWS}\n{WAIT}\nprint('before')\nimport late.part\nimport late\nprint('after')", modules)
    assert done.stdout.split("\n")[:-1] == ["before", "imported", "acted 1", "after"]


def test_it_acts_at_once_where_the_module_is_there(modules: str) -> None:
    done = run(f"{KNOWS}\nimport late\n{WAIT}\nprint('after')", modules)
    assert done.stdout.split("\n")[:-1] == ["imported", "acted 1", "after"]


def test_a_module_that_is_not_there_stays_missing_and_may_come(modules: str) -> None:
    program = f"""{KNOWS}
{WAIT}
try:
    import late
except ModuleNotFoundError as error:
    print(error)
sys.path.append({modules!r})
import importlib
importlib.invalidate_caches()
import late
"""
    assert run(program).stdout.split("\n")[:-1] == ["No module named 'late'", "imported", "acted 1"]


def test_an_import_that_fails_does_not_act(modules: str) -> None:
    Path(modules, "late", "__init__.py").write_text("raise ImportError('broken')")
    done = run(f"{KNOWS}\n{WAIT}\ntry:\n    import late\nexcept ImportError as error:\n    print(error)", modules)
    assert done.stdout == "broken\n"
