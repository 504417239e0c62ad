"""Whom an image trusts."""

from __future__ import annotations

import base64
import datetime
import hashlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.x509.oid import NameOID

from toolkit.validation.file_scan import Seen

from .conftest import reported, text

DAY = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
SHARED = "usr/share/ca-certificates/mozilla/"
BUNDLE = "etc/ssl/certs/ca-certificates.crt"
SUMS = "var/lib/dpkg/info/ca-certificates.md5sums"


def authority(name: str) -> bytes:
    key = ed25519.Ed25519PrivateKey.generate()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), 7, DAY, DAY.replace(year=2044))
    return builder.sign(key, None).public_bytes(serialization.Encoding.PEM)


KNOWN, OTHER, SITE = authority("Known"), authority("Other"), authority("Site CA")


def sums(**certificates: bytes) -> Seen:
    lines = [
        f"{hashlib.md5(data, usedforsecurity=False).hexdigest()}  {SHARED}{name}.crt\n"
        for name, data in certificates.items()
    ]
    return text(SUMS, "".join(lines))


DEBIAN = (sums(known=KNOWN, other=OTHER), text(f"{SHARED}known.crt", KNOWN), text(f"{SHARED}other.crt", OTHER))


@pytest.mark.parametrize("first", [True, False])
def test_the_bundle_of_a_distribution_is_its_packages(first: bool) -> None:
    """Whichever comes first in the stream."""
    bundle = (text(BUNDLE, KNOWN + OTHER),)
    assert reported(*(bundle + DEBIAN if first else DEBIAN + bundle)) == []


def test_an_authority_of_the_site_is_named() -> None:
    assert reported(*DEBIAN, text(BUNDLE, KNOWN + SITE + OTHER)) == [
        f"certificates: /{BUNDLE} trusts `CN=Site CA`, which the package ca-certificates does not contain"
    ]


def test_a_certificate_beside_the_bundle_counts_as_well() -> None:
    assert reported(*DEBIAN, text("etc/ssl/certs/site.pem", SITE)) == [
        "certificates: /etc/ssl/certs/site.pem trusts `CN=Site CA`, which the package ca-certificates does not contain"
    ]


def test_the_folder_for_local_authorities_must_be_empty() -> None:
    assert reported(text("usr/local/share/ca-certificates/site.crt", SITE)) == [
        "certificates: /usr/local/share/ca-certificates/site.crt was added to the CAs that the distribution trusts"
    ]


def test_a_file_among_the_packages_that_it_did_not_bring() -> None:
    said = reported(*DEBIAN, text(f"{SHARED}site.crt", SITE), text(BUNDLE, KNOWN + SITE))
    assert said == [
        f"certificates: /{SHARED}site.crt differs from the package ca-certificates",
        f"certificates: /{BUNDLE} trusts `CN=Site CA`, which the package ca-certificates does not contain",
    ]


def test_a_file_of_the_package_that_was_changed() -> None:
    files = (sums(known=KNOWN), text(f"{SHARED}known.crt", KNOWN + SITE))
    assert reported(*files) == [f"certificates: /{SHARED}known.crt differs from the package ca-certificates"]


def test_packages_that_were_only_unpacked_have_no_sums() -> None:
    """As the side container's image has them."""
    assert reported(text(f"{SHARED}known.crt", KNOWN), text(BUNDLE, KNOWN)) == []
    assert reported(text("usr/share/ca-certificates/site/a.crt", SITE)) == [
        "certificates: /usr/share/ca-certificates/site/a.crt differs from the package ca-certificates"
    ]


def test_what_is_no_certificate_has_a_name_too() -> None:
    (said,) = reported(*DEBIAN, text(BUNDLE, b"-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n"))
    assert "something that is not a certificate" in said


CERTIFI = "opt/venv/lib/python3.11/site-packages/"


def record(content: bytes) -> Seen:
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
    lines = f"certifi/__init__.py,sha256=x,94\ncertifi/cacert.pem,sha256={digest},{len(content)}\n"
    return text(f"{CERTIFI}certifi-2024.1.dist-info/RECORD", lines)


def test_pythons_own_bundle_is_as_its_wheel_brought_it() -> None:
    assert reported(text(f"{CERTIFI}certifi/cacert.pem", KNOWN), record(KNOWN)) == []
    assert reported(text(f"{CERTIFI}certifi/cacert.pem", KNOWN + SITE), record(KNOWN)) == [
        f"certificates: /{CERTIFI}certifi/cacert.pem differs from its package"
    ]
