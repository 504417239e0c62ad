"""The native engine, ``libddl_engine.so``, as Python sees it: collectives on pieces of this process's memory.

What its functions promise is written in ``engine.h``. It knows neither NumPy nor a framework: `ddl.arrays` gives it
NumPy's memory and `ddl.torch` PyTorch's. TensorFlow's ops (`ddl.tensorflow.ops`) come to the same engine by themselves.
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
_FAILED, _DIVERGED = 5, 6
REDUCTIONS = {"sum": 0, "avg": 1, "min": 2, "max": 3}
TYPES = {"float16": 0, "bfloat16": 1, "float32": 2, "float64": 3, "int32": 4, "int64": 5, "bytes": 6}

_FILE = "libddl_engine.so"
_CLOSE_SECONDS = 1.0  # for collectives that nobody waits for any more


class EngineError(RuntimeError):
    """What the engine could not do, in its own words."""


class RanksDiverged(EngineError):
    """The ranks do not train one model: one takes steps that the others take no part in."""


@dataclass(frozen=True)
class Piece:
    """One dense, row-major tensor in this process's memory; it is reduced where it lies.

    Attributes:
        address: of its first element.
        shape: in elements.
        type: a key of `TYPES`.
        owner: kept alive for as long as the engine may write to it.
        element: what an element stands for where that is no number of `type`, as ``complex64``; ranks compare it.
        element_bytes: of one element, a multiple of the type's; 0, the type's.
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
        ("seconds_agreeing", ctypes.c_double),
        ("seconds_moving", ctypes.c_double),
    )


_Comparison = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int64, ctypes.c_int64)


class Started:
    """A collective that is on its way; `wait` must be called once."""

    def __init__(self, engine: Engine, handle: int, pieces: Sequence[Piece]) -> None:
        self._engine, self._handle, self._pieces = engine, handle, pieces

    def is_done(self) -> bool:
        """Whether `wait` would return at once."""
        return bool(self._engine.library.ddl_poll(self._handle))

    def wait_at_most(self, seconds: float) -> None:
        """Wait for the result, though not for ever. Where this raises, `wait` must not follow.

        Raises:
            EngineError: it has not come. The engine may write to the pieces until the process is over, so they stay.
        """
        until = time.monotonic() + seconds
        while not self.is_done():
            if time.monotonic() > until:
                ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._pieces))
                raise EngineError(f"ddl: the other ranks have not come within {seconds:g} s")
            time.sleep(0.01)

    def wait(self) -> None:
        """Wait for the result, which then lies where the pieces were.

        Raises:
            EngineError: ranks differ about this collective, or one has left.
        """
        self._engine.check(self._engine.library.ddl_wait(self._handle))
        self._pieces = ()


class Engine:
    """The engine of this process, started. Every rank makes one, once."""

    def __init__(self, options: str, local_rank: int) -> None:
        self.library = _load()
        self._process = os.getpid()
        self.check(self.library.ddl_init(options.encode(), local_rank))

    def check(self, code: int) -> None:
        """Raise EngineError where `code` is not 0."""
        if code:
            kind = RanksDiverged if code == _DIVERGED else EngineError
            raise kind(f"ddl: {self.library.ddl_last_error().decode(errors='replace')}")

    def start(
        self, name: str, pieces: Sequence[Piece], kind: int = ALLREDUCE, reduction: str = "sum", root: int = 0
    ) -> Started:
        """Begin a collective; the other ranks begin it under the same name, with the same shapes and types.

        Args:
            name: see `ddl.threads`.
            reduction: a key of `REDUCTIONS`, for ``ALLREDUCE``.
            root: the rank whose values all get, for ``BROADCAST``.
        Raises:
            EngineError: it cannot be; nothing is begun then.
        """
        dims = [(ctypes.c_int64 * len(piece.shape))(*piece.shape) for piece in pieces]
        tensors = (_Tensor * len(pieces))(
            *(
                _Tensor(
                    *(piece.address, piece.address, shape, len(piece.shape), TYPES[piece.type]),
                    *(piece.element.encode(), piece.element_bytes),
                )
                for piece, shape in zip(pieces, dims, strict=True)
            )
        )
        how = root if kind == BROADCAST else REDUCTIONS[reduction]
        handle = self.library.ddl_start(name.encode(), kind, how, tensors, len(pieces))
        if handle <= 0:
            self.check(-1)
        return Started(self, handle, pieces)

    def tell_guard_steps(self, name: str, steps: int) -> None:
        """Say how many training steps this rank has taken, before a collective of the divergence guard's is started.

        Args:
            name: that collective's, which begins with ``guard: ``. It may then raise `RanksDiverged`.
        """
        self.library.ddl_guard_steps(name.encode(), steps)

    def count_guard_steps(self, key: int, more: int = 0) -> int:
        """Count steps under a key, as TensorFlow's op ``GuardStep`` does; how many there are then."""
        return int(self.library.ddl_guard_count(key, more))

    def compare_by(self, compare: Callable[[int, int], None]) -> None:
        """Have this called, for ever, with the key and the number of steps, where ``GuardStep`` finds that it is time.

        Args:
            compare: called in a thread that is not Python's; what it raises is what the op fails with.
        """

        def compare_and_answer(key: int, steps: int) -> int:
            try:
                compare(key, steps)
            except BaseException as error:
                words = str(error).removeprefix("ddl: ") if isinstance(error, EngineError) else repr(error)
                return int(self.library.ddl_fail(_FAILED, words.encode()))
            return 0

        self._comparison = _Comparison(compare_and_answer)  # held: the library calls it
        self.library.ddl_guard_compare_by(self._comparison)

    @property
    def reductions(self) -> int:
        """How many reductions this rank has asked for so far; the divergence guard's own are left out."""
        return int(self.library.ddl_reductions())

    @property
    def collectives(self) -> int:
        """How many collectives have ended so far."""
        counters = _Counters()
        self.library.ddl_read_counters(ctypes.byref(counters))
        return int(counters.collectives)

    @property
    def is_own(self) -> bool:
        """Whether this process started it, rather than got it from the process that forked this one."""
        return self._process == os.getpid()

    def close(self) -> None:
        """Begin no more collectives; those that were begun end now, for as long as Python still has their memory.

        The library leaves by itself when the process exits, or ends the job: only then is the exit status sure. A rank
        that may be failing does not leave here, as it would wait for the others.
        """
        status = exit_status()
        self.library.ddl_close(_CLOSE_SECONDS, -1 if status is None else status)

    def shutdown(self) -> None:
        """Leave: no more collectives from this rank. Waits until every rank has left."""
        self.library.ddl_shutdown()

    def abort(self, why: str, status: int = 1) -> NoReturn:
        """End every rank of the job, now, with this exit status."""
        self.library.ddl_abort(why.encode(), status)
        os._exit(status)  # not reached: the library's function does not return


def digest(address: int, size: int) -> int:
    """A digest of so many bytes of this process's memory, from 0 to 2**64 - 1; for ever the same for the same bytes."""
    return int(_load().ddl_digest(address, size))


class Unstarted(Engine):
    """The engine where it may not be started: whatever is wanted of it raises."""

    def __init__(self, why: str) -> None:
        self._why = why

    def start(self, name: str, *_: Any, **__: Any) -> Started:
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


def folder() -> Path | None:
    """Where the native libraries lie: inside this package, beside it (images), or None: the system's own places."""
    package = Path(__file__).parent
    return next((place for place in (package / "lib", package.parent / "lib") if (place / _FILE).exists()), None)


@functools.cache
def _load() -> Any:
    place = folder()
    try:
        # Global: TensorFlow's and PyTorch's own libraries must not bring a second MPI's symbols before it.
        library = ctypes.CDLL(str(place / _FILE) if place else _FILE, mode=os.RTLD_NOW | os.RTLD_GLOBAL)
    except OSError as error:
        raise EngineError(
            f"ddl: the native library cannot be loaded: {error}\n"
            f"  next: have {_FILE} in LD_LIBRARY_PATH or beside the package (lib/), and Open MPI's libmpi.so installed"
        ) from None
    # The framework, whose own libraries lead to NVIDIA's, may be imported only after this.
    library.ddl_look_in(sysconfig.get_path("purelib").encode())
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
    library.ddl_guard_compare_by.argtypes = [_Comparison]
    library.ddl_fail.argtypes = [ctypes.c_int, ctypes.c_char_p]
    library.ddl_reductions.restype = ctypes.c_int64
    library.ddl_digest.restype = ctypes.c_uint64
    library.ddl_digest.argtypes = [ctypes.c_void_p, ctypes.c_int64]
    return library
