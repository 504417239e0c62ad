"""OpenSSF's own tool verifies a model that `toolkit record sign` has signed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.run.document.sample import RUN
from tests.run.document.stored import StoredRun, key_pair, on_this_machine
from tests.storage.stand_in_s3 import standing_in
from toolkit.api.run_records import sign_record, verify_record


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
