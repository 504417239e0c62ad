"""What a file is that is not a key in PEM, or not the one that is asked for; with the command that makes one of it."""

from __future__ import annotations

import base64
import binascii
import re
import shlex
from contextlib import suppress
from enum import Enum
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key

from toolkit.errors import Code, ToolkitError

NEW_KEY = "openssl ecparam -name prime256v1 -genkey -noout -out key.pem; openssl ec -in key.pem -pubout -out key.pub"
_TAKEN = "model signing takes ECDSA keys on P-256, P-384 and P-521"


class Form(Enum):
    """What is in a key's file."""

    PRIVATE = "a private key in PEM"
    PRIVATE_DER = "a private key in DER"
    ENCRYPTED_DER = "an encrypted private key in DER"
    PUBLIC = "a public key in PEM"
    PUBLIC_DER = "a public key in DER"
    CERTIFICATE = "a certificate in PEM"
    CERTIFICATE_DER = "a certificate in DER"
    SSH_PRIVATE = "a private key in OpenSSH's form"
    SSH_PUBLIC = "a public key in OpenSSH's form"
    OTHERS = "a key in the form of cosign or PGP"
    UNKNOWN = ""


_PRIVATE = (Form.PRIVATE, Form.PRIVATE_DER, Form.ENCRYPTED_DER)
_CERTIFICATE = (Form.CERTIFICATE, Form.CERTIFICATE_DER)
_PUBLIC = (Form.PUBLIC, Form.PUBLIC_DER, Form.SSH_PUBLIC)
_SSH = (Form.SSH_PRIVATE, Form.SSH_PUBLIC)
_DER = (Form.PRIVATE_DER, Form.ENCRYPTED_DER, Form.PUBLIC_DER, Form.CERTIFICATE_DER)
_BEGIN = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,60})-----")
_LABELS = (
    (re.compile(r"ENCRYPTED (SIGSTORE|COSIGN) PRIVATE KEY|PGP .*"), Form.OTHERS),
    (re.compile(r"OPENSSH PRIVATE KEY"), Form.SSH_PRIVATE),
    (re.compile(r".*PRIVATE KEY"), Form.PRIVATE),
    (re.compile(r".*PUBLIC KEY"), Form.PUBLIC),
    (re.compile(r".*CERTIFICATE"), Form.CERTIFICATE),
)
"""By the first that one of a file's PEM labels fits: a private key may have its certificate beside it."""
_SSH_BODY = re.compile(rb"-----BEGIN OPENSSH PRIVATE KEY-----([^-]*)")
_SSH_LINE = re.compile(rb"\s*(?:ssh|ecdsa|sk)-[a-z0-9@.-]{1,60} AAAA")
_SSH_CURVE = re.compile(rb"ecdsa-sha2-nistp(?:256|384|521)(?![!-~])")  # that of a security key goes on: `@openssh.com`


def form_of(data: bytes) -> Form:
    """What a file with `data` is."""
    labels = [label.decode() for label in _BEGIN.findall(data)]
    for pattern, form in _LABELS:
        if any(pattern.fullmatch(label) for label in labels):
            return form
    return Form.SSH_PUBLIC if _SSH_LINE.match(data) else _form_of_der(data)


def not_private(file: Path, data: bytes) -> ToolkitError:
    """Why `data` is no private key in PEM, and how to get one."""
    form, name = form_of(data), quoted(file)
    if form is Form.SSH_PRIVATE:
        return _of_ssh(file, data, form, f"cp {name} key.pem; ssh-keygen -p -m PEM -f key.pem")
    if form is Form.PRIVATE_DER:
        return _found(file, form, f"openssl pkey -inform DER -in {name} -out key.pem")
    if form is Form.ENCRYPTED_DER:
        return _found(file, form, f"openssl pkcs8 -inform DER -in {name} | openssl pkcs8 -topk8 -out key.pem")
    if form in _CERTIFICATE or form in _PUBLIC:
        return refused(f"{file} is {form.value}, and signing needs a private key", "name the private key's file")
    return _no_key(file, form, Form.PRIVATE)


def not_public(file: Path, data: bytes) -> ToolkitError:
    """Why `data` is no public key in PEM, and how to get one."""
    form, name = form_of(data), quoted(file)
    words = f"-inform DER -in {name}" if form in _DER else f"-in {name}"
    if form in _SSH:
        return _of_ssh(file, data, form, f"ssh-keygen -e -m PKCS8 -f {name} > key.pub")
    if form in _PRIVATE:
        return _found(file, form, f"openssl pkey {words} -pubout -out key.pub", "verifying needs its public key")
    if form in _CERTIFICATE:
        return _found(file, form, f"openssl x509 {words} -pubkey -noout > key.pub", "verifying needs its public key")
    if form is Form.PUBLIC_DER:
        return _found(file, form, f"openssl pkey -pubin {words} -out key.pub")
    return _no_key(file, form, Form.PUBLIC)


def other_kind(file: Path, kind: str) -> ToolkitError:
    """The refusal of a key that is not one of those that model signing takes."""
    return refused(f"{file} is {kind}; {_TAKEN}", NEW_KEY)


def refused(what: str, hint: str) -> ToolkitError:
    """The refusal of a key (C103), with what to do next."""
    return ToolkitError(Code.CREDENTIALS, what, hint=hint)


def quoted(file: Path) -> str:
    """The file's name in a command line to be copied."""
    return shlex.quote(str(file))


def _found(file: Path, form: Form, hint: str, why: str = "model signing reads PEM") -> ToolkitError:
    return refused(f"{file} is {form.value}, and {why}", hint)


def _of_ssh(file: Path, data: bytes, form: Form, hint: str) -> ToolkitError:
    """A private key has the name of its kind in its public half, which is never encrypted."""
    found = _SSH_BODY.search(data)
    try:
        body = base64.b64decode(found[1]) if found else data
    except binascii.Error:
        return refused(f"{file} is damaged: no key can be read from it", NEW_KEY)
    if _SSH_CURVE.search(body):
        return _found(file, form, hint)
    kind = (
        "an RSA key" if b"ssh-rsa" in body else "an Ed25519 key" if b"ssh-ed25519" in body else "a key of another kind"
    )
    return other_kind(file, kind)


def _no_key(file: Path, form: Form, wanted: Form) -> ToolkitError:
    what = "is damaged: no key can be read from it" if form is wanted else f"is not {wanted.value}"
    if form is Form.OTHERS:
        what = f"is {form.value}, and model signing reads PEM as OpenSSL writes it"
    return refused(f"{file} {what}", NEW_KEY)


def _form_of_der(data: bytes) -> Form:
    if not data.startswith(b"\x30"):
        return Form.UNKNOWN
    try:
        with suppress(ValueError, UnsupportedAlgorithm):
            load_der_private_key(data, None)
            return Form.PRIVATE_DER
    except TypeError:
        return Form.ENCRYPTED_DER
    with suppress(ValueError, UnsupportedAlgorithm):
        load_der_public_key(data)
        return Form.PUBLIC_DER
    with suppress(ValueError):
        x509.load_der_x509_certificate(data)
        return Form.CERTIFICATE_DER
    return Form.UNKNOWN
