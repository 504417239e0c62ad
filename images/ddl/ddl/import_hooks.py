"""Hooks that run when a module has been imported: `import ddl` must not load a framework, but must change the one that
the program imports.

A finder is placed in front of the others for the life of the process. For a module with a hook it asks the others, and
wraps the loader that they return in one that runs the hook after each execution: so it does not matter who asks for the
module's spec, how often, or when the spec is executed. Python's own path finder is patched to do the same, in case
another finder is later placed in front of all.

A module may still bypass both: its spec was found before they were installed, or another finder loads the file itself.
So `catch_up` looks for modules that are loaded and have not been handled: at each import seen here, each call into ddl,
and each first gradient of a TensorFlow variable.
"""

from __future__ import annotations

import functools
import importlib.abc
import importlib.machinery
import sys
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from types import FrameType, ModuleType
from typing import Any

Hook = Callable[[ModuleType], bool | None]
"""What is done with a module. False: not possible yet; tried again at each `catch_up`."""


def when_imported(name: str, hook: Hook) -> None:
    """Call ``hook`` with a module after each of its executions: now if it is loaded, otherwise when it is imported.

    Args:
        name: the full name, such as ``tensorflow.python.keras``. None of its packages is imported for it.
        hook: may be called for several modules of that name, and more than once for one that is executed again.
    """
    _finder.hooks[name] = hook
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)
    _patch_path_finder()
    catch_up()


def _patch_path_finder() -> None:
    find = importlib.machinery.PathFinder.find_spec.__func__  # type: ignore[attr-defined]
    if hasattr(find, "ddl_wraps"):
        return

    @functools.wraps(find)
    def find_and_hook(cls: Any, fullname: str, path: Any = None, target: Any = None) -> Any:
        catch_up()
        return _with_hook_loader(fullname, find(cls, fullname, path, target))

    find_and_hook.ddl_wraps = find  # type: ignore[attr-defined]
    importlib.machinery.PathFinder.find_spec = classmethod(find_and_hook)  # type: ignore[assignment]


def catch_up() -> None:
    """Run the hooks of modules whose import was missed. Cheap if there are none."""
    for name, module in unhandled():
        _finder.hook(name, module)


def unhandled() -> Iterator[tuple[str, ModuleType]]:
    """Modules that have a hook, are loaded, and have not been handled."""
    for name in tuple(_finder.hooks):
        module = sys.modules.get(name)
        if isinstance(module, ModuleType) and module not in _finder.handled and _is_loaded(module):
            yield name, module


def is_loading(name: str) -> bool:
    """Whether a module is being imported right now: it exists, but is not complete."""
    module = sys.modules.get(name)
    return (
        isinstance(module, ModuleType)
        and module not in _finder.handled
        and _spec(module) is not None
        and _is_executing(module)
    )


def _is_loaded(module: ModuleType) -> bool:
    return _spec(module) is not None and not _is_executing(module)


def _spec(module: ModuleType) -> Any:
    """A module's spec; None for a lazy one that is not loaded yet, and for a stand-in that a program made."""
    # Not through the module's own attributes: accessing any of them would load a lazy module.
    lazy = type(module).__name__ == "_LazyModule"
    return None if lazy else object.__getattribute__(module, "__dict__").get("__spec__")


def _is_executing(module: ModuleType) -> bool:
    """Whether a thread is executing a module: Python records that only for imports."""
    if getattr(_spec(module), "_initializing", False):
        return True
    namespace = object.__getattribute__(module, "__dict__")
    return any(_executes(frame, namespace) for frame in sys._current_frames().values())


def _executes(frame: FrameType | None, namespace: dict[str, Any]) -> bool:
    while frame is not None:
        if frame.f_globals is namespace and frame.f_code.co_name == "<module>":
            return True
        frame = frame.f_back
    return False


class _Finder(importlib.abc.MetaPathFinder):
    """Finds nothing itself: lets the others find a module, and has its loader run the hook afterwards."""

    def __init__(self) -> None:
        self.hooks: dict[str, Hook] = {}
        self.handled: weakref.WeakSet[ModuleType] = weakref.WeakSet()
        self._searching = threading.local()

    def hook(self, name: str, module: ModuleType) -> None:
        self.handled.add(module)  # first: the hook's own imports come through here, too
        done: bool | None = False
        try:
            done = self.hooks[name](module)
        finally:
            if done is False:
                self.handled.discard(module)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        catch_up()
        searching: set[str] = self._searching.__dict__.setdefault("names", set())
        if (
            fullname not in self.hooks or fullname in searching
        ):  # the latter: another finder of this kind asks all again
            return None
        searching.add(fullname)
        try:
            spec = self._find_with_others(fullname, path, target)
        finally:
            searching.discard(fullname)
        return _with_hook_loader(fullname, spec)

    def _find_with_others(self, *arguments: Any) -> importlib.machinery.ModuleSpec | None:
        for finder in tuple(sys.meta_path):
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec = None if find is None else find(*arguments)
            if spec is not None:
                return spec
        return None


_finder = _Finder()


def _with_hook_loader(name: str, spec: importlib.machinery.ModuleSpec | None) -> importlib.machinery.ModuleSpec | None:
    loader = None if spec is None else spec.loader
    if name in _finder.hooks and hasattr(loader, "exec_module") and not isinstance(loader, _HookLoader):
        spec.loader = _HookLoader(loader, name)
    return spec


class _HookLoader(importlib.abc.Loader):
    """Delegates everything to a module's own loader, and runs the hook after the module was executed."""

    def __init__(self, loader: importlib.abc.Loader, name: str) -> None:
        self._loader, self._name = loader, name

    def __getattr__(self, name: str) -> Any:
        if name == "_loader":  # not set yet while this is being copied
            raise AttributeError(name)
        return getattr(self._loader, name)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        create = getattr(self._loader, "create_module", None)
        return None if create is None else create(spec)

    def exec_module(self, module: ModuleType) -> None:
        registered = sys.modules.get(self._name) is module
        self._loader.exec_module(module)
        if registered:  # the module may have replaced itself
            module = sys.modules.get(self._name, module)
        _finder.hook(self._name, module)
