"""Python interface of the native engine, ``libddl_engine.so``: collectives on buffers in this process's memory.

Its contract is documented in ``engine.h``. It knows neither NumPy nor a framework: `ddl.arrays` passes it NumPy's
memory and `ddl.torch` PyTorch's. TensorFlow's ops (`ddl.tensorflow.ops`) call the same engine directly.
"""

from __future__ import annotations

import ctypes
import functools
import os
import sys
import sysconfig
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from ddl.exit_status import exit_status

ALLREDUCE, BROADCAST = 0, 1
_DDL_FAILED, _DDL_DIVERGED = 5, 6
REDUCTIONS = {"sum": 0, "avg": 1, "min": 2, "max": 3}
TYPES = {"float16": 0, "bfloat16": 1, "float32": 2, "float64": 3, "int32": 4, "int64": 5, "bytes": 6}

_LIBRARY = "libddl_engine.so"
_CLOSE_SECONDS = 1.0  # for collectives that nobody waits for any more


class EngineError(RuntimeError):
    """An error reported by the engine."""


class RanksDiverged(EngineError):
    """The ranks do not train one model: one takes steps in which the others do not take part."""


@dataclass(frozen=True)
class Buffer:
    """One dense, row-major tensor in this process's memory; it is reduced in place.

    Attributes:
        address: of its first element.
        shape: in elements.
        type: a key of `TYPES`.
        owner: kept alive for as long as the engine may write to the memory.
        element: what an element represents if not a number of `type`, such as ``complex64``; must be equal on all
            ranks.
        element_bytes: size of one element, a multiple of the type's size; 0: the type's size.
    """

    address: int
    shape: tuple[int, ...]
    type: str
    owner: Any = None
    element: str = ""
    element_bytes: int = 0


class _Tensor(ctypes.Structure):
    _fields_ = (
        ("input", ctypes.c_void_p),
        ("output", ctypes.c_void_p),
        ("dims", ctypes.POINTER(ctypes.c_int64)),
        ("ndims", ctypes.c_int32),
        ("type", ctypes.c_int32),
        ("element", ctypes.c_char_p),
        ("element_bytes", ctypes.c_int64),
    )


class _Counters(ctypes.Structure):
    _fields_ = (
        ("collectives", ctypes.c_int64),
        ("batches", ctypes.c_int64),
        ("bytes", ctypes.c_int64),
        ("seconds_negotiating", ctypes.c_double),
        ("seconds_transferring", ctypes.c_double),
    )


_ComparisonCallback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int64, ctypes.c_int64)


class Handle:
    """A collective in flight; `wait` must be called once."""

    def __init__(self, engine: Engine, handle: int, buffers: Sequence[Buffer]) -> None:
        self._engine, self._handle, self._pieces = engine, handle, buffers

    def is_done(self) -> bool:
        """Whether `wait` would return at once."""
        return bool(self._engine.library.ddl_poll(self._handle))

    def wait_with_timeout(self, seconds: float) -> None:
        """Wait for the result with a timeout. If this raises, `wait` must not be called.

        Raises:
            EngineError: timed out. The engine may still write to the buffers, so they are never freed.
        """
        deadline = time.monotonic() + seconds
        while not self.is_done():
            if time.monotonic() > deadline:
                ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._pieces))
                raise EngineError(f"ddl: timed out after {seconds:g} s of waiting for the other ranks")
            time.sleep(0.01)

    def wait(self) -> None:
        """Wait for the result, which is then in the buffers.

        Raises:
            EngineError: ranks differ about this collective, or one has shut down.
        """
        self._engine.check(self._engine.library.ddl_wait(self._handle))
        self._pieces = ()


class Engine:
    """The started engine of this process. Every rank creates one, once."""

    def __init__(self, options: str, local_rank: int) -> None:
        self.library = _load()
        self._process = os.getpid()
        self.check(self.library.ddl_init(options.encode(), local_rank))

    def check(self, code: int) -> None:
        """Raise EngineError if `code` is not 0."""
        if code:
            kind = RanksDiverged if code == _DDL_DIVERGED else EngineError
            raise kind(f"ddl: {self.library.ddl_last_error().decode(errors='replace')}")

    def start(
        self, name: str, buffers: Sequence[Buffer], kind: int = ALLREDUCE, reduction: str = "sum", root: int = 0
    ) -> Handle:
        """Start a collective; the other ranks start it under the same name, with the same shapes and types.

        Args:
            name: see `ddl.threads`.
            reduction: a key of `REDUCTIONS`, for ``ALLREDUCE``.
            root: the rank whose values all ranks get, for ``BROADCAST``.
        Raises:
            EngineError: invalid arguments; nothing is started then.
        """
        dims = [(ctypes.c_int64 * len(buffer.shape))(*buffer.shape) for buffer in buffers]
        tensors = (_Tensor * len(buffers))(
            *(
                _Tensor(
                    *(buffer.address, buffer.address, shape, len(buffer.shape), TYPES[buffer.type]),
                    *(buffer.element.encode(), buffer.element_bytes),
                )
                for buffer, shape in zip(buffers, dims, strict=True)
            )
        )
        op_or_root = root if kind == BROADCAST else REDUCTIONS[reduction]
        handle = self.library.ddl_start(name.encode(), kind, op_or_root, tensors, len(buffers))
        if handle <= 0:
            self.check(-1)
        return Handle(self, handle, buffers)

    def report_guard_steps(self, name: str, steps: int) -> None:
        """Report how many training steps this rank has taken, before a collective of the divergence guard is started.

        Args:
            name: of that collective, beginning with ``guard: ``. It may then raise `RanksDiverged`.
        """
        self.library.ddl_guard_steps(name.encode(), steps)

    def count_guard_steps(self, key: int, steps: int = 0) -> int:
        """Count steps under a key, as TensorFlow's op ``GuardStep`` does; returns the new count."""
        return int(self.library.ddl_guard_count(key, steps))

    def set_comparison(self, compare: Callable[[int, int], None]) -> None:
        """Register a function that is called with the key and the number of steps whenever ``GuardStep`` finds a
        comparison due.

        Args:
            compare: called in a thread that Python did not create; the op fails with what it raises.
        """

        def compare_and_report(key: int, steps: int) -> int:
            try:
                compare(key, steps)
            except BaseException as error:
                message = str(error).removeprefix("ddl: ") if isinstance(error, EngineError) else repr(error)
                return int(self.library.ddl_set_error(_DDL_FAILED, message.encode()))
            return 0

        self._comparison = _ComparisonCallback(compare_and_report)  # keep a reference: the library calls it
        self.library.ddl_guard_set_comparison(self._comparison)

    @property
    def reductions(self) -> int:
        """Number of reductions this rank has submitted so far, without the divergence guard's."""
        return int(self.library.ddl_reductions())

    @property
    def collectives(self) -> int:
        """Number of collectives completed so far."""
        counters = _Counters()
        self.library.ddl_read_counters(ctypes.byref(counters))
        return int(counters.collectives)

    @property
    def is_own(self) -> bool:
        """Whether this process started it, rather than inherited it from the process that forked this one."""
        return self._process == os.getpid()

    def close(self) -> None:
        """Start no more collectives; those in flight complete now, while Python still keeps their memory.

        The library shuts down by itself at process exit, or aborts the job: only then is the exit status certain. A
        rank that may be failing does not shut down here, as it would wait for the others.
        """
        status = exit_status()
        self.library.ddl_close(_CLOSE_SECONDS, -1 if status is None else status)

    def shutdown(self) -> None:
        """Shut down: no more collectives from this rank. Waits until every rank has shut down."""
        self.library.ddl_shutdown()

    def abort(self, why: str, status: int = 1) -> NoReturn:
        """Abort every rank of the job with this exit status."""
        self.library.ddl_abort(why.encode(), status)
        os._exit(status)  # not reached: the library's function does not return


def digest(address: int, size: int) -> int:
    """A digest of `size` bytes of this process's memory, from 0 to 2**64 - 1; never changes for the same bytes."""
    return int(_load().ddl_digest(address, size))


class DisabledEngine(Engine):
    """Replaces the engine where it may not be started: every use raises."""

    def __init__(self, why: str) -> None:
        self._why = why

    def start(self, name: str, *_: Any, **__: Any) -> Handle:
        raise EngineError(f"ddl: {name}: {self._why}")

    @property
    def collectives(self) -> int:
        return 0

    @property
    def is_own(self) -> bool:
        return False

    def close(self) -> None:
        pass

    def shutdown(self) -> None:
        pass

    def abort(self, why: str, status: int = 1) -> NoReturn:
        sys.exit(f"ddl: {why}" if status == 1 else status)


def library_directory() -> Path | None:
    """Where the native libraries are installed: in this package, beside it (images), or None: the system's search
    path.
    """
    package = Path(__file__).parent
    return next(
        (directory for directory in (package / "lib", package.parent / "lib") if (directory / _LIBRARY).exists()), None
    )


@functools.cache
def _load() -> Any:
    directory = library_directory()
    try:
        # Global, so that TensorFlow's and PyTorch's libraries do not bring a second MPI's symbols before it.
        library = ctypes.CDLL(str(directory / _LIBRARY) if directory else _LIBRARY, mode=os.RTLD_NOW | os.RTLD_GLOBAL)
    except OSError as error:
        raise EngineError(
            f"ddl: the native library cannot be loaded: {error}\n"
            f"  next: put {_LIBRARY} on LD_LIBRARY_PATH or beside the package (lib/), and install Open MPI's libmpi.so"
        ) from None
    # The framework, from whose libraries NVIDIA's are found, may be imported only later.
    library.ddl_add_search_path(sysconfig.get_path("purelib").encode())
    library.ddl_start.restype = ctypes.c_int64
    library.ddl_start.argtypes = [
        ctypes.c_char_p,
        ctypes.c_int,
        ctypes.c_int,
        ctypes.POINTER(_Tensor),
        ctypes.c_int,
    ]
    library.ddl_wait.argtypes = library.ddl_poll.argtypes = [ctypes.c_int64]
    library.ddl_init.argtypes = [ctypes.c_char_p, ctypes.c_int]
    library.ddl_close.argtypes = [ctypes.c_double, ctypes.c_int]
    library.ddl_abort.argtypes = [ctypes.c_char_p, ctypes.c_int]
    library.ddl_last_error.restype = ctypes.c_char_p
    library.ddl_guard_steps.argtypes = [ctypes.c_char_p, ctypes.c_int64]
    library.ddl_guard_count.restype = ctypes.c_int64
    library.ddl_guard_count.argtypes = [ctypes.c_int64, ctypes.c_int64]
    library.ddl_guard_set_comparison.argtypes = [_ComparisonCallback]
    library.ddl_set_error.argtypes = [ctypes.c_int, ctypes.c_char_p]
    library.ddl_reductions.restype = ctypes.c_int64
    library.ddl_digest.restype = ctypes.c_uint64
    library.ddl_digest.argtypes = [ctypes.c_void_p, ctypes.c_int64]
    return library
