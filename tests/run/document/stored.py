"""A run on this machine whose results are in a stand-in store; boto3 is real."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.storage.stand_in_s3 import Held, StandInS3, md5
from toolkit.agent.run_document import document_bytes
from toolkit.api import run_records
from toolkit.run.document.launched import save_launched
from toolkit.run.records.record import Record
from toolkit.run.records.record_store import Records
from toolkit.secrets import Secret
from toolkit.storage.client import Access
from toolkit.storage.s3 import Store

from .sample import CODE_FILES, FILES, RUN, SUMS_LIST, document, launched, record


class StoredRun:
    """The run's objects, and what this machine keeps of it."""

    def __init__(self, server: StandInS3, home: Path) -> None:
        self.server, self.home = server, home
        server.buckets.add("models")
        server.objects.clear()
        objects = {**FILES, **{f"_submitted_code/{name}": data for name, data in CODE_FILES.items()}}
        objects |= {"_run/SHA256SUMS": SUMS_LIST, "record.json": document_bytes(document())}
        for path, data in objects.items():
            self.put(path, data)
        Records(home).save(record())
        save_launched(home, RUN, json.loads(json.dumps(launched())))

    def put(self, path: str, data: bytes) -> None:
        """Write an object, as anyone with the bucket's keys can."""
        self.server.objects[f"models/{RUN}/{path}"] = Held(data, md5(data).hex())

    def data(self, path: str) -> bytes:
        return self.server.objects[f"models/{RUN}/{path}"].data

    def remove(self, path: str) -> None:
        del self.server.objects[f"models/{RUN}/{path}"]

    def download(self, folder: Path) -> Path:
        """A copy of the run's folder."""
        for key, held in self.server.objects.items():
            file = folder / key.removeprefix(f"models/{RUN}/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(held.data)
        return folder


def on_this_machine(server: StandInS3, home: Path, patch: pytest.MonkeyPatch) -> StoredRun:
    """The run, known here."""

    @contextmanager
    def results_store(_: Record) -> Iterator[Store]:
        yield Store(Access(server.url, Secret("AKIDEXAMPLE"), Secret("secret")))

    patch.setenv("TOOLKIT_HOME", str(home))
    patch.setattr(run_records, "results_store", results_store)
    return StoredRun(server, home)


def key_pair(folder: Path, curve: ec.EllipticCurve | None = None) -> tuple[Path, Path]:
    """A new private key and its public one, in files."""
    private, public = folder / "key.pem", folder / "key.pub"
    key = ec.generate_private_key(curve or ec.SECP256R1())
    private.touch(mode=0o600)
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return private, public
