"""The engine's C interface by ctypes, for the programs that tests start under mpirun. NumPy is all it needs."""

import ctypes
import os

import numpy as np

TYPES = {"float16": 0, "bfloat16": 1, "float32": 2, "float64": 3, "int32": 4, "int64": 5, "uint8": 6}
REDUCTIONS = {"sum": 0, "avg": 1, "min": 2, "max": 3}
OK, INVALID, NOT_READY, MISMATCH, SHUT_DOWN = range(5)


class Tensor(ctypes.Structure):
    _fields_ = (
        ("input", ctypes.c_void_p),
        ("output", ctypes.c_void_p),
        ("dims", ctypes.POINTER(ctypes.c_int64)),
        ("ndims", ctypes.c_int32),
        ("type", ctypes.c_int32),
        ("element", ctypes.c_char_p),
        ("element_bytes", ctypes.c_int64),
    )


class Counters(ctypes.Structure):
    _fields_ = (
        ("collectives", ctypes.c_int64),
        ("batches", ctypes.c_int64),
        ("bytes", ctypes.c_int64),
        ("seconds_negotiating", ctypes.c_double),
        ("seconds_transferring", ctypes.c_double),
    )


class DdlError(Exception):
    def __init__(self, code, message):
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message


library = ctypes.CDLL(os.environ["DDL_ENGINE"])
library.ddl_last_error.restype = ctypes.c_char_p
library.ddl_algorithm.restype = ctypes.c_char_p
library.ddl_algorithm.argtypes = [ctypes.c_int64]
library.ddl_start.restype = ctypes.c_int64
library.ddl_start.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_int, ctypes.POINTER(Tensor), ctypes.c_int]
library.ddl_wait.argtypes = library.ddl_poll.argtypes = [ctypes.c_int64]
library.ddl_set_stall_seconds.argtypes = [ctypes.c_double]
library.ddl_abort.argtypes = [ctypes.c_char_p, ctypes.c_int]


def check(code):
    if code != OK:
        raise DdlError(code, library.ddl_last_error().decode())


def init(options=""):
    check(library.ddl_init(options.encode(), int(os.environ.get("OMPI_COMM_WORLD_LOCAL_RANK", "0"))))


def rank():
    return library.ddl_rank()


def size():
    return library.ddl_size()


def algorithm(size_in_bytes):
    return library.ddl_algorithm(size_in_bytes).decode()


def counters():
    made = Counters()
    library.ddl_read_counters(ctypes.byref(made))
    return made


def op_or_root(op):
    """A reduction by its name, a broadcast's root by its number."""
    return op if isinstance(op, int) else REDUCTIONS[op]


class Handle:
    """A collective that runs; keeps the arrays alive. bfloat16 values are uint16 arrays, marked by `types`; `elements`
    says what the elements stand for."""

    def __init__(self, name, arrays, kind=0, op="sum", types=None, in_place=False, elements=None):
        self._arrays = arrays
        self.outputs = list(arrays) if in_place else [np.empty_like(array) for array in arrays]
        made = (Tensor * max(1, len(arrays)))()
        for index, (array, output) in enumerate(zip(arrays, self.outputs)):
            kind_name = types[index] if types else array.dtype.name
            dims = (ctypes.c_int64 * max(1, array.ndim))(*array.shape)
            element = elements[index].encode() if elements else None
            made[index] = Tensor(array.ctypes.data, output.ctypes.data, dims, array.ndim, TYPES[kind_name], element, 0)
        self._handle = library.ddl_start(name.encode(), kind, op_or_root(op), made, len(arrays))
        if self._handle == 0:
            raise DdlError(INVALID, library.ddl_last_error().decode())

    def done(self):
        return library.ddl_poll(self._handle) == 1

    def wait(self):
        check(library.ddl_wait(self._handle))
        return self.outputs


def allreduce(name, arrays, op="sum", types=None, in_place=False):
    return Handle(name, arrays, 0, op, types, in_place).wait()


def broadcast(name, arrays, root=0):
    return Handle(name, arrays, 1, root).wait()
