"""A run as a Workflow Run RO-Crate: its metadata, from its record. Pure.

The crate conforms to RO-Crate 1.1 and to the profiles Process, Workflow and Provenance Run Crate 0.5
(https://w3id.org/ro/wfrun/provenance/0.5). The manifest is the workflow; each command is a tool, and a step that runs
it; toolkit is the engine that organises them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from mimetypes import guess_type
from typing import Any
from urllib.parse import quote

from toolkit.run.document.compare import CODE
from toolkit.run.document.crate_steps import ENVIRONMENT, entity, executed, moment, ref, refs, step_entities, variables
from toolkit.run.document.model import RunDocument
from toolkit.run.records.record import State

METADATA, WORKFLOW, RECORD = "ro-crate-metadata.json", "manifest.yml", "record.json"
_TERMS = "https://w3id.org/ro/terms/workflow-run#"
_CONTEXT = [
    "https://w3id.org/ro/crate/1.1/context",
    {
        name: f"{_TERMS}{name}"
        for name in (
            *("ContainerImage", "DockerImage", "ParameterConnection", "connection", "containerImage", "environment"),
            *("registry", "resourceUsage", "sha256", "sourceParameter", "tag", "targetParameter"),
        )
    },
]
"""The workflow-run terms are defined in place: the crate can be read without another download."""
_PROVENANCE = "https://w3id.org/ro/wfrun/provenance/0.5"
"""It requires that something was run."""
_PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    _PROVENANCE: ("Provenance Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
_BIOSCHEMAS = "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"
_NO_LICENCE = "#no-licence"
_BYTES = "application/octet-stream"


def crate_metadata(document: RunDocument, files: Mapping[str, int], licence: str = "") -> dict[str, Any]:
    """The content of `ro-crate-metadata.json`.

    Args:
        files: bytes by path in the crate, of the code and results that are in it.
        licence: the URL of their licence; empty: none is stated.
    """
    entities = [*_crate(document, files, licence), *_workflow(document), *_run(document, files)]
    entities += [*_files(document, files), *step_entities(document, files)]
    return {"@context": _CONTEXT, "@graph": entities}


def place_in_crate(path: str) -> str:
    """Where a file of the run's folder is in the crate: submitted code in `code`, everything else in `results`."""
    return f"code/{path.removeprefix(CODE)}" if path.startswith(CODE) else f"results/{path}"


def _crate(document: RunDocument, files: Collection[str], licence: str) -> Iterator[dict[str, Any]]:
    run = document.run
    known = [profile for profile in _PROFILES if profile != _PROVENANCE or document.steps]
    spec = refs(["https://w3id.org/ro/crate/1.1", known[-1]])
    yield entity(METADATA, "CreativeWork", about=ref("./"), conformsTo=spec)
    yield entity(
        "./",
        "Dataset",
        name=f"{run.name}: {run.id}",
        description=_description(document),
        datePublished=moment(document.stages[-1].at) if document.stages else moment(0),
        license=ref(licence or _NO_LICENCE),
        author=ref("#author"),
        conformsTo=refs(known),
        hasPart=refs([WORKFLOW, RECORD, *map(identifier, files)]),
        mainEntity=ref(WORKFLOW),
        mentions=refs(["#run", *(f"#execution-{step.number}" for _, step in executed(document))]),
    )
    for profile in known:
        name, version = _PROFILES[profile]
        yield entity(profile, "CreativeWork", name=name, version=version)
    yield entity(
        licence or _NO_LICENCE,
        "CreativeWork",
        name=licence or "No licence is stated",
        description="The licence of code and results" if licence else "Ask the author before you use them",
    )
    author = document.manifest.get("model_definition", {}).get("author", {})
    named = author.get("name") if isinstance(author, dict) else ""
    yield entity("#author", "Person", name=str(named or "not named in the manifest"))


def _description(document: RunDocument) -> str:
    said = str(document.manifest.get("model_definition", {}).get("description", "")).strip()
    run = f"A run of toolkit on {document.run.cluster}, {document.run.ranks} ranks: {document.end.what}"
    return f"{said}. {run}" if said else run


def _workflow(document: RunDocument) -> Iterator[dict[str, Any]]:
    commands = [command for command, _ in executed(document)]
    yield entity(
        WORKFLOW,
        ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
        name=document.run.name,
        description="The manifest in its canonical form",
        encodingFormat="application/yaml",
        version=document.code.sha256,
        conformsTo=ref(_BIOSCHEMAS),
        programmingLanguage=ref("#language"),
        hasPart=refs(f"#command-{one.number}" for one in commands),
        step=refs(f"#step-{one.number}" for one in commands),
        input=refs(["#input-data"]),
        output=refs(["#output-results"]),
        environment=refs(f"#{ENVIRONMENT}-{name}" for name, _ in variables(document)),
        connection=refs(f"#results-of-{one.number}" for one in commands),
    )
    yield entity(_BIOSCHEMAS, "CreativeWork", name="Bioschemas ComputationalWorkflow", version="1.0-RELEASE")
    yield entity("#language", "ComputerLanguage", name="toolkit manifest", version=document.tool.version)
    yield entity(
        "#input-data",
        "FormalParameter",
        name="training data",
        additionalType="Text",
        description="The bucket or folder that programs see as DATA_DIR",
        workExample=ref("#data"),
    )
    yield entity(
        "#output-results",
        "FormalParameter",
        name="results",
        additionalType="File",
        description="What programs write below RESULT_DIR",
        workExample=ref(RECORD),
    )
    for name, value in variables(document):
        parameter, given = f"#{ENVIRONMENT}-{name}", f"#{ENVIRONMENT}-{name}-value"
        yield entity(parameter, "FormalParameter", name=name, additionalType="Text", workExample=ref(given))
        yield entity(given, "PropertyValue", name=name, value=value, exampleOfWork=ref(parameter))


def _run(document: RunDocument, files: Collection[str]) -> Iterator[dict[str, Any]]:
    stages, image, data = document.stages, document.image, document.data
    span = {"startTime": moment(stages[0].at), "endTime": moment(stages[-1].at)} if stages else {}
    yield entity(
        "#run",
        "CreateAction",
        name=f"Run {document.run.id}",
        description=document.end.what,
        instrument=ref(WORKFLOW),
        agent=ref("#author"),
        object=refs(["#data", *(identifier(one) for one in files if one.startswith("code/"))]),
        result=refs([RECORD, *(identifier(one) for one in files if one.startswith("results/"))]),
        containerImage=ref("#image"),
        environment=refs(f"#{ENVIRONMENT}-{name}-value" for name, _ in variables(document)),
        **span,
        **outcome(document),
    )
    if document.steps:
        yield entity(
            "#engine-run",
            "OrganizeAction",
            name=f"toolkit {document.tool.version} runs {document.run.id}",
            instrument=ref("#toolkit"),
            agent=ref("#author"),
            object=refs(f"#control-{step.number}" for _, step in executed(document)),
            result=ref("#run"),
            **span,
            **outcome(document),
        )
    yield entity("#toolkit", "SoftwareApplication", name="toolkit", softwareVersion=document.tool.version)
    name, _, tag = image.reference.rpartition(":")
    yield entity(
        "#image",
        "ContainerImage",
        additionalType=ref(f"{_TERMS}DockerImage"),
        name=name,
        tag=tag,
        sha256=image.id.removeprefix("sha256:"),
        identifier=image.id,
        registry="none: built from its lock",
        description=f"lock sha256 {image.lock_sha256}, recipe sha256 {image.recipe_sha256}",
    )
    listing = f"listing sha256 {data.listing.sha256}" if data.listing else f"not listed: {data.not_listed}"
    yield entity(
        "#data",
        "PropertyValue",
        name="training data",
        value=data.place,
        description=f"{data.listing.files} files, {data.listing.bytes} bytes; {listing}" if data.listing else listing,
        exampleOfWork=refs(["#input-data", *(f"#command-{one.number}-data" for one, _ in executed(document))]),
    )


def _files(document: RunDocument, files: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    sums = {place_in_crate(one.path): one.sha256 for one in document.results.files}
    yield entity(
        RECORD,
        "File",
        name="The run's record",
        encodingFormat="application/json",
        conformsTo=ref(document.form),
        exampleOfWork=refs(["#output-results", *(f"#command-{one.number}-results" for one, _ in executed(document))]),
    )
    yield entity(document.form, "CreativeWork", name="Record of a run of toolkit: toolkit record schema")
    programs = {f"code/{one.path}": one for one in document.code.files}
    for path, size in files.items():
        about = {"name": path, "contentSize": str(size), "encodingFormat": guess_type(path)[0] or _BYTES}
        if program := programs.get(path):
            kind = ["File", "SoftwareSourceCode"]
            yield entity(identifier(path), kind, **about, version=program.sha256, sha256=program.sha256)
        else:
            yield entity(identifier(path), "File", **about, sha256=sums.get(path, ""))


def outcome(document: RunDocument) -> dict[str, Any]:
    """The status of an action that ended as the run did."""
    if document.end.state is State.COMPLETED:
        return {"actionStatus": "http://schema.org/CompletedActionStatus"}
    end = document.end
    said = f"{end.error_code} {end.what}\n{end.evidence}".strip()
    return {"actionStatus": "http://schema.org/FailedActionStatus", "error": said}


def identifier(path: str) -> str:
    """A file's path as a relative URI."""
    return quote(path)
