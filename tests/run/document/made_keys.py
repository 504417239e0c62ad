"""Keys of all kinds in all forms, in files."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from toolkit.secrets import Secret

P256 = ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(65537, 2048)
CURVES = (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1())
PEM, DER = Encoding.PEM, Encoding.DER
PKCS8, SEC1, OPENSSH = PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL, PrivateFormat.OpenSSH
WORDS = b"correct horse"


def of(key: Any, encoding: Encoding = PEM, form: PrivateFormat = PKCS8, words: bytes = b"") -> bytes:
    data: bytes = key.private_bytes(encoding, form, BestAvailableEncryption(words) if words else NoEncryption())
    return data


def public_of(key: Any, encoding: Encoding = PEM, form: PublicFormat = PublicFormat.SubjectPublicKeyInfo) -> bytes:
    data: bytes = key.public_key().public_bytes(encoding, form)
    return data


def certificate(encoding: Encoding) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "me")])
    day = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    made = x509.CertificateBuilder(name, name, P256.public_key(), 1, day, day + datetime.timedelta(3650))
    return made.sign(P256, hashes.SHA256()).public_bytes(encoding)


def written(folder: Path, data: bytes, name: str = "a key", mode: int = 0o600) -> Path:
    file = folder / name
    file.write_bytes(data)
    file.chmod(mode)
    return file


def passphrase() -> Secret:
    return Secret(WORDS.decode())
