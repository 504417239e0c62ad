"""Tensors on a GPU by ctypes: CUDA's runtime, and the engine's collectives on them. Knows nothing of any stand-in."""

import ctypes
import threading

import engine
import numpy as np

HOST_TO_DEVICE, DEVICE_TO_HOST = 1, 2
DONE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p)

cuda = ctypes.CDLL("libcudart.so.12")
cuda.cudaMalloc.argtypes = [ctypes.POINTER(ctypes.c_void_p), ctypes.c_size_t]
cuda.cudaMemcpyAsync.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_void_p]
cuda.cudaStreamSynchronize.argtypes = [ctypes.c_void_p]

enqueue = engine.library.ddl_enqueue_on_gpu
enqueue.argtypes = [
    *(ctypes.c_char_p, ctypes.c_int, ctypes.c_int, ctypes.POINTER(engine.Tensor), ctypes.c_int),
    *(ctypes.c_void_p, DONE, ctypes.c_void_p),
]
engine.library.ddl_gpu_algorithm.restype = ctypes.c_char_p


def algorithm():
    return engine.library.ddl_gpu_algorithm().decode()


def count():
    gpus = ctypes.c_int()
    cuda.cudaGetDeviceCount(ctypes.byref(gpus))
    return gpus.value


def make_stream():
    stream = ctypes.c_void_p()
    assert cuda.cudaStreamCreateWithFlags(ctypes.byref(stream), 1) == 0
    return stream


def allocate(size_in_bytes):
    address = ctypes.c_void_p()
    assert cuda.cudaMalloc(ctypes.byref(address), max(1, size_in_bytes)) == 0
    return address.value


class Handle:
    """A collective of arrays that `stream` brings to the GPU; as `engine.Handle`."""

    def __init__(self, stream, name, arrays, kind=0, op="sum", types=None, in_place=False):
        self._stream, self._arrays, self._came = stream, arrays, threading.Event()
        made = (engine.Tensor * max(1, len(arrays)))()
        self._outputs = []
        for index, array in enumerate(arrays):
            there = allocate(array.nbytes)
            output = there if in_place else allocate(array.nbytes)
            self._outputs.append(output)
            cuda.cudaMemcpyAsync(there, array.ctypes.data, array.nbytes, HOST_TO_DEVICE, stream)
            dims = (ctypes.c_int64 * max(1, array.ndim))(*array.shape)
            kind_name = types[index] if types else array.dtype.name
            made[index] = engine.Tensor(there, output, dims, array.ndim, engine.TYPES[kind_name])
        self._done = DONE(self._finish)
        engine.check(enqueue(name.encode(), kind, engine.op_or_root(op), made, len(arrays), stream, self._done, None))

    def _finish(self, _context, code, message):
        self._code, self._message = code, message.decode()
        self._came.set()

    def wait(self):
        self._came.wait()
        if self._code != engine.OK:
            raise engine.DdlError(self._code, self._message)
        results = [np.empty_like(array) for array in self._arrays]
        other = make_stream()  # what is done is done for any stream
        for output, result in zip(self._outputs, results):
            cuda.cudaMemcpyAsync(result.ctypes.data, output, result.nbytes, DEVICE_TO_HOST, other)
        assert cuda.cudaStreamSynchronize(other) == 0
        return results
