"""Serve a collected model: the program in the image, and HTTP on loopback in front of it."""

from __future__ import annotations

import errno
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

from toolkit import interrupts
from toolkit.containers.engine import LOCAL
from toolkit.errors import Code, ToolkitError
from toolkit.loopback_server import is_loopback_name
from toolkit.run.plan.training_id import new_label
from toolkit.run.records.record import Record
from toolkit.run.serving.http_server import ModelServer, Seen
from toolkit.run.serving.model_process import ModelProcess
from toolkit.run.serving.signatures import Signature, Signatures, curl_line, main_signature
from toolkit.runtimes.specs import Argv, Bind, Limits

PORT = 8501
"""TensorFlow Serving's own for REST."""
SECONDS = 60.0
"""So long a request may take."""
_PORTS = 20
_LOOK_SECONDS = 0.5
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_PROGRAM = Path(__file__).parents[1] / "in_container" / "serving"
_PLACE = "/opt/toolkit-serving"


@dataclass(frozen=True)
class Served:
    """A model that answers at `url`, such as `http://127.0.0.1:8501/v1/models/digits`."""

    url: str
    signatures: Mapping[str, Signature]
    process: ModelProcess = field(repr=False)

    @property
    def example(self) -> str:
        """A command line that asks for a prediction; empty if no signature has inputs."""
        name = main_signature(self.signatures)
        return curl_line(self.url, name, self.signatures[name]) if name else ""

    def wait(self) -> None:
        """Wait for a `KeyboardInterrupt`. Raises `ToolkitError` (C202) if the model's process ends by itself."""
        while self.process.runs():
            interrupts.check()
            time.sleep(_LOOK_SECONDS)
        raise self.process.failure()


def model_name(name: str, record: Record) -> str:
    """The name in the URL: `name`, or the run's own if that can stand there. Raises `ToolkitError` (C104)."""
    if name and not _NAME.fullmatch(name):
        raise ToolkitError(
            Code.RESOURCES_ASKED,
            f"a model cannot be served as {name!r}",
            hint="a name of letters, digits, `.`, `_` and `-`",
        )
    return name or (record.name if _NAME.fullmatch(record.name) else "model")


def refuse_others(host: str) -> None:
    """Raise `ToolkitError` (C104) unless `host` is of this machine's loopback: whoever reaches it may ask it."""
    if not is_loopback_name(host):
        raise ToolkitError(
            Code.RESOURCES_ASKED,
            f"a model is served on this machine's loopback only, and {host} is not part of it",
            hint=f"from another machine: ssh -L {PORT}:127.0.0.1:{PORT} THIS_MACHINE",
        )


def program_argv(record: Record, model: Path, label: str, name: str, memory: int) -> Argv:
    """The command line that starts the program in the image; `memory` is its limit in bytes."""
    binds = [Bind(str(model), "/model", True), Bind(str(_PROGRAM), f"{_PLACE}/serving", True)]
    environment = {"HOME": "/tmp", "PYTHONPATH": _PLACE, "PYTHONDONTWRITEBYTECODE": "1", "TF_CPP_MIN_LOG_LEVEL": "2"}  # noqa: S108
    owner = f"{os.getuid()}:{os.getgid()}"
    command = ["python", "-m", "serving", "/model", name, f"{SECONDS:g}", str(memory)]
    limits = Limits(memory=memory)
    return LOCAL.runtime.serve_in_image(record.image_id, label, owner, binds, environment, limits, command)


@contextmanager
def model_in_image(record: Record, model: Path, name: str) -> Iterator[tuple[ModelProcess, Signatures]]:
    """The loaded model, while the context lasts. Raises `ToolkitError` (C202) if it cannot be loaded."""
    label = new_label(record.training_id)
    process = ModelProcess(program_argv(record, model, label, name, most_memory()), SECONDS)
    try:
        yield process, process.signatures()
    finally:
        with interrupts.ignored():
            process.close()
            LOCAL.remove_run(label)


@contextmanager
def served(record: Record, model: Path, host: str, port: int | None, name: str, seen: Seen) -> Iterator[Served]:
    """The model behind HTTP, while the context lasts. Raises `ToolkitError` (C104 if the port is in use)."""
    refuse_others(host)
    name = model_name(name, record)
    with (
        listening(host, port, seen) as server,  # first, as it takes no time
        model_in_image(record, model, name) as (process, signatures),
        answering(server, process),
    ):
        at = f"[{host}]" if ":" in host else host
        yield Served(f"http://{at}:{server.server_address[1]}/v1/models/{name}", signatures, process)


@contextmanager
def answering(server: ModelServer, process: ModelProcess) -> Iterator[None]:
    """Requests are answered while the context lasts."""
    server.ask = process.ask
    thread = Thread(target=server.serve_forever, args=(_LOOK_SECONDS,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        with interrupts.ignored():
            server.shutdown()
            thread.join()


def listening(host: str, port: int | None, seen: Seen) -> ModelServer:
    """The server at `port`; None: the first free one from 8501 on. Raises `ToolkitError` (C104) if there is none."""
    for one in range(PORT, PORT + _PORTS) if port is None else [port]:
        try:
            return ModelServer(host, one, seen)
        except OverflowError:
            raise ToolkitError(Code.RESOURCES_ASKED, f"{one} is not a port", hint="0 to 65535") from None
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                continue
            raise ToolkitError(Code.RESOURCES_ASKED, f"cannot listen at {host}:{one}: {error.strerror}") from None
    which = f"port {port} of {host} is" if port is not None else f"ports {PORT} to {PORT + _PORTS - 1} of {host} are"
    raise ToolkitError(
        Code.RESOURCES_ASKED, f"{which} in use", hint="--port 0 takes a free one, and prints it", context={"host": host}
    )


def most_memory() -> int:
    """Bytes that a served model may use: three quarters of this machine's memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * 3 // 4
