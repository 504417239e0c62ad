"""Paths of TensorFlow Serving's REST API: which request they are, and what is said of the others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.run.in_container.serving.paths import Asked, asked, refuse_other
from toolkit.run.in_container.serving.refused import Refused


def refusal(method: str, path: str, name: str = "digits") -> tuple[int, str]:
    with pytest.raises(Refused) as caught:
        refuse_other(asked(method, path), name)
    return caught.value.status, caught.value.message


@pytest.mark.parametrize(
    ("method", "path", "request_"),
    [
        ("GET", "/v1/models/digits", Asked("status", "digits", -1, "")),
        ("GET", "/v1/models/digits/versions/1", Asked("status", "digits", 1, "")),
        ("GET", "/v1/models/digits/metadata?x=1", Asked("metadata", "digits", -1, "")),
        ("GET", "/v1/models/digits/versions/01/metadata", Asked("metadata", "digits", 1, "")),
        ("POST", "/v1/models/digits:predict", Asked("predict", "digits", -1, "")),
        ("POST", "/V1/Models/digits/versions/1:CLASSIFY", Asked("classify", "digits", 1, "")),
        ("POST", "/v1/models/my%20digits/labels/stable:regress", Asked("regress", "my digits", -1, "stable")),
    ],
)
def test_a_path_is_read_as_serving_reads_it(method: str, path: str, request_: Asked) -> None:
    assert asked(method, path) == request_


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("GET", "/v1/models/", 400, "Missing model name in request."),
        ("GET", "/v1/models/digits:predict", 400, "Malformed request: GET /v1/models/digits:predict"),
        ("POST", "/v1/models/digits", 400, "Malformed request: POST /v1/models/digits"),
        ("POST", "/v1/models/digits:train", 400, "Malformed request: POST /v1/models/digits:train"),
        ("GET", "/index.html", 404, "Malformed request: GET /index.html"),
        ("GET", "/v1/models/half", 404, "Could not find any versions of model half"),
        ("GET", "/v1/models/digits/versions/2", 404, "Could not find version 2 of model digits"),
        ("GET", "/v1/models/half/metadata", 404, "Servable not found for request: Latest(half)"),
        ("POST", "/v1/models/half:predict", 404, "Servable not found for request: Latest(half)"),
        ("POST", "/v1/models/digits/versions/7:predict", 404, "Servable not found for request: Specific(digits, 7)"),
        ("POST", "/v1/models/%25d:predict", 404, "Servable not found for request: Latest(%d)"),
        ("GET", "/v1/models/digits/labels/x", 400, "Unrecognized servable version label: x"),
        ("GET", f"/v1/models/m/versions/{2**63}", 400, f"Failed to convert version: {2**63} to numeric."),
    ],
)
def test_what_is_not_there_is_refused_in_servings_words(method: str, path: str, status: int, message: str) -> None:
    assert refusal(method, path) == (status, message)


@given(st.sampled_from(("GET", "POST", "PUT", "")), st.text() | st.text().map("/v1/models/".__add__))
def test_any_path_is_a_request_or_refused(method: str, path: str) -> None:
    try:
        assert asked(method, path).what in ("status", "metadata", "predict", "classify", "regress")
    except Refused as refused:
        assert refused.status in (400, 404)
