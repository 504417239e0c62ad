"""A signed run: what a key vouches for, and what it does not."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    PublicFormat,
)

from toolkit.agent.run_document import document_bytes
from toolkit.api.run_records import sign_record, verify_record
from toolkit.errors import ToolkitError
from toolkit.run.document.dsse import enveloped
from toolkit.run.document.keys import private_key
from toolkit.secrets import Secret

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


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL], ids=["PKCS#8", "SEC1"])
def test_an_encrypted_key_signs_with_its_passphrase(
    run: StoredRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: PrivateFormat
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    file, public, said = tmp_path / "key.pem", tmp_path / "key.pub", tmp_path / "said"
    file.touch(mode=0o600)
    file.write_bytes(key.private_bytes(Encoding.PEM, form, BestAvailableEncryption("zwölf Wörter".encode())))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    said.touch(mode=0o600)
    said.write_text("zwölf Wörter\n")
    monkeypatch.setenv("WORDS", "zwölf Wörter")
    prompts: list[str] = []

    def typed(prompt: str) -> str:
        prompts.append(prompt)
        return "zwölf Wörter"

    for words in ({"passphrase": f"${{file:{said}}}"}, {"passphrase": "${env:WORDS}", "ask": typed}, {"ask": typed}):
        run.put(STATEMENT, b"")
        sign_record(RUN, file, **words)
        assert verify_record(RUN, key=public).signed
    assert prompts == [f"passphrase of {file}: "]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({}, "key.pem is encrypted, and no passphrase is given"),
        ({"ask": lambda _: "another"}, "key.pem: the passphrase is not that of this key"),
        ({"ask": lambda _: ""}, "key.pem: the passphrase is not that of this key"),
        ({"passphrase": "${env:NOT_SET_HERE}"}, r"\$\{env:NOT_SET_HERE\}: no such environment variable"),
        ({"passphrase": "${file:open}"}, r"\$\{file:open\}: others may read this file \(mode 0644\)"),
        ({"passphrase": "words"}, "a reference to the passphrase is asked for, not a passphrase"),
        ({"passphrase": "${chain}"}, r"\$\{chain\}: gives both keys of a store, and a passphrase is asked for"),
    ],
)
def test_nothing_is_signed_without_the_passphrase(
    run: StoredRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: dict, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("key.pem").touch(mode=0o600)
    key = ec.generate_private_key(ec.SECP256R1())
    encrypted = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"words"))
    Path("key.pem").write_bytes(encrypted)
    Path("open").write_text("words")
    Path("open").chmod(0o644)
    with pytest.raises(ToolkitError, match=said) as caught:
        sign_record(RUN, "key.pem", **words)
    assert (caught.value.code.label, "words" in str(caught.value)) == ("C103", False)
    assert f"models/{RUN}/{STATEMENT}" not in run.server.objects


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"serialization": {"method": "shards", "hash_type": "sha256"}}, "by shards and sha256; expected files and"),
        ({"serialization": {"method": "files", "hash_type": "blake3"}}, "by files and blake3; expected files and"),
        ({"serialization": 7}, "is not one of a model"),
        ({"resources": [{"name": 1}]}, "is not one of a model"),
    ],
)
def test_a_models_signature_of_another_serialization_is_named(
    run: StoredRun, tmp_path: Path, change: dict, said: str
) -> None:
    private, public = key_pair(tmp_path)
    sign_record(RUN, private)
    bundle = json.loads(run.data(BUNDLE))
    statement = payload(bundle["dsseEnvelope"])
    statement["predicate"] |= change
    key = private_key(private, lambda: Secret(""))
    run.put(BUNDLE, json.dumps(bundle | {"dsseEnvelope": enveloped(json.dumps(statement).encode(), key)}).encode())
    (found,) = verify_record(RUN, key=public).differences
    assert said in found
