"""The form of a public record: what is one, and what is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.agent.run_document import document_bytes
from toolkit.run.document import model as module
from toolkit.run.document.model import document_schema, read_document, schema_text

from .sample import document

SCHEMA_FILE = Path(module.__file__).with_name("record.schema.json")


def changed(*path: str | int, to: object) -> bytes:
    found: Any = json.loads(document_bytes(document()))
    *above, last = path
    inside = found
    for part in above:
        inside = inside[part]
    inside[last] = to
    return json.dumps(found).encode()


def test_what_an_agent_completes_is_a_record() -> None:
    found = read_document(document_bytes(document()))
    assert (found.run.id, found.end.state, found.metrics) == ("training-abcd2345", "COMPLETED", {"loss": 0.5})
    assert [one.number for one in found.commands] == [1, 2]


def test_the_schema_in_the_package_is_that_of_the_models() -> None:
    """To renew it: python -c 'from toolkit.run.document.model import schema_text; print(schema_text(), end="")'"""
    assert SCHEMA_FILE.read_text("utf-8") == schema_text()


def test_the_schema_accepts_a_record_and_names_its_own_version() -> None:
    jsonschema.Draft202012Validator.check_schema(document_schema())
    jsonschema.validate(document(), document_schema())
    assert (
        document_schema()["properties"]["schema"]["enum"][-1] == document_schema()["$id"] == "urn:toolkit:run-record:2"
    )


def test_a_record_of_the_form_before_hosts_stages_is_still_one() -> None:
    found = {name: value for name, value in document().items() if name != "host_stages"}
    found["schema"] = "urn:toolkit:run-record:1"
    jsonschema.validate(found, document_schema())
    assert read_document(json.dumps(found).encode()).host_stages == ()


def test_a_record_of_an_earlier_version_has_no_packages() -> None:
    values: Any = document()
    del values["image"]["packages"]
    assert read_document(json.dumps(values).encode()).image.packages == ()
    jsonschema.validate(values, document_schema())


@pytest.mark.parametrize(
    ("path", "to", "said"),
    [
        (("schema",), "urn:toolkit:run-record:3", "schema"),
        (("run", "id"), "../../etc", "run.id"),
        (("code", "sha256"), "A" * 64, "code.sha256"),
        (("results", "files", 0, "sha256"), "a" * 63, "results.files.0.sha256"),
        (("results", "files", 0, "path"), "", "results.files.0.path"),
        (("image", "packages", 0, "kind"), "rpm", "image.packages.0.kind"),
        (("end", "state"), "DONE", "end.state"),
        (("stages", 0, "at"), -1.0, "stages.0.at"),
        (("host_stages", 0, "host_clock", 0, "start"), -1.0, "host_stages.0.host_clock.0.start"),
        (("host_stages", 1, "offset", "error"), -1.0, "host_stages.1.offset.error"),
        (("host_stages", 1, "operator_clock", 0, "name"), "", "host_stages.1.operator_clock.0.name"),
        (("steps", 0, "exit_status"), "0", "steps.0.exit_status"),
        (("metrics", "loss"), [1], "metrics.loss"),
        (("more",), 1, "more"),
    ],
)
def test_what_is_of_another_form_is_named_and_the_schema_refuses_it_too(
    path: tuple[str | int, ...], to: object, said: str
) -> None:
    data = changed(*path, to=to)
    with pytest.raises(ValueError, match=said.replace(".", r"\.")):
        read_document(data)
    if path != ("run", "id"):  # the spelling of an ID is the reader's
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(json.loads(data), document_schema())


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'"x"', b"[" * 100_000, b"\xff", b" " * ((64 << 20) + 1)])
def test_what_is_no_record_at_all_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        read_document(data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(), inside, max_size=3),
)


@given(st.sampled_from(sorted(document())), JSON)
def test_whatever_stands_in_a_field_it_is_read_or_refused(field: str, value: object) -> None:
    data = json.dumps(document() | {field: value}).encode()
    try:
        read_document(data)
    except ValueError as error:
        assert field in str(error)
