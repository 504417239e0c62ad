"""Acting when a module is imported: `import ddl` must load no framework, but change the one that comes."""

from __future__ import annotations

import functools
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Callable, Sequence
from types import ModuleType


def when_imported(name: str, act: Callable[[], None]) -> None:
    """Call ``act`` once the top-level module is imported: now where it is, else right after its first import."""
    if name in sys.modules:
        act()
    else:
        sys.meta_path.insert(0, _Waiting(name, act))


class _Waiting(importlib.abc.MetaPathFinder):
    """Finds nothing by itself: lets the others find the module, and has its loader call ``act`` afterwards."""

    def __init__(self, name: str, act: Callable[[], None]) -> None:
        self._name, self._act = name, act

    def find_spec(
        self, fullname: str, _: Sequence[str] | None, __: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._name:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is None or spec.loader is None:
            sys.meta_path.insert(0, self)  # it may be there later
            return None
        execute = spec.loader.exec_module

        @functools.wraps(execute)
        def execute_and_act(module: ModuleType) -> None:
            execute(module)
            self._act()

        spec.loader.exec_module = execute_and_act  # type: ignore[method-assign]
        return spec
