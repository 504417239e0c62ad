"""roc-validator, without a network: the one document that it downloads, RO-Crate's context, comes from ro-crate-py."""

from __future__ import annotations

import io
from importlib.resources import files
from pathlib import Path
from typing import Any

import requests
from requests.adapters import BaseAdapter
from rocrate_validator.models import Severity
from rocrate_validator.services import ValidationSettings, validate
from rocrate_validator.utils.http import HttpRequester

CONTEXT = "https://w3id.org/ro/crate/1.1/context"
CONTEXT_FILE = files("rocrate") / "data" / "ro-crate.jsonld"


class _Context(BaseAdapter):
    """Answers with the context, and fails for everything else."""

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        answer = requests.Response()
        there = request.url == CONTEXT
        answer.status_code = 200 if there else 404
        answer.url, answer.request = str(request.url), request
        answer.headers["Content-Type"] = "application/ld+json"
        answer.raw = io.BytesIO(CONTEXT_FILE.read_bytes() if there else b"")
        return answer

    def close(self) -> None: ...


def issues(crate: Path, profile: str, severity: str = "REQUIRED") -> list[str]:
    """What roc-validator finds wrong with a crate."""
    settings = ValidationSettings(
        rocrate_uri=str(crate),
        profile_identifier=profile,
        requirement_severity=Severity[severity],
        no_cache=True,
        skip_availability_check=True,
    )
    for scheme in ("https://", "http://"):
        HttpRequester().session.mount(scheme, _Context())
    result = validate(settings)
    return [
        f"{issue.severity.name} {issue.check.identifier}: {issue.message} {issue.violatingEntity}"
        for issue in result.get_issues()
    ]
