"""OpenSSF's own tool verifies a model that `toolkit record sign` has signed; both take the same keys."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from model_signing._signing.sign_ec_key import Signer, Verifier

from tests.run.document import made_keys as keys
from tests.run.document.sample import RUN
from tests.run.document.stored import StoredRun, key_pair, on_this_machine
from tests.storage.stand_in_s3 import standing_in
from toolkit.api.run_records import sign_record, verify_record
from toolkit.errors import ToolkitError
from toolkit.run.document.keys import private_key, public_key


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StoredRun]:
    with standing_in() as server:
        yield on_this_machine(server, tmp_path / "home", monkeypatch)


def model_signing(*words: str | Path) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "model_signing", *map(str, words)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()], ids=lambda curve: curve.name)
def test_model_signing_verifies_our_signature(run: StoredRun, tmp_path: Path, curve: ec.EllipticCurve) -> None:
    private, public = key_pair(tmp_path, curve)
    sign_record(RUN, private)
    copy = run.download(tmp_path / "copy")
    words = ("verify", "key", copy / "model", "--signature", copy / "_run" / "model.sig", "--public_key", public)
    done = model_signing(*words)
    assert (done.returncode, done.stdout.strip()) == (0, "Verification succeeded")
    (copy / "model" / "saved_model.pb").write_bytes(b"another graph")
    changed = model_signing(*words)
    assert changed.returncode == 1
    assert "Hash mismatch for 'saved_model.pb'" in changed.stderr.replace("\\'", "'")


def test_we_verify_the_signature_of_model_signing(run: StoredRun, tmp_path: Path) -> None:
    private, public = key_pair(tmp_path)
    sign_record(RUN, private)
    copy = run.download(tmp_path / "copy")
    theirs = tmp_path / "theirs.sig"
    done = model_signing("sign", "key", copy / "model", "--signature", theirs, "--private_key", private)
    assert (done.returncode, done.stderr) == (0, "")
    run.put("_run/model.sig", theirs.read_bytes())
    assert verify_record(RUN, key=public).signed


def taken_by_us(file: Path) -> bool:
    try:
        private_key(file, keys.passphrase)
    except ToolkitError:
        return False
    return True


def taken_by_them(file: Path, words: bytes | None) -> bool:
    """Its command line fails for each passphrase (1.1.1 hands text to a function that takes bytes); its library does
    not. A key of another kind fails in many ways."""
    try:
        Signer(file, words)
    except Exception:
        return False
    return True


KINDS = {curve.name: ec.generate_private_key(curve) for curve in (*keys.CURVES, ec.SECP256K1(), ec.BrainpoolP256R1())}
KINDS |= {"rsa": keys.RSA, "ed25519": ed25519.Ed25519PrivateKey.generate()}
FORMS = {"PKCS#8": (keys.PEM, keys.PKCS8), "SEC1": (keys.PEM, keys.SEC1), "DER": (keys.DER, keys.PKCS8)}
FORMS |= {"OpenSSH": (keys.PEM, keys.OPENSSH)}


NO_SUCH_KEYS = {("ed25519", "SEC1"), ("secp256k1", "OpenSSH"), ("brainpoolP256r1", "OpenSSH")}


@pytest.mark.parametrize(("kind", "form"), sorted({(kind, form) for kind in KINDS for form in FORMS} - NO_SUCH_KEYS))
@pytest.mark.parametrize("words", [None, keys.WORDS], ids=["open", "encrypted"])
def test_both_take_the_same_private_keys(tmp_path: Path, kind: str, form: str, words: bytes | None) -> None:
    file = keys.written(tmp_path, keys.of(KINDS[kind], *FORMS[form], words or b""))
    right = kind in [curve.name for curve in keys.CURVES] and form in ("PKCS#8", "SEC1")
    assert (taken_by_us(file), taken_by_them(file, words)) == (right, right)


@pytest.mark.parametrize("kind", KINDS)
def test_both_take_the_same_public_keys(tmp_path: Path, kind: str) -> None:
    file = keys.written(tmp_path, keys.public_of(KINDS[kind]))
    taken = []
    for load in (public_key, Verifier):
        try:
            load(file)
            taken.append(True)
        except (ToolkitError, ValueError, AttributeError):
            taken.append(False)
    right = kind in [curve.name for curve in keys.CURVES]
    assert taken == [right, right]


def test_a_model_signed_with_an_encrypted_key(run: StoredRun, tmp_path: Path) -> None:
    data = keys.of(keys.P256, keys.PEM, keys.PKCS8, keys.WORDS)
    file, public = keys.written(tmp_path, data), keys.written(tmp_path, keys.public_of(keys.P256), "key.pub")
    sign_record(RUN, file, ask=lambda _: keys.WORDS.decode())
    copy = run.download(tmp_path / "copy")
    done = model_signing(
        *("verify", "key", copy / "model", "--signature", copy / "_run" / "model.sig", "--public_key", public)
    )
    assert (done.returncode, done.stdout.strip()) == (0, "Verification succeeded")
