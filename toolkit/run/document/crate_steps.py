"""The commands of a run in its RO-Crate: tools, steps, executions, and how the run's parameters reach them. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from toolkit.run.document.model import Command, RunDocument, Step

ENVIRONMENT = "environment"
_UNITS = "https://qudt.org/vocab/unit/"


def entity(name: str, kind: str | list[str], /, **properties: Any) -> dict[str, Any]:
    """An entity with the properties that are set; a list of one is that one."""
    given = {key: _single(value) for key, value in properties.items() if value not in ("", None, [], ())}
    return {"@id": name, "@type": kind, **given}


def ref(name: str) -> dict[str, str]:
    """A reference to an entity."""
    return {"@id": name}


def refs(names: Iterable[str]) -> list[dict[str, str]]:
    """References to several."""
    return [ref(name) for name in names]


def variables(document: RunDocument) -> list[tuple[str, str]]:
    """The environment variables that the manifest sets for every command."""
    found = document.manifest.get("model_definition", {}).get("execution", {}).get("environment", {})
    return [(str(name), str(value)) for name, value in found.items()] if isinstance(found, dict) else []


def executed(document: RunDocument) -> list[tuple[Command, Step]]:
    """The commands that were started: the profile has no word for a tool that nothing ran."""
    ran = {step.number: step for step in document.steps}
    return [(command, ran[command.number]) for command in document.commands if command.number in ran]


def step_entities(document: RunDocument, files: Collection[str]) -> Iterator[dict[str, Any]]:
    """Each command that was started: a tool, a step, its execution."""
    for command, step in executed(document):
        yield from _tool(document, command, files)
        yield from _execution(document, command, step, files)


def _tool(document: RunDocument, command: Command, files: Collection[str]) -> Iterator[dict[str, Any]]:
    number = command.number
    data, results = f"#command-{number}-data", f"#command-{number}-results"
    programs = _programs(command, files)
    yield entity(
        f"#command-{number}",
        "SoftwareApplication",
        name=command.command,
        description=f"Command line: {' '.join(command.argv)}",
        softwareVersion=document.code.sha256,
        mainEntity=refs(programs[:1]),
        softwareRequirements=refs([*programs, "#toolkit"]),
        input=refs([data]),
        output=refs([results]),
    )
    # Each refers to what the run was given and left: a command's own part of it is not known.
    yield entity(data, "FormalParameter", name="DATA_DIR", additionalType="Text", workExample=ref("#data"))
    yield entity(results, "FormalParameter", name="RESULT_DIR", additionalType="File", workExample=ref("record.json"))
    yield entity(
        f"#step-{number}",
        "HowToStep",
        name=f"Command {number}",
        position=str(number),
        workExample=ref(f"#command-{number}"),
        connection=refs([f"#data-of-{number}"]),
    )
    yield _connection(f"#data-of-{number}", "#input-data", data)
    yield _connection(f"#results-of-{number}", results, "#output-results")


def _programs(command: Command, files: Collection[str]) -> list[str]:
    """The submitted files that a command line names."""
    words = command.command.split()
    return [quote(path) for path in files if path.startswith("code/") and path.removeprefix("code/") in words]


def _connection(name: str, source: str, target: str) -> dict[str, Any]:
    return entity(name, "ParameterConnection", sourceParameter=ref(source), targetParameter=ref(target))


def _execution(document: RunDocument, command: Command, step: Step, files: Collection[str]) -> Iterator[dict[str, Any]]:
    number, usage = command.number, dict(_usage(document, command, step))
    names = {name: f"#usage-{number}-{name}" for name in usage}
    started = {"startTime": moment(step.started)} if step.started else {}
    ended = {"endTime": moment(step.ended)} if step.ended else {}
    yield entity(
        f"#execution-{number}",
        "CreateAction",
        name=f"Command {number}: {command.command}",
        description=f"exit status {step.exit_status}, attempt {step.attempts}",
        instrument=ref(f"#command-{number}"),
        agent=ref("#author"),
        object=refs(["#data", "manifest.yml", *_programs(command, files)]),
        result=refs(["record.json"]),
        containerImage=ref("#image"),
        environment=refs(f"#{ENVIRONMENT}-{name}-value" for name, _ in variables(document)),
        resourceUsage=refs(names.values()),
        **started,
        **ended,
        **_outcome(step),
    )
    yield entity(
        f"#control-{number}",
        "ControlAction",
        name=f"toolkit runs command {number}",
        instrument=ref(f"#step-{number}"),
        object=ref(f"#execution-{number}"),
        **_outcome(step),
    )
    for name, (value, unit) in usage.items():
        words = {"name": name, "propertyID": f"urn:toolkit:usage:{name}", "value": value}
        yield entity(names[name], "PropertyValue", **words, unitCode=f"{_UNITS}{unit}")


def _usage(document: RunDocument, command: Command, step: Step) -> Iterator[tuple[str, tuple[str, str]]]:
    """What it used: time, processes, and what its hosts had."""
    used = {learner.host for learner in document.learners if command.ranks != "one" or learner.number == 1}
    facts = [host.facts for host in document.hosts if host.name in used]
    yield "time", (f"{step.seconds:.3f}", "SEC")
    yield "processes", (str(len(step.ranks) or 1), "NUM")
    yield "cpus-of-hosts", (str(sum(one.cpus for one in facts)), "NUM")
    yield "memory-of-hosts", (str(sum(one.memory for one in facts)), "BYTE")
    yield "gpus-of-hosts", (str(sum(len(one.gpus) for one in facts)), "NUM")
    yield "disk-of-results", (str(document.results.stored_bytes), "BYTE")


def _outcome(step: Step) -> dict[str, Any]:
    if step.exit_status == 0 and all(status == 0 for status in step.ranks):
        return {"actionStatus": "http://schema.org/CompletedActionStatus"}
    failed = [f"process {number}: {status}" for number, status in enumerate(step.ranks) if status != 0][:20]
    said = ", ".join([f"exit status {step.exit_status}", *failed])
    return {"actionStatus": "http://schema.org/FailedActionStatus", "error": said}


def moment(at: float) -> str:
    """A time in seconds since 1970 as ISO 8601, in UTC, to the second."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


def _single(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 else value
