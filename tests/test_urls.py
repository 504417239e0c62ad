"""No password of a URL in what is shown."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.errors import Code, Problem, ToolkitError
from toolkit.urls import redact_urls


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://me:pass@mirror/debian failed", "http://[redacted]@mirror/debian failed"),
        ("x https://token@pypi.site/simple/", "x https://[redacted]@pypi.site/simple/"),
        ("('http://me:p@ss:w@mirror:80/x')", "('http://[redacted]@mirror:80/x')"),
        ("http://a:b@h/ ftp://c:d@h/", "http://[redacted]@h/ ftp://[redacted]@h/"),
        ("ssh://me:pass@gate", "ssh://[redacted]@gate"),
        ("ssh://me@gate", "ssh://me@gate"),
        ("me@host and http://host/a@b", "me@host and http://host/a@b"),
        ("docker://reg/name@sha256:0", "docker://reg/name@sha256:0"),
        ("", ""),
    ],
)
def test_who_logs_in_is_hidden_and_the_rest_stays(text: str, shown: str) -> None:
    assert redact_urls(text, {}) == shown


@pytest.mark.parametrize("variable", ["TOOLKIT_MIRROR_DEBIAN", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "https_proxy"])
@pytest.mark.parametrize("secret", ["hunter22", "hun%2Fter", "h@nt:r22", "hun/ter22"])
def test_a_password_that_the_environment_has_is_hidden_wherever_it_stands(variable: str, secret: str) -> None:
    environment = {variable: f"http://me:{secret}@mirror/debian"}
    text = f"user me, password {secret}, {secret!r}, http://me:{secret}@mirror/x, hun/ter"
    assert secret not in redact_urls(text, environment)
    if "%" in secret:
        assert "hun/ter" not in redact_urls(text, environment)


def test_an_error_takes_them_out_of_all_that_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://me:canary77@index/simple")
    url = "https://me:canary77@index/simple/x"
    error = ToolkitError(Code.IMAGE, f"{url} a", (Problem(f"{url} b"),), f"{url}\npassword canary77", f"try {url}")
    assert "canary77" not in str(error) + json.dumps(error.as_json())


@given(st.text(st.sampled_from("a:/@.+- "), max_size=40))
def test_any_text_is_taken(text: str) -> None:
    assert redact_urls(redact_urls(text, {}), {}) == redact_urls(text, {})


def test_a_long_text_takes_no_long_time() -> None:
    for text in ("a" * 1_000_000, "a://" * 200_000, "a://" + "b" * 1_000_000, "http://a:b@" * 50_000):
        assert redact_urls(text + "://", {})
