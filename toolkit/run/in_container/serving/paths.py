"""Which request a method and a path are. Pure."""

import re
from typing import NamedTuple
from urllib.parse import unquote

from .refused import NOT_FOUND, Refused

VERSION = 1
"""A collected model is the only one of its run."""

Asked = NamedTuple("Asked", [("what", str), ("name", str), ("version", int), ("label", str)])
"""`what`: status, metadata, predict, classify or regress; `version` is -1 if any will do, `label` empty if none."""

_MODEL = r"/v1/models/(?P<name>[^/:]+)(?:/versions/(?P<version>[0-9]{1,30})|/labels/(?P<label>[^/:]+))?"
_READ = re.compile(_MODEL + r"(?:/(?P<what>metadata))?", re.IGNORECASE)
_SCORE = re.compile(_MODEL + r":(?P<what>classify|regress|predict)", re.IGNORECASE)
_LARGEST = 2**63 - 1


def asked(method: str, path: str) -> Asked:
    """The request; `path` may have a query, which is ignored. Raises `Refused`."""
    path = path.partition("?")[0]
    if path.lower() in ("/v1/models", "/v1/models/") and method == "GET":
        raise Refused("Missing model name in request.")
    match = {"GET": _READ, "POST": _SCORE}[method].fullmatch(path) if method in ("GET", "POST") else None
    if not match:
        raise Refused("Malformed request: %s %s" % (method, path), NOT_FOUND if path[:4] != "/v1/" else 400)
    version = int(match.group("version") or -1)
    if version > _LARGEST:
        raise Refused("Failed to convert version: %d to numeric." % version)
    what = (match.group("what") or "status").lower()
    return Asked(what, unquote(match.group("name")), version, unquote(match.group("label") or ""))


def refuse_other(request: Asked, name: str) -> None:
    """Raise `Refused` unless it is for the model `name` in its only version."""
    if request.name == name and request.label:
        raise Refused("Unrecognized servable version label: %s" % request.label)
    if request.name == name and request.version in (-1, VERSION):
        return
    versions = "any versions" if request.version < 0 else "version %d" % request.version
    which = "Latest(%s)" if request.version < 0 else "Specific(%%s, %d)" % request.version
    if request.what == "status":
        raise Refused("Could not find %s of model %s" % (versions, request.name), NOT_FOUND)
    raise Refused("Servable not found for request: " + which % request.name, NOT_FOUND)
