"""The keys that sign a run: those that model signing takes. The others are refused with the command that makes one."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from toolkit.errors import ToolkitError
from toolkit.run.document.dsse import key_id
from toolkit.run.document.key_forms import NEW_KEY
from toolkit.run.document.keys import private_key, public_key

from .made_keys import (
    CURVES,
    DER,
    OPENSSH,
    P256,
    PEM,
    PKCS8,
    RSA,
    SEC1,
    WORDS,
    certificate,
    of,
    passphrase,
    public_of,
    written,
)


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
@pytest.mark.parametrize("words", [b"", WORDS], ids=["open", "encrypted"])
@pytest.mark.parametrize("form", [PKCS8, SEC1], ids=["PKCS#8", "SEC1"])
def test_each_curve_in_each_form_of_pem(tmp_path: Path, curve: ec.EllipticCurve, words: bytes, form: Any) -> None:
    key = ec.generate_private_key(curve)
    found = private_key(written(tmp_path, of(key, PEM, form, words)), passphrase)
    assert found.private_numbers() == key.private_numbers()
    public = public_key(written(tmp_path, public_of(key)))
    assert key_id(public) == key_id(found.public_key())


@pytest.mark.parametrize(
    "data",
    [
        certificate(PEM) + of(P256),
        of(P256) + certificate(PEM),
        b"Bag Attributes\n    friendlyName: me\n" + of(P256),
        of(P256).replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + of(P256),
        b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n" + of(P256, PEM, SEC1),
    ],
    ids=["after its certificate", "before it", "after text", "CR LF", "byte order mark", "after its parameters"],
)
def test_what_else_is_in_the_file_does_not_matter(tmp_path: Path, data: bytes) -> None:
    assert private_key(written(tmp_path, data), passphrase).private_numbers() == P256.private_numbers()


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        (RSA, "an RSA key"),
        (ed25519.Ed25519PrivateKey.generate(), "an Ed25519 key"),
        (ed448.Ed448PrivateKey.generate(), "an Ed448 key"),
        (ec.generate_private_key(ec.SECP256K1()), "an ECDSA key on secp256k1"),
        (ec.generate_private_key(ec.BrainpoolP256R1()), "an ECDSA key on brainpoolP256r1"),
        (ec.generate_private_key(ec.BrainpoolP384R1()), "an ECDSA key on brainpoolP384r1"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
@pytest.mark.parametrize("words", [b"", WORDS], ids=["open", "encrypted"])
def test_another_kind_is_named_with_how_to_make_a_right_key(tmp_path: Path, key: Any, kind: str, words: bytes) -> None:
    """Curves with keys of the same size are other curves: model signing refuses them."""
    what = f"a key is {kind}; model signing takes ECDSA keys on P-256, P-384 and P-521"
    for load, data in ((private_key, of(key, words=words)), (public_key, public_of(key))):
        file = written(tmp_path, data)
        with pytest.raises(ToolkitError) as caught:
            load(*((file, passphrase) if load is private_key else (file,)))
        assert (caught.value.code.label, caught.value.what, caught.value.hint) == (
            "C103",
            f"{tmp_path}/{what}",
            NEW_KEY,
        )


def in_sh(command: str, folder: Path) -> None:
    """Run a hint's command, in which nothing asks."""
    argv = ["sh", "-ec", command.replace("ssh-keygen -p ", "ssh-keygen -q -P '' -N '' -p ")]
    subprocess.run(argv, cwd=folder, check=True, capture_output=True, timeout=60)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (of(P256, PEM, OPENSSH), "is a private key in OpenSSH's form, and model signing reads PEM"),
        (of(P256, DER), "is a private key in DER, and model signing reads PEM"),
        (of(P256, DER, SEC1), "is a private key in DER, and model signing reads PEM"),
    ],
    ids=["OpenSSH", "PKCS#8 in DER", "SEC1 in DER"],
)
def test_a_private_key_in_another_form_is_converted_as_the_hint_says(tmp_path: Path, data: bytes, said: str) -> None:
    file = written(tmp_path, data)
    with pytest.raises(ToolkitError) as caught:
        private_key(file, passphrase)
    assert caught.value.what == f"{file} {said}"
    in_sh(caught.value.hint, tmp_path)
    assert private_key(tmp_path / "key.pem", passphrase).private_numbers() == P256.private_numbers()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (of(P256), "is a private key in PEM, and verifying needs its public key"),
        (of(P256, PEM, SEC1), "is a private key in PEM, and verifying needs its public key"),
        (of(P256, DER), "is a private key in DER, and verifying needs its public key"),
        (of(P256, PEM, OPENSSH), "is a private key in OpenSSH's form, and model signing reads PEM"),
        (public_of(P256, DER), "is a public key in DER, and model signing reads PEM"),
        (
            public_of(P256, Encoding.OpenSSH, PublicFormat.OpenSSH),
            "is a public key in OpenSSH's form, and model signing reads PEM",
        ),
        (certificate(PEM), "is a certificate in PEM, and verifying needs its public key"),
        (certificate(DER), "is a certificate in DER, and verifying needs its public key"),
    ],
    ids=["PKCS#8", "SEC1", "DER", "OpenSSH", "public DER", "public OpenSSH", "certificate", "certificate in DER"],
)
def test_the_public_key_is_made_as_the_hint_says(tmp_path: Path, data: bytes, said: str) -> None:
    file = written(tmp_path, data)
    with pytest.raises(ToolkitError) as caught:
        public_key(file)
    assert caught.value.what == f"{file} {said}"
    in_sh(caught.value.hint, tmp_path)
    assert key_id(public_key(tmp_path / "key.pub")) == key_id(P256.public_key())


def test_a_new_key_is_made_as_the_hint_says(tmp_path: Path) -> None:
    in_sh(NEW_KEY, tmp_path)
    made = private_key(tmp_path / "key.pem", passphrase)
    assert key_id(public_key(tmp_path / "key.pub")) == key_id(made.public_key())


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (of(P256, DER, PKCS8, WORDS), "is an encrypted private key in DER, and model signing reads PEM"),
        (public_of(P256), "is a public key in PEM, and signing needs a private key"),
        (public_of(P256, DER), "is a public key in DER, and signing needs a private key"),
        (
            public_of(P256, Encoding.OpenSSH, PublicFormat.OpenSSH),
            "is a public key in OpenSSH's form, and signing needs a private key",
        ),
        (certificate(PEM), "is a certificate in PEM, and signing needs a private key"),
        (certificate(DER), "is a certificate in DER, and signing needs a private key"),
        (
            of(ed25519.Ed25519PrivateKey.generate(), PEM, OPENSSH),
            "is an Ed25519 key; model signing takes ECDSA keys on",
        ),
        (of(RSA, PEM, OPENSSH), "is an RSA key; model signing takes ECDSA keys on"),
        (of(RSA, PEM, SEC1), "is an RSA key; model signing takes ECDSA keys on"),
        (
            b"-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\neyJrZGYi\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n",
            "is a key in the form of cosign or PGP, and model signing reads PEM as OpenSSL writes it",
        ),
        (of(P256)[:120], "is damaged: no key can be read from it"),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAA\n", "is damaged: no key can be read from it"),
        (b"not a key", "is not a private key in PEM"),
        (b"\x30\x82\x01\x02 some DER", "is not a private key in PEM"),
        (b"", "is not a private key in PEM"),
    ],
    ids=[
        *("encrypted DER", "public", "public DER", "public OpenSSH", "certificate", "certificate DER"),
        *(
            "Ed25519 of OpenSSH",
            "RSA of OpenSSH",
            "RSA",
            "cosign",
            "cut off",
            "OpenSSH cut off",
            "text",
            "bytes",
            "empty",
        ),
    ],
)
def test_what_cannot_sign_is_named(tmp_path: Path, data: bytes, said: str) -> None:
    file = written(tmp_path, data)
    with pytest.raises(ToolkitError) as caught:
        private_key(file, passphrase)
    assert caught.value.code.label == "C103"
    assert caught.value.what.startswith(f"{file} {said}")
    assert caught.value.hint


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o606, 0o610])
def test_a_private_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    file = written(tmp_path, of(P256), mode=mode)
    with pytest.raises(ToolkitError) as caught:
        private_key(file, passphrase)
    assert caught.value.what == f"{file}: others may read this private key (mode {mode:04o})"
    in_sh(caught.value.hint, tmp_path)
    assert private_key(file, passphrase).private_numbers() == P256.private_numbers()
    assert public_key(written(tmp_path, public_of(P256), "key.pub", 0o644))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    for load in (lambda: private_key(tmp_path / "none", passphrase), lambda: public_key(tmp_path / "none")):
        with pytest.raises(ToolkitError, match="none: No such file"):
            load()
