"""The libraries of DSSE and in-toto read a signed record, and their envelope is read here."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from google.protobuf import json_format
from in_toto_attestation.v1.statement import Statement
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import CryptoSigner, SSlibKey

from tests.run.document import made_keys as keys
from tests.run.document.sample import RUN
from tests.run.document.stored import StoredRun, on_this_machine
from tests.storage.stand_in_s3 import standing_in
from toolkit.api.run_records import sign_record, verify_record

STATEMENT = "_run/record.dsse.json"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StoredRun]:
    with standing_in() as server:
        yield on_this_machine(server, tmp_path / "home", monkeypatch)


@pytest.mark.parametrize("curve", keys.CURVES, ids=lambda curve: curve.name)
def test_their_library_verifies_our_envelope(run: StoredRun, tmp_path: Path, curve: ec.EllipticCurve) -> None:
    key = ec.generate_private_key(curve)
    signed = sign_record(RUN, keys.written(tmp_path, keys.of(key)))
    envelope = Envelope.from_dict(json.loads(run.data(STATEMENT)))
    public = SSlibKey.from_crypto(key.public_key(), keyid=signed.key_id)
    assert envelope.verify([public], 1) == {signed.key_id: public}
    other = SSlibKey.from_crypto(ec.generate_private_key(curve).public_key(), keyid=signed.key_id)
    with pytest.raises(VerificationError):
        envelope.verify([other], 1)


@pytest.mark.parametrize("curve", keys.CURVES, ids=lambda curve: curve.name)
def test_we_verify_their_envelope(run: StoredRun, tmp_path: Path, curve: ec.EllipticCurve) -> None:
    key = ec.generate_private_key(curve)
    public = keys.written(tmp_path, keys.public_of(key), "key.pub")
    sign_record(RUN, keys.written(tmp_path, keys.of(key)))
    envelope = Envelope.from_dict(json.loads(run.data(STATEMENT)))
    envelope.signatures.clear()
    assert envelope.sign(CryptoSigner(key)).keyid
    run.put(STATEMENT, json.dumps(envelope.to_dict()).encode())
    assert verify_record(RUN, key=public).signed


def test_in_toto_reads_our_statement(run: StoredRun, tmp_path: Path) -> None:
    sign_record(RUN, keys.written(tmp_path, keys.of(keys.P256)))
    payload = base64.b64decode(json.loads(run.data(STATEMENT))["payload"])
    statement = Statement.copy_from_pb(json_format.Parse(payload, Statement([], "x", {}).pb))
    statement.validate()
    assert {one.name for one in statement.pb.subject} >= {"model/saved_model.pb", "_run/SHA256SUMS"}
