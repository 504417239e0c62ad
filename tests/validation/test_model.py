"""A proof and what becomes of it."""

from __future__ import annotations

import pytest

from toolkit.errors import Code, ToolkitError
from toolkit.validation.model import Finding, Proof, refuse

FINE, SKIPPED = Finding("framework", "ok", "it computes"), Finding("GPU code", "skipped", "for the CPU")
BAD, WORSE = (
    Finding("private keys", "fail", "/x holds a private key"),
    Finding("ranks", "fail", "mpirun ended\nno slots"),
)


def test_a_proof_holds_where_nothing_failed() -> None:
    assert Proof("i", (FINE, SKIPPED)).ok
    assert not Proof("i", (FINE, BAD)).ok
    refuse(Proof("i", (FINE, SKIPPED)))


def test_a_proof_of_nothing_holds_nothing() -> None:
    assert not Proof("i", ()).ok
    with pytest.raises(ToolkitError):
        refuse(Proof("i", ()))


def test_every_failed_finding_is_reported() -> None:
    with pytest.raises(ToolkitError) as raised:
        refuse(Proof("tensorflow:1", (FINE, BAD, SKIPPED, WORSE)))
    assert raised.value.code is Code.IMAGE
    assert str(raised.value).splitlines()[:4] == [
        "S103 tensorflow:1 failed validation: 2 findings",
        "  private keys: /x holds a private key",
        "  ranks: mpirun ended",
        "  no slots",
    ]


def test_machines_get_every_finding() -> None:
    assert Proof("i", (FINE, BAD)).as_json() == {
        "image": "i",
        "ok": False,
        "findings": [
            {"check": "framework", "verdict": "ok", "said": "it computes"},
            {"check": "private keys", "verdict": "fail", "said": "/x holds a private key"},
        ],
    }
