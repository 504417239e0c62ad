"""A `Manifest` in its canonical form. Pure: from a value to text, without any key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from toolkit.manifest.model import (
    BucketReference,
    Compute,
    Connection,
    DataReference,
    FolderReference,
    Manifest,
    NfsReference,
    Step,
)
from toolkit.manifest.units import shown_duration, shown_size
from toolkit.metrics.regex_lines import extractor_data
from toolkit.secrets import gives_pair

_WIDTH = 110


def canonical_text(manifest: Manifest) -> str:
    """The file's text; a key that is in the manifest becomes a reference to an environment variable."""
    return _dumped(canonical_data(manifest))


def canonical_data(manifest: Manifest) -> dict[str, Any]:
    """The file's content, as plain values in reading order."""
    author = {"name": manifest.author, "email": manifest.email}
    framework, data = manifest.framework, manifest.training_data
    copied = isinstance(data, BucketReference) and data.copied
    return {
        "model_definition": _given(
            name=manifest.name,
            author=_given(**author) if manifest.author else None,
            description=manifest.description,
            framework=_given(
                name=framework.name,
                version=framework.version,
                runtimes={"name": "python", "version": framework.python},
                compat=framework.compat,
            ),
            packages=list(manifest.packages),
            execution=_given(
                steps=[step_data(step) for step in manifest.steps],
                compute_configuration=_compute_data(manifest.compute),
                environment=dict(manifest.environment),
                time_limit=shown_duration(manifest.time_limit) if manifest.time_limit else "",
                retries=manifest.retries,
                resume=manifest.resume,
            ),
        ),
        "training_data_reference": _reference("data", "source", data, access="copy" if copied else ""),
        "training_results_reference": _reference(
            "results",
            "target",
            manifest.training_results,
            collect=list(manifest.collect),
            write="local" if manifest.write_local else "",
        ),
        **_given(evaluation_metrics=extractor_data(manifest.metrics)),
    }


def steps_lines(steps: Sequence[Step]) -> list[str]:
    """The canonical `steps:` for a command line of another dialect, as lines of YAML."""
    return _dumped({"steps": [step_data(step) for step in steps]}).splitlines()


def step_data(step: Step) -> dict[str, Any]:
    """One step, as in the file."""
    return _given(
        command=step.command,
        ranks=step.ranks,
        folder=step.folder,
        timeout=shown_duration(step.timeout) if step.timeout else "",
        environment=dict(step.environment),
        mca=dict(step.mca),
    )


def literal_keys(manifest: Manifest) -> tuple[str, ...]:
    """The environment variables that the canonical form uses for keys that are in the manifest."""
    return tuple(
        _variable(remote, field)
        for remote, reference in manifest.buckets.items()
        for field, source in reference.connection.secrets.items()
        if source.kind == "literal"
    )


def _compute_data(compute: Compute) -> dict[str, Any]:
    cpus = int(compute.cpus) if compute.cpus == int(compute.cpus) else compute.cpus
    memory = shown_size(compute.memory) if compute.memory else ""
    return {"name": compute.name, "nodes": compute.nodes, **_given(memory=memory, cpus=cpus)}


def _reference(purpose: str, field: str, reference: DataReference, **more: Any) -> dict[str, Any]:
    """A reference for `data` or `results`; its place is called `field`, and `more` fields stand after it."""
    match reference:
        case BucketReference():
            connection = _connection(purpose, reference.connection)
            place, kind = _given(bucket=reference.bucket, prefix=reference.prefix), "s3"
        case FolderReference():
            connection, place, kind = {}, {"path": reference.path}, "path"
        case NfsReference():
            connection, place, kind = {}, {"server": reference.server, "path": reference.path}, "nfs"
    return _given(name=reference.name, connection=connection, **{field: place}, **more, type=kind)


def _connection(remote: str, connection: Connection) -> dict[str, str]:
    keys = {
        field: f"${{env:{_variable(remote, field)}}}" if source.kind == "literal" else str(source)
        for field, source in connection.secrets.items()
    }
    if gives_pair(connection.access_key_id):
        keys = {"credentials": str(connection.access_key_id), "sse_customer_key": keys.get("sse_customer_key", "")}
    return _given(endpoint_url=connection.endpoint_url, **keys, region=connection.region)


def _variable(remote: str, field: str) -> str:
    return f"{remote}_{field}".upper()


def _given(**fields: Any) -> dict[str, Any]:
    """The fields that are set."""
    return {name: value for name, value in fields.items() if value not in ("", None, 0, [], {})}


def _dumped(data: Mapping[str, Any]) -> str:
    text: str = yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH)
    return text


class _Dumper(yaml.SafeDumper):
    """Indents lists below their name, and writes no aliases: the reader refuses them."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> Any:  # noqa: ARG002 (PyYAML's own name)
        return super().increase_indent(flow, False)

    def ignore_aliases(self, _data: Any) -> bool:
        return True
