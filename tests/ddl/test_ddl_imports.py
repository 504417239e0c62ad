"""What waits for an import: each in a process of its own, as imports last."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from in_process import run

START = """
import importlib, importlib.abc, importlib.machinery, importlib.util, sys, threading
def act(module): print('acted', module.value)
def wait():
    from ddl.import_hooks import when_imported
    when_imported('late', act)
"""

ANOTHER_FINDER = """
class Finder:
    def find_spec(self, name, path=None, target=None):
        return importlib.machinery.PathFinder.find_spec(name, path, target) if name == 'late' else None
sys.meta_path.insert(0, Finder())
"""

ASKS_ALL = """
class Finder:
    asking = False
    def find_spec(self, name, path=None, target=None):
        if name != 'late' or self.asking:
            return None
        self.asking = True
        spec = importlib.util.find_spec(name)
        self.asking = False
        return spec
sys.meta_path.insert(0, Finder())
"""

KNOWS_FILE = """
class Finder:
    file = importlib.util.find_spec('late').origin
    def find_spec(self, name, path=None, target=None):
        return importlib.util.spec_from_file_location(name, self.file) if name == 'late' else None
sys.meta_path.insert(0, Finder())
"""

SLOTS = """
class Loader:
    __slots__ = ()
    def create_module(self, spec): return None
    def exec_module(self, module):
        module.value = 1
        if module.__name__ == 'late': print('imported')
class Finder:
    loader = Loader()
    def find_spec(self, name, path=None, target=None):
        return importlib.machinery.ModuleSpec(name, self.loader) if name in ('late', 'other') else None
sys.meta_path.insert(1, Finder())
import other
print('that was another of the same loader')
"""

LATER_IMPORT = "import late, colorsys"

WAYS = {
    "plainly": "import late",
    "from": "from late import value",
    "a part first": "import late.part",
    "by name": "importlib.import_module('late')",
    "by __import__": "__import__('late')",
    "in a function": "def load():\n    import late\nload()\nload()",
    "in a thread": """
thread = threading.Thread(target=importlib.import_module, args=('late',))
thread.start()
thread.join()""",
    "in many threads": """
threads = [threading.Thread(target=importlib.import_module, args=('late',)) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]""",
    "after a question": "importlib.util.find_spec('late')\nimport late",
    "after many questions": "[importlib.util.find_spec('late') for _ in range(5)]\nimport late",
    "after finders were asked": "[finder.find_spec('late', None) for finder in sys.meta_path]\nimport late",
    "after a question for a part": "importlib.util.find_spec('late.part')",
    "by an answer kept": """
spec = importlib.util.find_spec('late')
module = sys.modules['late'] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)""",
    "by an answer kept, unregistered": """
spec = importlib.util.find_spec('late')
spec.loader.exec_module(importlib.util.module_from_spec(spec))""",
    "lazily": """
spec = importlib.util.find_spec('late')
spec.loader = importlib.util.LazyLoader(spec.loader)
module = sys.modules['late'] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
import colorsys
print('not yet')
module.value""",
    "after another finder came first": f"{ANOTHER_FINDER}\n{LATER_IMPORT}",
    "after a finder that asks all came first": f"{ASKS_ALL}\nimport late",
    "with finders in another order": "sys.meta_path.reverse()\nimport late, colorsys",
    "without its finder": "del sys.meta_path[0]\nimport late",
    "by a finder that knows the file": f"{KNOWS_FILE}\nimport late\nfrom ddl.import_hooks import catch_up\ncatch_up()",
    "by a loader that cannot be changed": f"{SLOTS}\nimport late",
}


@pytest.fixture
def modules(tmp_path: Path) -> str:
    (tmp_path / "late").mkdir()
    (tmp_path / "late" / "__init__.py").write_text("value = 1\nprint('imported')\n")
    (tmp_path / "late" / "part.py").write_text("")
    return str(tmp_path)


def reported(program: str, *folders: str) -> list[str]:
    done = run(START + program, *folders)
    assert done.stderr == ""
    return [line for line in done.stdout.splitlines() if line in ("imported", "acted 1", "before", "after")]


@pytest.mark.parametrize("way", WAYS)
def test_it_acts_once_on_a_module_imported(way: str, modules: str) -> None:
    assert reported(f"wait()\n{WAYS[way]}\nprint('after')", modules) == ["imported", "acted 1", "after"]


@pytest.mark.parametrize("way", [way for way in WAYS if "finder" not in way and "unregistered" not in way])
def test_it_acts_once_where_the_module_was_there_before(way: str, modules: str) -> None:
    assert reported(f"{WAYS[way]}\nprint('before')\nwait()", modules) == ["imported", "before", "acted 1"]


@pytest.mark.parametrize(
    ("way", "next_way"), list(itertools.permutations(["plainly", "by name", "after a question"], 2))
)
def test_it_does_not_act_again_on_a_module_imported_again(way: str, next_way: str, modules: str) -> None:
    assert reported(f"wait()\n{WAYS[way]}\n{WAYS[next_way]}", modules) == ["imported", "acted 1"]


def test_it_acts_on_each_module_that_is_executed(modules: str) -> None:
    program = "wait()\nimport late\ndel sys.modules['late']\nimport late\nimportlib.reload(late)"
    assert reported(program, modules) == ["imported", "acted 1"] * 3


def test_one_answer_executed_twice_is_two_modules(modules: str) -> None:
    program = """
wait()
spec = importlib.util.find_spec('late')
for _ in range(2):
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
"""
    assert reported(program, modules) == ["imported", "acted 1"] * 2


def test_an_answer_from_before_is_acted_on_once_it_is_executed_to_its_end(modules: str) -> None:
    Path(modules, "late", "__init__.py").write_text("import colorsys\nvalue = 1\nprint('imported')\nimport late.part")
    program = """
spec = importlib.util.find_spec('late')
wait()
module = sys.modules['late'] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
print('before')
import wave
"""
    assert reported(program, modules) == ["imported", "before", "acted 1"]


def test_what_is_acted_on_while_another_is_being_imported_may_put_it_off(modules: str) -> None:
    Path(modules, "late", "__init__.py").write_text("import early\nvalue = 1\nprint('imported')\n")
    Path(modules, "early.py").write_text("value = 1")
    program = """
from ddl.import_hooks import catch_up, is_loading, when_imported
def act_on_both(_):
    print('after')
    catch_up()
def act_on_early(module):
    if is_loading('late'):
        return False
    act(module)
when_imported('late', act_on_both)
when_imported('early', act_on_early)
import late
"""
    assert reported(program, modules) == ["imported", "after", "acted 1"]


def test_a_module_that_is_not_there_stays_missing_and_may_come(modules: str) -> None:
    program = f"""
wait()
assert importlib.util.find_spec('late') is None
try:
    import late
except ModuleNotFoundError as error:
    print(error)
sys.path.append({modules!r})
importlib.invalidate_caches()
import late
"""
    assert run(START + program).stdout.split("\n")[:-1] == ["No module named 'late'", "imported", "acted 1"]


def test_an_import_that_fails_does_not_act_and_may_be_tried_again(modules: str) -> None:
    file = Path(modules, "late", "__init__.py")
    file.write_text("raise ImportError('broken')")
    program = f"""
wait()
for _ in range(2):
    try:
        import late
    except ImportError:
        print('before')
open({str(file)!r}, 'w').write("value = 1; print('imported')  # longer than before")
importlib.invalidate_caches()
import late
"""
    assert reported(program, modules) == ["before", "before", "imported", "acted 1"]


@pytest.mark.parametrize("value", ["None", "type(sys)('late')", "object()"])
def test_what_a_program_puts_in_a_modules_place_is_left_alone(value: str, modules: str) -> None:
    assert reported(f"sys.modules['late'] = {value}\nwait()\nimport colorsys\nprint('after')", modules) == ["after"]


def test_a_module_that_another_one_takes_the_place_of(modules: str) -> None:
    Path(modules, "late", "__init__.py").write_text(
        "import sys\nclass Other(type(sys)):\n    value = 1\nprint('imported')\nsys.modules[__name__] = Other('late')"
    )
    assert reported("wait()\nimport late\nprint('after')", modules) == ["imported", "acted 1", "after"]


def test_a_module_keeps_what_its_own_loader_can_do(modules: str) -> None:
    Path(modules, "late", "data.txt").write_text("text")
    program = """
wait()
import copy, importlib.resources, inspect, late, pkgutil, runpy
assert importlib.resources.files('late').joinpath('data.txt').read_text() == 'text'
assert pkgutil.get_data('late', 'data.txt') == b'text'
assert inspect.getsource(late).startswith('value = 1')
assert late.__loader__.is_package('late') and late.__spec__.origin == late.__file__
copy.copy(late.__loader__)
"""
    assert reported(program, modules) == ["imported", "acted 1"]
