"""A signed run: what a key vouches for, and what it does not."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from toolkit.agent.run_document import document_bytes
from toolkit.api.run_records import sign_record, verify_record
from toolkit.errors import ToolkitError

from .sample import FILES, RUN, SUMS, document
from .stored import StoredRun, key_pair

STATEMENT, BUNDLE = "_run/record.dsse.json", "_run/model.sig"


def payload(envelope: dict) -> dict:
    return json.loads(base64.b64decode(envelope["payload"]))


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()], ids=lambda curve: curve.name)
def test_what_was_signed_is_verified_with_the_public_key(
    run: StoredRun, tmp_path: Path, curve: ec.EllipticCurve
) -> None:
    private, public = key_pair(tmp_path, curve)
    signed = sign_record(RUN, private)
    assert (signed.statement, signed.model_signature) == (f"models/{RUN}/{STATEMENT}", f"models/{RUN}/{BUNDLE}")
    found = verify_record(RUN, key=public)
    assert (found.differences, found.signed) == ((), True)


def test_the_statement_is_about_every_result_and_contains_the_record(run: StoredRun, tmp_path: Path) -> None:
    sign_record(RUN, key_pair(tmp_path)[0])
    statement = payload(json.loads(run.data(STATEMENT)))
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    named = {one["name"]: one["digest"]["sha256"] for one in statement["subject"]}
    assert named.keys() == {*FILES, "_run/SHA256SUMS"}
    assert {f"{RUN}/{name}": sha256 for name, sha256 in named.items() if name in FILES} == SUMS
    assert statement["predicate"] == document()


def test_the_models_signature_is_of_the_model_alone(run: StoredRun, tmp_path: Path) -> None:
    sign_record(RUN, key_pair(tmp_path)[0])
    bundle = json.loads(run.data(BUNDLE))
    assert bundle["mediaType"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
    resources = payload(bundle["dsseEnvelope"])["predicate"]["resources"]
    assert [one["name"] for one in resources] == ["saved_model.pb", "variables/variables.index"]


def test_another_key_has_not_signed_it(run: StoredRun, tmp_path: Path) -> None:
    sign_record(RUN, key_pair(tmp_path)[0])
    _, other = key_pair(tmp_path)
    assert verify_record(RUN, key=other).differences == (
        "the record's signature: it is not signed with this key",
        "the model's signature: it is not signed with this key",
    )


def test_a_run_that_nobody_signed_is_not_signed(run: StoredRun, tmp_path: Path) -> None:
    found = verify_record(RUN, key=key_pair(tmp_path)[1])
    assert not found.signed
    assert [one.partition(":")[0] for one in found.differences] == [f"{STATEMENT!r}", f"{BUNDLE!r}"]


def test_a_signature_does_not_vouch_for_a_record_that_was_changed_later(
    run: StoredRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private, public = key_pair(tmp_path)
    sign_record(RUN, private)
    copy = run.download(tmp_path / "copy")
    (copy / "record.json").write_bytes(document_bytes(document() | {"metrics": {"loss": 0.0}}))
    monkeypatch.setenv("TOOLKIT_HOME", str(tmp_path / "another home"))
    found = verify_record(copy / "record.json", folder=copy, key=public)
    assert found.differences == ("the record's signature is of another record: its predicate differs",)


def test_a_signature_does_not_vouch_for_another_model(run: StoredRun, tmp_path: Path) -> None:
    private, public = key_pair(tmp_path)
    sign_record(RUN, private)
    bundle = json.loads(run.data(BUNDLE))
    other = json.loads(run.data(STATEMENT))
    run.put(BUNDLE, json.dumps(bundle | {"dsseEnvelope": other}).encode())
    assert verify_record(RUN, key=public).differences == ("the model's signature is not one of a model",)


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"payload": 1}', b"[" * 100_000, b'{"signatures": [{}]}'])
def test_what_is_no_signature_is_none(run: StoredRun, tmp_path: Path, data: bytes) -> None:
    private, public = key_pair(tmp_path)
    sign_record(RUN, private)
    run.put(STATEMENT, data)
    run.put(BUNDLE, data)
    said = verify_record(RUN, key=public).differences
    assert said == (
        "the record's signature: it is not an envelope of an in-toto statement",
        "the model's signature: it is not an envelope of an in-toto statement",
    )


def test_signatures_are_handed_over_beside_the_record(
    run: StoredRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private, public = key_pair(tmp_path)
    given = tmp_path / "given"
    given.mkdir()
    sign_record(RUN, private, output=given)
    assert {file.name for file in given.iterdir()} == {"record.json", "record.dsse.json", "model.sig"}
    run.remove(STATEMENT)
    run.remove(BUNDLE)
    copy = run.download(tmp_path / "copy")
    monkeypatch.setenv("TOOLKIT_HOME", str(tmp_path / "another home"))
    assert verify_record(given / "record.json", folder=copy, key=public).signed


def test_nothing_is_signed_for_a_folder_that_is_not_there(run: StoredRun, tmp_path: Path) -> None:
    with pytest.raises(ToolkitError, match="none is not a folder"):
        sign_record(RUN, key_pair(tmp_path)[0], output=tmp_path / "none")
    assert f"models/{RUN}/{STATEMENT}" not in run.server.objects


def test_what_was_changed_is_not_signed(run: StoredRun, tmp_path: Path) -> None:
    run.put("record.json", document_bytes(document() | {"image": document()["image"] | {"id": "other"}}))
    with pytest.raises(ToolkitError, match="it was not signed") as caught:
        sign_record(RUN, key_pair(tmp_path)[0])
    assert caught.value.code.exit_status == 5
    assert f"models/{RUN}/{STATEMENT}" not in run.server.objects


def test_a_key_that_cannot_be_used_is_named_with_how_to_make_one(run: StoredRun, tmp_path: Path) -> None:
    private, public = key_pair(tmp_path)
    key = ec.generate_private_key(ec.SECP256R1())
    encrypted = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"words"))
    other = ed25519.Ed25519PrivateKey.generate()
    for name, data, said in (
        ("encrypted", encrypted, "is encrypted with a passphrase"),
        ("text", b"not a key", "is not a private key in PEM"),
        ("public", public.read_bytes(), "is not a private key in PEM"),
        ("ed25519", other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), "is not an ECDSA key on"),
    ):
        file = tmp_path / name
        file.write_bytes(data)
        with pytest.raises(ToolkitError, match=said) as caught:
            sign_record(RUN, file)
        assert (caught.value.code.label, bool(caught.value.hint)) == ("C103", True)
    with pytest.raises(ToolkitError, match="No such file"):
        sign_record(RUN, tmp_path / "none")
    with pytest.raises(ToolkitError, match="is not a public key in PEM"):
        verify_record(RUN, key=private)
    ed = tmp_path / "ed.pub"
    ed.write_bytes(other.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(ToolkitError, match="is not an ECDSA key on"):
        verify_record(RUN, key=ed)
