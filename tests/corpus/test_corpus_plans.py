"""Manifests as people wrote them for Watson ML and FfDL: each passes `check`, and its launch plan is the one beside it.

`NAME.plan` says it by hand, in YAML: the image that is chosen, learners × GPUs on each, each step's place, number of
processes, the text that bash is given, its own variables and parameters of Open MPI; data, results, limits, variables,
and the paths that warnings are placed at. `STOP` and `PIPE` stand for the shell functions in front of a text.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
import yaml

from toolkit.api.catalogue import catalogue
from toolkit.api.checked import any_flavour, checked
from toolkit.cluster.pick import pick_hosts
from toolkit.cluster.reader import read_cluster
from toolkit.manifest.model import BucketReference, FolderReference, Manifest, NfsReference
from toolkit.manifest.reader import ReadManifest
from toolkit.manifest.units import shown_size
from toolkit.run.plan.dry_run import step_commands
from toolkit.run.plan.environment import run_environment
from toolkit.run.plan.learner_command import learner_argv
from toolkit.run.plan.make_plan import make_plan
from toolkit.run.plan.run_plan import Placement, RunImage, RunPlan
from toolkit.runtimes.docker import Docker

HERE = Path(__file__).parent
FILES = sorted(HERE.glob("*.yml"))
ROWS = catalogue()
STOP = "stop_if_failed() { set -- $?; [ $1 = 0 ] || exit $1; };"
PIPE = (
    'pipeline_status() { local last=${!#} status=0 part; for part in "${@:1:$#-1}"; '
    "do case $part in 0|141) ;; *) status=$part ;; esac; done; [ $last = 0 ] || status=$last; return $status; };"
)


def plan_of(manifest: Manifest, folder: Path) -> RunPlan:
    """The plan on a cluster that has just what the manifest asks for."""
    compute = manifest.compute
    file = folder / "cluster.yml"
    ways = "engine: ssh\ncontainer_engine: docker\nnetwork: 10.0.0.0/16\n"
    hosts = "".join(f"- {{name: host-{n}, address: 10.0.0.{n}}}\n" for n in range(1, compute.nodes + 1))
    gpu = f"{{kind: {compute.kind}, count: {compute.gpus_per_node}}}" if compute.gpus_per_node else "none"
    file.write_text(f"name: lab\n{ways}gpu: {gpu}\nhosts:\n{hosts}")
    cluster = read_cluster(file)
    hosts_taken = pick_hosts(cluster, compute.kind, compute.ranks_per_node, compute.nodes)
    gpus = tuple(f"GPU{number}" for number in range(compute.gpus_per_node))
    placements = [Placement(host.name, host.address, gpus=gpus) for host in hosts_taken]
    return make_plan(manifest, cluster, RunImage("i", "sha256:i", ()), "buckets", "training-abcd2345", placements)


def as_plan_file(found: ReadManifest, plan: RunPlan) -> dict[str, Any]:
    """The plan in the words of a `.plan` file, read off the command lines that would be started."""
    manifest, compute = found.manifest, found.manifest.compute
    row = any_flavour(ROWS, manifest.framework)
    found_plan = {
        "image": f"{row.framework} {row.version} {row.python}",
        "learners": f"{len(plan.learners)} × {compute.ranks_per_node} {compute.kind}",
        "steps": [step_line(*pair) for pair in step_commands(plan)],
        "data": data_line(manifest),
        "results": results_line(manifest),
        "warns": [warning.path for warning in found.warnings],
        "sets": dict(plan.environment),
        "limits": limits_line(plan),
    }
    return {name: value for name, value in found_plan.items() if value}


def step_line(step: Any, argv: list[str]) -> list[Any]:
    variables, mca = dict(step.environment), dict(step.mca)
    if argv[0] != "/usr/bin/mpirun":
        assert argv[:-1] == ["/bin/bash", "--norc", "-c"]
        where, processes, text = "one", 1, argv[-1]
    else:
        processes = int(argv[argv.index("--np") + 1])
        once = argv[-1] == "node"
        where, text = ("node", argv[-2]) if once else ("all", argv[-1])
        assert argv[argv.index("--map-by") + 1] == ("ppr:1:node" if once else "slot")
        given = [(name, value) for flag, name, value in zip(argv, argv[1:], argv[2:], strict=False) if flag == "--mca"]
        assert set(mca.items()) <= set(given)
        assert {*variables, "DATA_DIR", "LEARNER_ID"} - {"LEARNER_ID"} <= {
            name for flag, name in itertools.pairwise(argv) if flag == "-x"
        }
    more = [variables, mca] if mca else [variables] if variables else []
    return [where, processes, text, *more]


def data_line(manifest: Manifest) -> str:
    data = manifest.training_data
    if isinstance(data, FolderReference):
        return f"folder {data.path}"
    if isinstance(data, NfsReference):
        return f"NFS {data.server}:{data.path}"
    assert isinstance(data, BucketReference)
    return f"{data.place} of {data.connection.endpoint_url}, {'copied' if data.copied else 'mounted'}"


def results_line(manifest: Manifest) -> str:
    results = manifest.training_results
    if isinstance(results, BucketReference):
        return f"{results.place} of {results.connection.endpoint_url}"
    return f"folder {results.place}" if isinstance(results, FolderReference) else f"NFS {results.place}"


def limits_line(plan: RunPlan) -> str:
    memory = shown_size(plan.limits.memory) if plan.limits.memory else ""
    return ", ".join(filter(None, [memory, f"{plan.limits.cpus:g} CPUs" if plan.limits.cpus else ""]))


def expected(file: Path) -> dict[str, Any]:
    written: dict[str, Any] = yaml.safe_load(file.with_suffix(".plan").read_text())
    for step in written["steps"]:
        step[2] = step[2].replace("STOP", STOP, 1).replace("PIPE", PIPE, 1)
    return written


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_an_old_manifest_runs_as_it_ran(file: Path, tmp_path: Path) -> None:
    found = checked(file, ROWS)
    plan = plan_of(found.manifest, tmp_path)
    assert as_plan_file(found, plan) == expected(file)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_process_finds_its_data_its_results_and_how_many_there_are(file: Path, tmp_path: Path) -> None:
    manifest = checked(file, ROWS).manifest
    plan, compute = plan_of(manifest, tmp_path), manifest.compute
    seen = run_environment(plan)
    where = manifest.training_data
    folder = where.bucket if isinstance(where, BucketReference) else Path(where.path).name
    bucket = manifest.training_results.bucket
    assert seen["DATA_DIR"] == f"/mnt/data/{folder}"
    assert seen["RESULT_DIR"] == f"/mnt/results/{bucket}/training-abcd2345"
    assert (seen["NUM_LEARNERS"], seen["GPU_COUNT"]) == (str(compute.nodes), str(compute.gpus_per_node))
    for learner in plan.learners:
        assert f"LEARNER_ID={learner.number}" in " ".join(learner_argv(Docker(), plan, learner, "volume"))


def test_there_are_as_many_as_were_promised_and_each_has_its_plan() -> None:
    assert len(FILES) >= 45
    assert {file.stem for file in FILES} == {file.stem for file in HERE.glob("*.plan")}
