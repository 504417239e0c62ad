"""The keys of signatures: those that OpenSSF's own tool takes, ECDSA on three curves, in PEM.

What that tool would refuse is refused here, too, with the command that makes a right key of it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from toolkit.run.document.key_forms import (
    NEW_KEY,
    Form,
    form_of,
    not_private,
    not_public,
    other_kind,
    quoted,
    refused,
)
from toolkit.secrets import Secret

CURVES: Mapping[str, hashes.HashAlgorithm] = {
    "secp256r1": hashes.SHA256(),
    "secp384r1": hashes.SHA384(),
    "secp521r1": hashes.SHA512(),
}
"""The curves of Sigstore's bundles, and the hash that is signed on each. Others have keys of the same sizes."""
_MAX_KEY_BYTES = 1 << 16
_KINDS = (
    ((rsa.RSAPrivateKey, rsa.RSAPublicKey), "an RSA key"),
    ((ed25519.Ed25519PrivateKey, ed25519.Ed25519PublicKey), "an Ed25519 key"),
    ((ed448.Ed448PrivateKey, ed448.Ed448PublicKey), "an Ed448 key"),
)


def private_key(file: Path, passphrase: Callable[[], Secret]) -> ec.EllipticCurvePrivateKey:
    """The private key in a PEM file; `passphrase` is called if it is encrypted.

    Raises `ToolkitError` (C103) that says why the file cannot be used, and how to make one that can.
    """
    data = _read(file, private=True)
    if form_of(data) is Form.SSH_PRIVATE:  # some versions of cryptography read it; model signing does not
        raise not_private(file, data)
    try:
        key = load_pem_private_key(data, password=None)
    except TypeError:
        return _decrypted(file, data, passphrase())
    except ValueError:
        raise not_private(file, data) from None
    except UnsupportedAlgorithm:
        raise other_kind(file, "a key of another kind") from None
    return _on_a_curve(file, key)


def public_key(file: Path) -> ec.EllipticCurvePublicKey:
    """The public key in a PEM file. Raises `ToolkitError` (C103), likewise."""
    data = _read(file)
    try:
        key = load_pem_public_key(data)
    except ValueError:
        raise not_public(file, data) from None
    except UnsupportedAlgorithm:
        raise other_kind(file, "a key of another kind") from None
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in CURVES:
        return key
    raise other_kind(file, _kind(key))


def _decrypted(file: Path, data: bytes, passphrase: Secret) -> ec.EllipticCurvePrivateKey:
    try:
        key = load_pem_private_key(data, passphrase.reveal().encode("utf-8", "surrogateescape"))
    except (ValueError, TypeError):
        hint = f"openssl pkey -in {quoted(file)} -noout asks for it, too"
        raise refused(f"{file}: the passphrase is not that of this key", hint) from None
    except UnsupportedAlgorithm:
        hint = f"encrypt it anew: openssl pkcs8 -topk8 -in {quoted(file)} -out key.pem"
        raise refused(f"{file} is encrypted in a way that is not known here", hint) from None
    return _on_a_curve(file, key)


def _on_a_curve(file: Path, key: object) -> ec.EllipticCurvePrivateKey:
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in CURVES:
        return key
    raise other_kind(file, _kind(key))


def _kind(key: object) -> str:
    if isinstance(key, (ec.EllipticCurvePrivateKey, ec.EllipticCurvePublicKey)):
        return f"an ECDSA key on {key.curve.name}"
    return next((said for kinds, said in _KINDS if isinstance(key, kinds)), "a key of another kind")


def _read(file: Path, *, private: bool = False) -> bytes:
    try:
        with file.open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            if private and stat.S_ISREG(mode) and mode & 0o077:
                what = f"{file}: others may read this private key (mode {stat.S_IMODE(mode):04o})"
                raise refused(what, f"chmod 600 {quoted(file)}")
            return stream.read(_MAX_KEY_BYTES)
    except OSError as error:
        raise refused(f"{file}: {error.strerror}", NEW_KEY) from None
