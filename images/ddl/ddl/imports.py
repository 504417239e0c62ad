"""Acting when a module has been imported: `import ddl` must load no framework, but change the one that comes.

One finder stands in front of the others for as long as the process lives. For a module that is waited for it asks the
others, and puts a loader around the one that they name, which acts after each execution: so it does not matter who asks
for the module's spec, how often, or when the spec is executed. Python's own finder of files does the same, for where
another one has come to stand in front of all.

A module may still get past both: its spec was found before they were there, or another finder knows the file by
itself. So there is `catch_up`, which looks for modules that are there and have not been acted on: at each import that
comes by here, each call of ddl's, and each first gradient of a variable of TensorFlow's.
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

Act = Callable[[ModuleType], bool | None]
"""What is done with a module. False: it cannot be done yet, and is tried again whenever this catches up."""


def when_imported(name: str, act: Act) -> None:
    """Call ``act`` with a module after each of its executions: now where it is there, else when it is imported.

    Args:
        name: with all its packages, such as ``tensorflow.python.keras``. None of them is imported for it.
        act: may be called for several modules of that name, and more than once for one that is executed again.
    """
    _finder.acts[name] = act
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)
    _watch_files()
    catch_up()


def _watch_files() -> None:
    find = importlib.machinery.PathFinder.find_spec.__func__  # type: ignore[attr-defined]
    if hasattr(find, "ddl_wraps"):
        return

    @functools.wraps(find)
    def find_and_watch(cls: Any, fullname: str, path: Any = None, target: Any = None) -> Any:
        catch_up()
        return _with_acting_loader(fullname, find(cls, fullname, path, target))

    find_and_watch.ddl_wraps = find  # type: ignore[attr-defined]
    importlib.machinery.PathFinder.find_spec = classmethod(find_and_watch)  # type: ignore[assignment]


def catch_up() -> None:
    """Act on the modules that were imported unseen. Cheap where there are none."""
    for name, module in unseen():
        _finder.act(name, module)


def unseen() -> Iterator[tuple[str, ModuleType]]:
    """The modules that are waited for, are loaded, and have not been acted on."""
    for name in tuple(_finder.acts):
        module = sys.modules.get(name)
        if isinstance(module, ModuleType) and module not in _finder.seen and _is_loaded(module):
            yield name, module


def is_loading(name: str) -> bool:
    """Whether a module is being imported right now: it is there, but has not got all that it is going to have."""
    module = sys.modules.get(name)
    return (
        isinstance(module, ModuleType)
        and module not in _finder.seen
        and _spec(module) is not None
        and _is_executing(module)
    )


def _is_loaded(module: ModuleType) -> bool:
    return _spec(module) is not None and not _is_executing(module)


def _spec(module: ModuleType) -> Any:
    """A module's spec; None of a lazy one that is not loaded yet, and of a stand-in that a program made."""
    # Not by the module's own attributes: asking a lazy one for any of them would load it.
    lazy = type(module).__name__ == "_LazyModule"
    return None if lazy else object.__getattribute__(module, "__dict__").get("__spec__")


def _is_executing(module: ModuleType) -> bool:
    """Whether a thread is executing a module: Python notes that only where it does so by an import."""
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
    """Finds nothing by itself: lets the others find a module, and has its loader act afterwards."""

    def __init__(self) -> None:
        self.acts: dict[str, Act] = {}
        self.seen: weakref.WeakSet[ModuleType] = weakref.WeakSet()
        self._asking = threading.local()

    def act(self, name: str, module: ModuleType) -> None:
        self.seen.add(module)  # first: what is imported for the act comes by here, too
        acted: bool | None = False
        try:
            acted = self.acts[name](module)
        finally:
            if acted is False:
                self.seen.discard(module)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        catch_up()
        asking: set[str] = self._asking.__dict__.setdefault("names", set())
        if fullname not in self.acts or fullname in asking:  # the latter: another finder of this kind asks all again
            return None
        asking.add(fullname)
        try:
            spec = self._find_elsewhere(fullname, path, target)
        finally:
            asking.discard(fullname)
        return _with_acting_loader(fullname, spec)

    def _find_elsewhere(self, *asked_for: Any) -> importlib.machinery.ModuleSpec | None:
        for finder in tuple(sys.meta_path):
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec = None if find is None else find(*asked_for)
            if spec is not None:
                return spec
        return None


_finder = _Finder()


def _with_acting_loader(
    name: str, spec: importlib.machinery.ModuleSpec | None
) -> importlib.machinery.ModuleSpec | None:
    loader = None if spec is None else spec.loader
    if name in _finder.acts and hasattr(loader, "exec_module") and not isinstance(loader, _ActingLoader):
        spec.loader = _ActingLoader(loader, name)
    return spec


class _ActingLoader(importlib.abc.Loader):
    """A module's own loader in all that it can do, which acts after it has executed the module."""

    def __init__(self, loader: importlib.abc.Loader, name: str) -> None:
        self._loader, self._name = loader, name

    def __getattr__(self, name: str) -> Any:
        if name == "_loader":  # not there yet while a copy of this is made
            raise AttributeError(name)
        return getattr(self._loader, name)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        create = getattr(self._loader, "create_module", None)
        return None if create is None else create(spec)

    def exec_module(self, module: ModuleType) -> None:
        registered = sys.modules.get(self._name) is module
        self._loader.exec_module(module)
        if registered:  # it may have put another in its own place
            module = sys.modules.get(self._name, module)
        _finder.act(self._name, module)
