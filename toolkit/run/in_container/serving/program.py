"""Loads the model, says which signatures it has, and answers requests until there are no more."""

import json
import os
import resource
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import IO

from .answers import error
from .frames import AT_ONCE, MOST_ANSWER, MOST_BODY, READY, Frame, frame_bytes, read_frame
from .service import Service
from .tensors import Info, Signature


def main() -> None:
    """One frame when the model is loaded, number 0, with the signatures as JSON; then one for each request."""
    folder, name, seconds, memory = sys.argv[1:5]
    resource.setrlimit(resource.RLIMIT_DATA, (int(memory), int(memory)))  # a tensor that is too large is an error then
    frames = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what TensorFlow or the model's own operations print is no frame
    from .model import Model

    model = Model(folder, float(seconds))
    described = json.dumps({key: _listed(one) for key, one in model.signatures.items()})
    _send(frames, Frame(0, READY, described.encode()))
    _answer_all(Service(model, name), sys.stdin.buffer, frames)
    os._exit(0)  # whatever is still being computed


def _answer_all(service: Service, stream: IO[bytes], frames: IO[bytes]) -> None:
    lock = threading.Lock()

    def answer(asked: Frame) -> None:
        method, _, path = asked.head.partition(" ")
        try:
            status, text = service.answer(method, path, asked.body)
        except Exception as failure:  # the server outlives what one request does to it
            traceback.print_exc()
            status, text = 500, error("%s: %s" % (type(failure).__name__, failure))
        body = text.encode()
        if len(body) > MOST_ANSWER:
            status, body = 400, error("the answer has more than %d bytes" % MOST_ANSWER).encode()
        with lock:
            _send(frames, Frame(asked.number, str(status), body))

    pool = ThreadPoolExecutor(AT_ONCE)
    while True:
        try:
            pool.submit(answer, read_frame(stream, MOST_BODY))
        except EOFError:
            return


def _send(frames: IO[bytes], frame: Frame) -> None:
    frames.write(frame_bytes(frame))
    frames.flush()


def _listed(signature: Signature) -> object:
    """For the operator's table: each tensor's dtype and shape."""
    return {
        "method": signature.method,
        "inputs": {key: _type(one) for key, one in signature.inputs.items()},
        "outputs": {key: _type(one) for key, one in signature.outputs.items()},
    }


def _type(info: Info) -> object:
    short = {"DT_FLOAT": "float32", "DT_DOUBLE": "float64", "DT_HALF": "float16"}
    return {"dtype": short.get(info.dtype, info.dtype[len("DT_") :].lower()), "shape": info.shape}
