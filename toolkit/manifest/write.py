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
    Step,
)
from toolkit.manifest.results import ServedFolder
from toolkit.manifest.units import shown_duration, shown_size
from toolkit.secrets import SecretReference, gives_pair

_WIDTH = 110


def canonical_text(manifest: Manifest) -> str:
    """The file's text; a key that is in the manifest becomes a reference to an environment variable."""
    return _dumped(canonical_data(manifest))


def canonical_data(manifest: Manifest) -> dict[str, Any]:
    """The file's content, as plain values in reading order."""
    author = {"name": manifest.author, "email": manifest.email}
    framework = manifest.framework
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
        "training_data_reference": _data_reference(manifest.training_data),
        "training_results_reference": _results_reference(manifest),
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
    names = []
    for remote, reference in manifest.buckets.items():
        for field, source in reference.connection.secrets.items():
            if source.kind == "literal":
                names.append(_variable(remote, field))
    return tuple(names)


def _compute_data(compute: Compute) -> dict[str, Any]:
    cpus = int(compute.cpus) if compute.cpus == int(compute.cpus) else compute.cpus
    memory = shown_size(compute.memory) if compute.memory else ""
    return {"name": compute.name, "nodes": compute.nodes, **_given(memory=memory, cpus=cpus)}


def _data_reference(reference: DataReference) -> dict[str, Any]:
    if not isinstance(reference, BucketReference):
        return _given(name=reference.name, source=_folder(reference), type=_folder_type(reference))
    return _given(
        name=reference.name,
        connection=_connection("data", reference.connection),
        source=_given(bucket=reference.bucket, prefix=reference.prefix),
        access="copy" if reference.copied else "",
        type="s3",
    )


def _results_reference(manifest: Manifest) -> dict[str, Any]:
    reference, collect = manifest.training_results, list(manifest.collect)
    if not isinstance(reference, BucketReference):
        kind = _folder_type(reference)
        return _given(name=reference.name, target=_folder(reference), collect=collect, type=kind)
    return _given(
        name=reference.name,
        connection=_connection("results", reference.connection),
        target=_given(bucket=reference.bucket, prefix=reference.prefix),
        collect=collect,
        type="s3",
    )


def _folder(reference: ServedFolder) -> dict[str, str]:
    if isinstance(reference, FolderReference):
        return {"path": reference.path}
    return {"server": reference.server, "path": reference.path}


def _folder_type(reference: ServedFolder) -> str:
    return "path" if isinstance(reference, FolderReference) else "nfs"


def _connection(remote: str, connection: Connection) -> dict[str, str]:
    keys = {field: _key(source, remote, field) for field, source in connection.secrets.items()}
    if gives_pair(connection.access_key_id):
        keys = {"credentials": str(connection.access_key_id), "sse_customer_key": keys.get("sse_customer_key", "")}
    return _given(endpoint_url=connection.endpoint_url, **keys, region=connection.region)


def _key(source: SecretReference, remote: str, field: str) -> str:
    return f"${{env:{_variable(remote, field)}}}" if source.kind == "literal" else str(source)


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
