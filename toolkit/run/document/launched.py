"""The part of a run's public record that the launch knows: what is asked, and what it will run on. Pure.

It is sent to learner 1's agent, which completes it (`toolkit.agent.run_document`), and kept beside the run's own record
here, for a rescue.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from toolkit import __version__
from toolkit.atomic_file import write_whole
from toolkit.doctor.facts import HostFacts
from toolkit.manifest.model import BucketReference, DataReference, Manifest
from toolkit.manifest.results import address_of, place_at
from toolkit.manifest.write import canonical_data
from toolkit.run.document.form import MAX_BYTES, SCHEMA
from toolkit.run.plan.code_listing import Listed
from toolkit.run.plan.mpirun import mpirun_argv, single_argv
from toolkit.run.plan.run_plan import RunImage, RunPlan
from toolkit.run.plan.training_id import TrainingId, parse_training_id
from toolkit.urls import redact_urls

NO_FACTS = HostFacts("")


def launched_part(
    manifest: Manifest,
    plan: RunPlan,
    code: tuple[str, Iterable[Listed]],
    facts: Mapping[str, HostFacts],
    data: Mapping[str, Any],
    subnet: str,
) -> dict[str, Any]:
    """The record's first part, as plain values.

    Args:
        code: the submitted code's digest and its files.
        facts: what the launch knows of its hosts, by name.
        data: the `listing` of the training data, or why it is `not_listed`.
        subnet: the network (CIDR) that MPI uses.
    """
    digest, files = code
    part = {
        "schema": SCHEMA,
        "tool": {"version": __version__},
        "run": {
            "id": plan.training_id,
            "name": plan.name,
            "cluster": plan.cluster.name,
            "compute": plan.compute,
            "ranks": plan.ranks,
            "on_cpu": plan.in_place_of_gpus or not plan.gpus_per_node,
            "resumed_from": plan.resume,
            "reproduces": plan.reproduces,
        },
        "manifest": canonical_data(manifest),
        "code": {
            "sha256": digest,
            "files": [{"path": one.name, "sha256": one.sha256, "executable": one.executable} for one in sorted(files)],
        },
        "image": _image(plan.image),
        "data": {"place": _data_place(manifest.training_data), **data},
        "hosts": [{"name": host, "facts": _facts(facts.get(host, NO_FACTS))} for host in plan.hosts],
        "learners": [
            {"number": one.number, "host": one.placement.host, "ranks": list(one.ranks)} for one in plan.learners
        ],
        "commands": [
            {
                "number": step.number,
                "command": step.command,
                "ranks": step.ranks,
                "folder": step.folder,
                "argv": mpirun_argv(plan, step, subnet) if step.parallel else single_argv(step),
            }
            for step in plan.steps
        ],
    }
    redacted: dict[str, Any] = json.loads(redact_urls(json.dumps(part)))
    return redacted


def _image(image: RunImage) -> dict[str, Any]:
    inputs = dict(image.inputs)
    return {
        "reference": image.reference,
        "id": image.image_id,
        "lock_sha256": inputs.get("lock", ""),
        "recipe_sha256": image.inputs_sha256,
        "inputs": inputs,
        "packages": [one._asdict() for one in image.packages],
    }


def _data_place(reference: DataReference) -> str:
    if isinstance(reference, BucketReference):
        return f"bucket {reference.bucket}{f'/{reference.prefix}' if reference.prefix else ''}"
    return place_at(address_of(reference), "")


def _facts(facts: HostFacts) -> dict[str, Any]:
    return {
        "kernel": facts.kernel.removeprefix("Linux "),  # as over ssh; of this machine it is the release alone
        "cpus": facts.cpus or 0,
        "memory": facts.memory or 0,
        "engine": facts.engine.version,
        "driver": facts.driver,
        "gpus": [gpu.name for gpu in facts.gpus],
        "rdma_adapters": list(facts.rdma_adapters),
    }


def save_launched(home: Path, run: TrainingId, part: Mapping[str, Any]) -> None:
    """Keep it beside the run's record: a private file."""
    write_whole(_file(home, run), json.dumps(part).encode(), mode=0o600)


def load_launched(home: Path, run: TrainingId) -> dict[str, Any]:
    """The part kept here; empty if there is none, as for runs of earlier versions, or if it is damaged."""
    with suppress(OSError, ValueError), _file(home, run).open("rb") as stream:
        found = json.loads(stream.read(MAX_BYTES))
        if isinstance(found, dict):
            return found
    return {}


def _file(home: Path, run: TrainingId) -> Path:
    return home / "runs" / f"{parse_training_id(run)}.launched"
