"""A public record as a run leaves it: the example's plan on two hosts, completed as its agent does."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

from toolkit.agent.checksums import sha256_of, write_list
from toolkit.agent.host_stages import ClockOffset, HostStage, HostStages
from toolkit.agent.run_document import completed, document_bytes
from toolkit.cluster.reader import read_cluster
from toolkit.doctor.facts import EngineFacts, Gpu, HostFacts
from toolkit.lock.packages import LockedPackage
from toolkit.manifest.model import Manifest
from toolkit.manifest.reader import read_manifest
from toolkit.paths import assets
from toolkit.run.document.launched import launched_part
from toolkit.run.plan.code_listing import Listed, code_digest
from toolkit.run.plan.make_plan import make_plan
from toolkit.run.plan.run_plan import Placement, RunImage, RunPlan
from toolkit.run.plan.training_id import parse_training_id
from toolkit.run.records.record import Record, State, StepResult

RUN = parse_training_id("training-abcd2345")
HOSTS = ("p100-01", "p100-02")
FILES = {
    "model/saved_model.pb": b"a graph",
    "model/variables/variables.index": b"where",
    "metrics.json": b'{"loss": 0.5}',
    "learner-1/training-log.txt": b"[0] epoch 1\n",
    "_run/output.log": b"1.0 [0] epoch 1\n",
}
CODE_FILES = {"train.py": b"print('epoch 1')\n", "prepare.sh": b"#!/bin/sh\n"}
LISTED = tuple(Listed(name, sha256_of(data), name.endswith(".sh")) for name, data in CODE_FILES.items())
SUMS = {f"{RUN}/{path}": sha256_of(data) for path, data in FILES.items()}
SUMS_LIST = write_list(SUMS)
FACTS = {
    "p100-01": HostFacts(
        "p100-01",
        kernel="6.1",
        cpus=8,
        memory=64 << 30,
        driver="535.1",
        engine=EngineFacts(version="24.0.7"),
        gpus=(Gpu(0, "GPU-1", "Tesla P100-SXM2-16GB"),),
    )
}
HOST_STAGES = (
    HostStages(
        "p100-01",
        (HostStage("image", 1.1, 1.5, "already there"), HostStage("agent", 3.0, 3.5), HostStage("mounts", 3.5, 6.0)),
        (HostStage("processing", 10.0, 22.0), HostStage("uploading", 22.0, 22.5), HostStage("collecting", 22.6, 22.9)),
        ClockOffset(0.01, 0.05),
    ),
    HostStages(
        "p100-02",
        (HostStage("image", 1.1, 1.9, "from p100-01"), HostStage("agent", 3.0, 3.3), HostStage("mounts", 3.3, 7.9)),
        (HostStage("processing", 17.0, 29.1), HostStage("uploading", 29.1, 29.3)),
        ClockOffset(7.25, 0.04),
    ),
)
"""The clock of the second is ahead."""
LISTING = {"sha256": "d" * 64, "files": 1, "bytes": 7, "entries": [{"path": "digits.gz", "bytes": 7, "etag": "e" * 32}]}
IMAGE = RunImage(
    *("tensorflow-ddl-2.19-py3.11-cuda12:0123456789ab", f"sha256:{'c' * 64}", (("PATH", "/usr/bin"),)),
    inputs=(("lock", "1" * 64), ("template", "2" * 64)),
    inputs_sha256="0123456789ab" + "0" * 52,
    packages=(
        LockedPackage("deb", "libc6", "2.36-9", "3" * 64),
        LockedPackage("wheel", "tf-keras", "2.18.0", "4" * 64),
    ),
)


def manifest(**more: Any) -> Manifest:
    """The example's."""
    return replace(read_manifest(assets() / "examples" / "mnist" / "manifest.yml"), **more)


def plan() -> RunPlan:
    """Two learners on two hosts."""
    cluster = read_cluster(assets() / "clusters" / "lab-p100.yml")
    placements = tuple(Placement(host, f"10.0.0.{number}") for number, host in enumerate(HOSTS))
    return make_plan(manifest(), cluster, IMAGE, "buckets", RUN, placements)


def launched(**more: Any) -> dict[str, Any]:
    """What its launch sent."""
    return launched_part(
        more.get("manifest", manifest()),
        plan(),
        (code_digest(LISTED), LISTED),
        FACTS,
        {"listing": LISTING},
        "10.0.0.0/24",
    )


def record(**more: Any) -> Record:
    """The run's own record at its end."""
    steps = (
        StepResult(
            1, "python train.py", True, 0, 8.5, (0, 0), ((11.0, 19.0), (11.0, 19.5)), 11.0, 19.5, 1, "/job/code"
        ),
        StepResult(2, "python transform.py", False, 0, 2.0, (), (), 19.5, 21.5, 1, "/job/code"),
    )
    states = (("QUEUED", 1.0), ("PENDING", 2.0), ("DOWNLOADING", 3.0), ("PROCESSING", 10.0), ("STORING", 22.0))
    values: dict[str, Any] = {
        "training_id": RUN,
        "name": "mnist-digits",
        "state": State.COMPLETED,
        "image": IMAGE.reference,
        "image_id": IMAGE.image_id,
        "cluster": "lab-p100",
        "learners": 2,
        "ranks": 2,
        "on_cpu": False,
        "endpoint_url": "embedded",
        "results_bucket": "models",
        "data_bucket": "data",
        "manifest_file": "/m.yml",
        "code_folder": "/code",
        "states": (*states, ("COMPLETED", 23.0)),
        "steps": steps,
        "stored_files": len(FILES),
        "stored_bytes": sum(map(len, FILES.values())),
        "reason": "all commands exited with 0; all results verified in the bucket",
        "end": "completed",
        "metrics": {"loss": 0.5},
        "code_digest": code_digest(LISTED),
        "checksums": sha256_of(SUMS_LIST),
        "host_stages": HOST_STAGES,
    }
    return Record(**(values | more))


def document(**more: Any) -> dict[str, Any]:
    """The whole record, as plain values."""
    found: dict[str, Any] = json.loads(document_bytes(completed(RUN, launched(), asdict(record(**more)), SUMS)))
    return found
