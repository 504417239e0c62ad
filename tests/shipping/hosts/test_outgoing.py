"""Where a registry has an image, and the pair by which hosts know each other."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from pathlib import Path

import pytest
from cryptography import x509

from toolkit.shipping.hosts.outgoing import registry_place
from toolkit.shipping.hosts.tls_pair import new_pair


def test_a_registry_is_asked_by_digest_where_it_is_known_and_else_by_version() -> None:
    places = ["other:5000/x@sha256:aa", "reg:5000/x@sha256:bb"]
    assert registry_place("reg:5000/x", "x:1", places) == "reg:5000/x@sha256:bb"
    assert registry_place("reg:5000/y", "x:1", places) == "reg:5000/y:1"


def test_a_pair_is_for_these_addresses_and_for_days(tmp_path: Path) -> None:
    now = datetime.datetime(2026, 1, 10, tzinfo=datetime.UTC)
    pair = new_pair(["10.0.0.7", "fd00::7"], now)
    certificate = x509.load_pem_x509_certificate(pair.reveal().encode())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.IPAddress) == [
        ipaddress.ip_address("10.0.0.7"),
        ipaddress.ip_address("fd00::7"),
    ]
    assert (certificate.not_valid_before_utc.day, certificate.not_valid_after_utc.day) == (8, 12)
    (tmp_path / "pair.pem").write_text(pair.reveal())
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tmp_path / "pair.pem")  # key and certificate agree
    assert str(pair) == "[redacted]"
    assert new_pair(["10.0.0.7"]) != new_pair(["10.0.0.7"])


def test_an_address_that_is_none_makes_no_pair() -> None:
    with pytest.raises(ValueError, match="host-a"):
        new_pair(["host-a"])
