"""What is printed as a table: a line for each row, however narrow the screen, and nothing that a terminal obeys."""

from __future__ import annotations

import json

import pytest

from toolkit.cli import build_matrix, lab
from toolkit.cli.signature_table import signature_table
from toolkit.image.matrix import Outcome
from toolkit.run.serving.signatures import Signature, TensorType

IMAGE = {"built_now": True, "bytes": 1_700_000_000, "id": f"sha256:{'a' * 64}"}


def test_signatures_have_a_line_for_each_tensor() -> None:
    row, scores = TensorType("float32", (-1, 784)), TensorType("float32", (-1, 10))
    found = {"serving_default": Signature({"images": row}, {"classes": row, "scores\x1b[2J\n": scores})}
    assert signature_table(found).splitlines() == [
        "SIGNATURE        INPUTS                    OUTPUTS",
        "serving_default  images  float32 [n, 784]  classes  float32 [n, 784]",
        "                                           scores\\x1b[2J   float32 [n, 10]",
    ]


def test_built_images_are_listed_with_what_failed(capsys: pytest.CaptureFixture[str]) -> None:
    outcomes = (
        Outcome("tensorflow-2.19-py3.11-cpu", 0, 65.4, json.dumps({"image": IMAGE}), ""),
        Outcome("tensorflow-2.21-py3.11-cpu", 3, 7.0, "", "1.0 s  x\ntoolkit: error S103 no"),
    )
    build_matrix._show(outcomes)
    assert capsys.readouterr().err.splitlines() == [
        "IMAGE                               SECONDS    SIZE  IMAGE ID",
        "tensorflow-2.19-py3.11-cpu  built        65  1.7 GB  aaaaaaaaaaaa",
        "tensorflow-2.21-py3.11-cpu  FAILED        7",
        "",
        "tensorflow-2.21-py3.11-cpu:",
        "toolkit: error S103 no",
    ]


def test_a_lab_that_is_partly_removed_says_how_to_remove_the_rest(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lab, "list_labs", lambda: {"half": ()})
    assert lab._show(as_json=False) == 0
    assert capsys.readouterr().out.splitlines() == [
        "LAB   HOST  ADDRESS  STATE",
        "half  –     –        partly removed: toolkit lab down --name half",
    ]
