"""The key by which hosts authenticate each other while one image is transferred; new each time, never on a disk."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Iterable

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from toolkit.secrets import Secret

# Hosts' clocks differ; the key is gone long before.
_SLACK = datetime.timedelta(days=2)


def new_pair(addresses: Iterable[str], now: datetime.datetime | None = None) -> Secret:
    """A private key and its certificate as PEM: server and client at once, for each of `addresses` (IP addresses).

    Its holder is trusted; the certificate is its own authority, and there is no other.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    now = now or datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "toolkit shipment")])
    known = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(one)) for one in addresses])
    uses = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SLACK)
        .not_valid_after(now + _SLACK)
        .add_extension(known, critical=False)
        .add_extension(uses, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Secret((private + certificate.public_bytes(Encoding.PEM)).decode())
