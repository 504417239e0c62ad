"""The interface between the container with the keys and the agent: what may be asked for, and nothing else."""

from __future__ import annotations

import io
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.agent import service as module
from toolkit.agent.end_reasons import Reason
from toolkit.agent.flush import NotStored
from toolkit.agent.service import BucketClient, Service, read_message, serve, write_message
from toolkit.agent.upload_progress import Waiting

from .jobs import RUN

WAITING = Waiting(2, 1, 1, {7: "model/x", 9: "y"}, {"x": 5}, ("y (1 bytes never written)",))


class Bucket:
    """A stand-in for the store behind the service."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.fault: NotStored | None = None

    def put(self, name: str, data: bytes, *, short: bool = True) -> bool:
        self.objects[name] = data
        return short

    def get(self, name: str, _most: int) -> bytes | None:
        return self.objects.get(name)

    def waiting(self) -> Waiting:
        if self.fault:
            raise self.fault
        return WAITING

    def whole(self) -> bool:
        return True

    def unstorable(self) -> tuple[str, ...]:
        return ("latest is a symbolic link",)

    def refusal(self) -> tuple[Reason, str]:
        return Reason.BUCKET_FULL, "507"

    def probe(self) -> str:
        return "AccessDenied"

    def differences(self, folder: str, *, shared: bool = True) -> str:
        return f"* {folder} {'shared' if shared else 'alone'}"

    def put_checksums(self, name: str) -> str:
        self.objects[name] = b"list"
        return "sha256"

    def put_logs(self) -> tuple[str, ...]:
        return ("output.log is a FIFO",)

    def size(self) -> tuple[int, int]:
        return 4, 2

    def discard_code(self) -> None:
        self.objects["discarded"] = b""

    def abort(self) -> None:
        self.objects["aborted"] = b""

    def unmount(self) -> None:
        self.objects["unmounted"] = b""


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


@pytest.fixture
def place(tmp_path: Path, bucket: Bucket) -> Iterator[str]:
    """Where the service listens."""
    place = str(tmp_path / "control" / "buckets.sock")
    server = serve(Service(RUN, bucket), place)  # type: ignore[arg-type]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield place
    server.shutdown()
    server.server_close()


@pytest.fixture
def client(place: str) -> BucketClient:
    return BucketClient(place)


def test_the_agent_hears_what_the_bucket_says(client: BucketClient, bucket: Bucket) -> None:
    waiting = client.waiting()
    assert (waiting, waiting.files, waiting.sent, waiting.sparse) == (
        WAITING,
        WAITING.files,
        WAITING.sent,
        WAITING.sparse,
    )
    assert (client.whole(), client.refusal(), client.probe()) == (True, (Reason.BUCKET_FULL, "507"), "AccessDenied")
    reported = (client.differences(RUN, shared=False), client.differences("_wml_checkpoints"))
    assert reported == (f"* {RUN} alone", "* _wml_checkpoints shared")
    assert client.put_checksums(f"{RUN}/_run/SHA256SUMS") == "sha256"
    assert (client.put_logs(), client.size()) == (("output.log is a FIFO",), (4, 2))
    assert client.unstorable() == ("latest is a symbolic link",)
    client.discard_code()
    client.abort()
    client.unmount()
    assert set(bucket.objects) == {"discarded", "aborted", "unmounted", f"{RUN}/_run/SHA256SUMS"}


def test_the_agent_hears_what_the_host_and_the_mounts_have_moved(
    client: BucketClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[Any] = [{"received": 7, "sent": 8, "mounts": 9}, None]
    monkeypatch.setattr(module, "traffic", lambda: said.pop(0))
    fresh = Service(RUN, Bucket())  # type: ignore[arg-type]
    assert fresh.answer({"call": "traffic"}, b"") == ({"value": {"received": 7, "sent": 8, "mounts": 9}}, b"")
    assert fresh.answer({"call": "traffic"}, b"") == ({"value": None}, b"")
    heard = client.traffic()
    assert heard is not None
    assert set(heard) == {"received", "sent", "mounts"}
    assert BucketClient("/nobody/there").traffic() is None


@given(st.binary(max_size=1000))
def test_objects_of_the_run_are_written_and_read_byte_for_byte(data: bytes) -> None:
    bucket = Bucket()
    service = Service(RUN, bucket)  # type: ignore[arg-type]
    answer, _ = service.answer({"call": "put", "with": [f"_toolkit/{RUN}/record.json", True]}, data)
    assert (answer, bucket.objects) == ({"value": True}, {f"_toolkit/{RUN}/record.json": data})
    assert service.answer({"call": "get", "with": [f"_toolkit/{RUN}/record.json", 1 << 20]}, b"") == (
        {"value": True},
        data,
    )


@pytest.mark.parametrize(
    "name",
    [
        "training-zzzz9999/model/saved_model.pb",
        "_toolkit/training-zzzz9999/record.json",
        f"{RUN}/../training-zzzz9999/x",
        f"_toolkit/{RUN}/../x",
        f"{RUN}//x",
        f"/{RUN}/x",
        f"{RUN}x/y",
        "",
        "..",
        7,
        None,
    ],
)
def test_an_object_that_is_not_of_the_run_is_refused(bucket: Bucket, name: object) -> None:
    service = Service(RUN, bucket)  # type: ignore[arg-type]
    for request in ({"call": "put", "with": [name, True]}, {"call": "get", "with": [name, 9]}):
        answer, _ = service.answer(request, b"x")
        assert "is not an object of" in answer["fault"]["what"]
    assert bucket.objects == {}


@pytest.mark.parametrize("call", ["config/dump", "put_file", "_exchange", "__init__", "", None, "submit_code"])
def test_what_is_not_on_the_list_is_refused(bucket: Bucket, call: object) -> None:
    answer, data = Service(RUN, bucket).answer({"call": call, "with": []}, b"")  # type: ignore[arg-type]
    assert (answer["fault"]["reason"], data) == ("system", b"")


@pytest.mark.parametrize(
    "words", [[], ["x"], ["x", 1, 2], "ab", 7, {"a": 1}, [f"{RUN}", "x"], [["a"], ["b"]], [f"{RUN}/x", None]]
)
@pytest.mark.parametrize("call", ["put", "get", "differences", "waiting"])
def test_a_request_with_other_arguments_is_answered_with_a_fault(bucket: Bucket, call: str, words: object) -> None:
    answer, _ = Service(RUN, bucket).answer({"call": call, "with": words}, b"")  # type: ignore[arg-type]
    assert set(answer) in ({"fault"}, {"value"})


def test_a_fault_of_the_store_reaches_the_agent_as_it_is(client: BucketClient, bucket: Bucket) -> None:
    bucket.fault = NotStored(Reason.BUCKET_CREDENTIALS, "what", "AccessDenied", final=True)
    with pytest.raises(NotStored, match="what") as caught:
        client.waiting()
    fault = caught.value
    assert (fault.reason, fault.evidence, fault.final) == (Reason.BUCKET_CREDENTIALS, "AccessDenied", True)


def test_where_nobody_answers_nothing_is_stored_and_nothing_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_START_SECONDS", 0.1)
    client = BucketClient(str(tmp_path / "none"))
    assert (client.put(f"{RUN}/x", b""), client.get(f"{RUN}/x")) == (False, None)
    with pytest.raises(NotStored, match="does not answer"):
        client.unmount()


@pytest.mark.parametrize(
    ("call", "seconds"), [("waiting", 600), ("put", 600), ("unmount", 600), ("differences", 86400), ("put_logs", 86400)]
)
def test_an_agent_waits_for_a_hung_container_no_longer_than_the_request_may_take(
    monkeypatch: pytest.MonkeyPatch, call: str, seconds: float
) -> None:
    waits: list[float] = []

    class Hung(socket.socket):
        def settimeout(self, value: float | None) -> None:
            waits.append(value or 0)

        def connect(self, _: object) -> None:
            raise TimeoutError

    monkeypatch.setattr(module.socket, "socket", Hung)
    with pytest.raises(NotStored, match="does not answer"):
        BucketClient()._ask(call)
    assert waits == [seconds]


def test_the_first_request_waits_for_a_container_that_is_starting(
    tmp_path: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it listens, a rescue's volume has the socket that the last one left."""
    place = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(place))

    servers = []

    def start(_: float) -> None:
        servers.append(serve(Service(RUN, bucket), str(place)))  # type: ignore[arg-type]
        threading.Thread(target=servers[0].serve_forever, args=(0.01,), daemon=True).start()

    monkeypatch.setattr(module.time, "sleep", start)
    assert BucketClient(str(place)).waiting() == WAITING
    servers[0].shutdown()
    servers[0].server_close()


def test_nobody_but_root_reaches_the_socket(place: str) -> None:
    assert stat.S_IMODE(Path(place).stat().st_mode) & 0o077 == 0
    assert stat.S_IMODE(Path(place).parent.stat().st_mode) == 0o700


@given(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5)), st.binary(max_size=100))
def test_a_message_arrives_as_it_was_written(message: dict[str, Any], data: bytes) -> None:
    stream = io.BytesIO()
    write_message(stream, message, data)
    stream.seek(0)
    assert read_message(stream) == (message | {"bytes": len(data)}, data)


@pytest.mark.parametrize(
    "line", ["", "[]", "nul", '{"bytes": -1}', '{"bytes": 1e9}', '{"bytes": 99999999999}', '{"bytes": 5}', "[" * 99999]
)
def test_a_message_that_is_none_is_refused(line: str) -> None:
    with pytest.raises((ValueError, RecursionError)):
        read_message(io.BytesIO(line.encode() + b"\nabc"))
