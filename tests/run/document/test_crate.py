"""A run as an RO-Crate: the eleven competency questions of Workflow Run RO-Crate, asked in SPARQL.

The questions: https://www.researchobject.org/workflow-run-crate/requirements
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from rdflib import Graph

from toolkit.agent.checksums import sha256_of, write_list
from toolkit.agent.run_document import document_bytes
from toolkit.api.run_records import export_record, sign_record, verify_record
from toolkit.errors import ToolkitError
from toolkit.manifest.write import canonical_data
from toolkit.run.document.crate import METADATA, crate_metadata, place_in_crate
from toolkit.run.document.model import read_document

from .sample import CODE_FILES, FILES, IMAGE, RUN, SUMS, document, manifest
from .stored import StoredRun, key_pair

SCHEMA, BIOSCHEMAS = "http://schema.org/", "https://bioschemas.org/"
CONTEXT = {
    "@vocab": SCHEMA,
    "File": f"{SCHEMA}MediaObject",
    "conformsTo": "http://purl.org/dc/terms/conformsTo",
    "ComputationalWorkflow": f"{BIOSCHEMAS}ComputationalWorkflow",
    "FormalParameter": f"{BIOSCHEMAS}FormalParameter",
    "input": f"{BIOSCHEMAS}ComputationalWorkflow#input",
    "output": f"{BIOSCHEMAS}ComputationalWorkflow#output",
}
"""RO-Crate 1.1's terms, as far as a crate uses them; it is downloaded by whoever reads a crate."""
PREFIXES = """
PREFIX schema: <http://schema.org/>
PREFIX bio: <https://bioschemas.org/>
PREFIX io: <https://bioschemas.org/ComputationalWorkflow#>
PREFIX run: <https://w3id.org/ro/terms/workflow-run#>
PREFIX dct: <http://purl.org/dc/terms/>
"""
BASE = "https://example.org/crate/"
COPIED = {place_in_crate(path): len(data) for path, data in FILES.items()}
COPIED |= {f"code/{name}": len(data) for name, data in CODE_FILES.items()}


def metadata(**more: Any) -> dict[str, Any]:
    asked = manifest(environment=(("OMP_NUM_THREADS", "4"),))
    found = document() | {"manifest": canonical_data(asked)} | more
    return crate_metadata(read_document(document_bytes(found)), COPIED)


def graph(found: dict[str, Any]) -> Graph:
    remote, terms = found["@context"]
    assert remote == "https://w3id.org/ro/crate/1.1/context"
    data = {"@context": [CONTEXT, terms], "@graph": found["@graph"]}
    return Graph().parse(data=json.dumps(data), format="json-ld", base=BASE)


@pytest.fixture(scope="module")
def crate() -> Graph:
    return graph(metadata())


def asked(crate: Graph, question: str) -> list[tuple[str, ...]]:
    rows = crate.query(f"BASE <{BASE}>{PREFIXES}{question}")
    return sorted(tuple(str(value).removeprefix(BASE) for value in row) for row in rows)


def test_1_which_container_images_did_the_run_use(crate: Graph) -> None:
    found = asked(
        crate,
        """SELECT DISTINCT ?name ?tag ?sha256 WHERE {
            ?action a schema:CreateAction ; run:containerImage ?image .
            ?image a run:ContainerImage ; schema:name ?name ; run:tag ?tag ; run:sha256 ?sha256 }""",
    )
    name, _, tag = IMAGE.reference.partition(":")
    assert found == [(name, tag, IMAGE.image_id.removeprefix("sha256:"))]


def test_2_how_much_memory_cpu_and_disk_did_it_use(crate: Graph) -> None:
    found = asked(
        crate,
        """SELECT ?quantity ?value ?unit WHERE { <#execution-1> run:resourceUsage ?usage .
            ?usage schema:propertyID ?quantity ; schema:value ?value ; schema:unitCode ?unit }""",
    )
    assert [(quantity.rpartition(":")[2], value, unit.rpartition("/")[2]) for quantity, value, unit in found] == [
        ("cpus-of-hosts", "8", "NUM"),
        ("disk-of-results", str(sum(map(len, FILES.values()))), "BYTE"),
        ("gpus-of-hosts", "1", "NUM"),
        ("memory-of-hosts", str(64 << 30), "BYTE"),
        ("processes", "2", "NUM"),
        ("time", "8.500", "SEC"),
    ]


def test_3_which_configuration_files_did_a_step_use(crate: Graph) -> None:
    found = asked(
        crate,
        """SELECT ?step ?file WHERE { ?control schema:instrument ?step ; schema:object ?action .
            ?step a schema:HowToStep . ?action schema:object ?file .
            ?file a schema:MediaObject ; schema:encodingFormat "application/yaml" }""",
    )
    assert found == [("#step-1", "manifest.yml"), ("#step-2", "manifest.yml")]


def test_4_which_environment_did_a_step_have(crate: Graph) -> None:
    found = asked(
        crate,
        """SELECT ?image ?name ?value WHERE { <#control-1> schema:object ?action .
            ?action run:containerImage/schema:identifier ?image ; run:environment ?variable .
            ?variable schema:name ?name ; schema:value ?value }""",
    )
    assert found == [(IMAGE.image_id, "OMP_NUM_THREADS", "4")]


def test_5_how_long_did_each_component_take(crate: Graph) -> None:
    found = asked(
        crate,
        """SELECT ?tool ?start ?end WHERE { ?action schema:instrument ?tool ; schema:startTime ?start ;
            schema:endTime ?end . ?tool a schema:SoftwareApplication . ?action a schema:CreateAction }""",
    )
    assert found == [
        ("#command-1", "1970-01-01T00:00:11+00:00", "1970-01-01T00:00:19+00:00"),
        ("#command-2", "1970-01-01T00:00:19+00:00", "1970-01-01T00:00:21+00:00"),
    ]


def test_6_how_long_did_the_workflow_take(crate: Graph) -> None:
    found = asked(
        crate,
        """SELECT ?start ?end WHERE { ?action schema:instrument ?workflow ; schema:startTime ?start ;
            schema:endTime ?end . ?workflow a bio:ComputationalWorkflow }""",
    )
    assert found == [("1970-01-01T00:00:01+00:00", "1970-01-01T00:00:23+00:00")]


STATUS = """SELECT ?status ?error WHERE { ?action schema:instrument ?workflow ; schema:actionStatus ?status .
    ?workflow a bio:ComputationalWorkflow . OPTIONAL { ?action schema:error ?error } }"""


def test_7_was_it_successful(crate: Graph) -> None:
    assert asked(crate, STATUS) == [("http://schema.org/CompletedActionStatus", "None")]


def test_7_and_if_not_why() -> None:
    ended = document()["end"] | {"state": "FAILED", "error_code": "C201", "what": "rank 1 died", "evidence": "Killed"}
    steps = document()["steps"]
    failed = graph(metadata(end=ended, steps=[steps[0] | {"ranks": [0, 137]}]))
    assert asked(failed, STATUS) == [("http://schema.org/FailedActionStatus", "C201 rank 1 died\nKilled")]
    ran = """SELECT ?action ?error WHERE { ?action a schema:ControlAction ; schema:error ?error }"""
    assert asked(failed, ran) == [("#control-1", "exit status 0, process 1: 137")]


def test_8_what_went_in_and_what_came_out(crate: Graph) -> None:
    of_the_run = "?action schema:instrument ?workflow . ?workflow a bio:ComputationalWorkflow ."
    inputs = asked(crate, f"SELECT ?in WHERE {{ {of_the_run} ?action schema:object ?in }}")
    assert inputs == [("#data",), ("code/prepare.sh",), ("code/train.py",)]
    (value,) = asked(crate, "SELECT ?value WHERE { <#data> schema:value ?value }")
    assert value == ("bucket mnist-training-data",)
    outputs = asked(crate, f"SELECT ?out WHERE {{ {of_the_run} ?action schema:result ?out }}")
    assert outputs == sorted([("record.json",), *((f"results/{path}",) for path in FILES)])


def test_9_which_version_of_its_source_code_did_a_step_run(crate: Graph) -> None:
    found = asked(
        crate,
        """SELECT ?file ?version WHERE { <#step-1> schema:workExample ?tool . ?tool schema:mainEntity ?file .
            ?file a schema:SoftwareSourceCode ; schema:version ?version }""",
    )
    sums = {one["path"]: one["sha256"] for one in document()["code"]["files"]}
    assert found == [("code/train.py", sums["train.py"])]


def test_10_which_script_wraps_a_component(crate: Graph) -> None:
    found = asked(
        crate,
        """SELECT ?wrapper ?line ?wrapped WHERE { ?step a schema:HowToStep ; schema:workExample ?tool .
            ?tool schema:name ?wrapper ; schema:description ?line ; schema:mainEntity ?wrapped }""",
    )
    ((wrapper, line, wrapped),) = found
    assert (wrapper, wrapped) == ("python train.py", "code/train.py")
    assert line.startswith("Command line: /usr/bin/mpirun --noprefix --np 2")


def test_11_how_did_parameters_of_the_workflow_reach_its_tools(crate: Graph) -> None:
    found = asked(
        crate,
        """SELECT ?from ?to WHERE { ?connection a run:ParameterConnection ; run:sourceParameter ?from ;
            run:targetParameter ?to . ?from a bio:FormalParameter . ?to a bio:FormalParameter .
            { ?step run:connection ?connection ; schema:workExample/io:input ?to }
            UNION { ?workflow run:connection ?connection ; io:output ?to } }""",
    )
    assert found == [
        ("#command-1-results", "#output-results"),
        ("#command-2-results", "#output-results"),
        ("#input-data", "#command-1-data"),
        ("#input-data", "#command-2-data"),
    ]


def test_every_entity_that_is_referred_to_is_described() -> None:
    found = metadata()["@graph"]
    known = {one["@id"] for one in found}
    assert len(known) == len(found)

    def named(value: object) -> Iterator[str]:
        if isinstance(value, dict) and value.keys() == {"@id"}:
            yield value["@id"]
        for inside in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            yield from named(inside)

    missing = {name for one in found for name in named([value for key, value in one.items() if key != "@id"])} - known
    assert missing == {"https://w3id.org/ro/crate/1.1", "https://w3id.org/ro/terms/workflow-run#DockerImage"}


def test_a_licence_that_is_given_is_that_of_the_crate() -> None:
    url = "https://spdx.org/licenses/CC-BY-4.0"
    root = next(one for one in crate_metadata(read_document(document_bytes(document())), {}, url)["@graph"][1:2])
    assert root["license"] == {"@id": url}


def test_a_crate_holds_record_manifest_code_and_results(run: StoredRun, tmp_path: Path) -> None:
    crate = export_record(RUN, tmp_path / "crate")
    files = {file.relative_to(crate).as_posix() for file in crate.rglob("*") if file.is_file()}
    assert files == {*COPIED, METADATA, "manifest.yml", "record.json", "results/_run/SHA256SUMS"}
    assert yaml.safe_load((crate / "manifest.yml").read_text()) == document()["manifest"]
    assert (crate / "record.json").read_bytes() == run.data("record.json")
    assert (crate / "results" / "model" / "saved_model.pb").read_bytes() == FILES["model/saved_model.pb"]
    described = {one["@id"] for one in json.loads((crate / METADATA).read_text())["@graph"]}
    assert described >= {*COPIED, "manifest.yml", "record.json"}


def test_a_crate_is_verified_where_nobody_knows_the_run(
    run: StoredRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private, public = key_pair(tmp_path)
    sign_record(RUN, private)
    crate = export_record(RUN, tmp_path / "crate")
    monkeypatch.setenv("TOOLKIT_HOME", str(tmp_path / "another home"))
    found = verify_record(crate / "record.json", folder=crate, key=public)
    assert (found.differences, found.files, found.signed) == ((), len(COPIED), True)
    (crate / "code" / "train.py").write_text("changed")
    (crate / "results" / "more").write_text("added")
    added, changed = verify_record(crate / "record.json", folder=crate, key=public).differences
    assert added.startswith("'_submitted_code/train.py': SHA-256 ")
    assert changed == "'more': not in the record"


def test_nothing_is_exported_of_results_that_were_changed(run: StoredRun, tmp_path: Path) -> None:
    run.put("metrics.json", b"{}")
    with pytest.raises(ToolkitError, match="nothing was exported") as caught:
        export_record(RUN, tmp_path / "crate")
    assert caught.value.code.exit_status == 5
    assert [file.name for file in tmp_path.iterdir() if file.name != "home"] == []


def test_what_is_there_is_not_replaced(run: StoredRun, tmp_path: Path) -> None:
    (tmp_path / "crate").mkdir()
    with pytest.raises(ToolkitError, match="already exists"):
        export_record(RUN, tmp_path / "crate")
    with pytest.raises(ToolkitError, match="cannot be created"):
        export_record(RUN, tmp_path / "none" / "crate")


@pytest.mark.parametrize("path", ["../escape", "/etc/cron.d/x", "a/../../b", "a//b", "x\0y"])
def test_a_record_from_elsewhere_writes_nothing_outside_the_crate(
    run: StoredRun, tmp_path: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = run.download(tmp_path / "copy")
    evil = write_list(SUMS | {f"{RUN}/{path}": "a" * 64})
    (copy / "_run" / "SHA256SUMS").write_bytes(evil)
    results = document()["results"] | {"list_sha256": sha256_of(evil)}
    results["files"] = [*results["files"], {"path": path, "sha256": "a" * 64}]
    (copy / "record.json").write_bytes(document_bytes(document() | {"results": results}))
    monkeypatch.setenv("TOOLKIT_HOME", str(tmp_path / "another home"))
    with pytest.raises(ToolkitError, match="cannot be exported"):
        export_record(copy / "record.json", tmp_path / "crate", folder=copy)
    assert not (tmp_path / "crate").exists()
