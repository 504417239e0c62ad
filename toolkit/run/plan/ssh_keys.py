"""SSH keys for one run's learners among themselves. Created for each run, never stored on this machine."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from toolkit.secrets import Secret


@dataclass(frozen=True)
class KeyPair:
    """An ed25519 pair in OpenSSH's format; `public` is the line without a comment."""

    private: Secret
    public: str


def new_key_pair() -> KeyPair:
    """A new pair."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return KeyPair(Secret(private.decode()), public.decode())
