"""`toolkit launch --dry-run MANIFEST`: what a launch would do; nothing is started, asked for or connected to."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator
from pathlib import Path

from toolkit.catalogue.model import Recipe
from toolkit.cli.build import recipe_of, report_notes
from toolkit.cli.launch import code_of, flavour_on, open_mpi_of, refuse_unreachable_store, run_image
from toolkit.cli.manifest_output import read_and_report
from toolkit.cli.output import print_json
from toolkit.cluster.reader import read_cluster
from toolkit.errors import ToolkitError
from toolkit.image.store import ImageStore
from toolkit.image.tool_images import buckets_recipe
from toolkit.image.version import read_inputs
from toolkit.paths import house
from toolkit.run.launch.allocator import allocator_of
from toolkit.run.plan.dry_run import fact_lines, host_commands, step_commands
from toolkit.run.plan.make_plan import make_plan
from toolkit.run.plan.run_plan import RunImage, RunPlan
from toolkit.run.plan.source_files import SubmittedCode
from toolkit.run.plan.training_id import new_training_id

_NOT_BUILT = "not built here; the variables that it sets are not in the lines below"


def run(arguments: argparse.Namespace) -> int:
    """Read what a launch reads, plan what it would plan, print it."""
    file = Path(arguments.manifest)
    manifest = read_and_report(file)
    cluster = read_cluster(Path(arguments.cluster) if arguments.cluster else house() / "clusters" / "local.yml")
    refuse_unreachable_store(manifest, cluster)
    code_folder = Path(arguments.code) if arguments.code else file.parent
    recipe = recipe_of(manifest, file, code_folder, flavour_on(cluster, manifest.compute), report_notes)
    cluster_file = Path(arguments.cluster) if arguments.cluster else None
    code = code_of(code_folder, manifest, file, cluster, cluster_file)
    reference = read_inputs(recipe).reference
    image, note = _image(recipe, reference)
    side_image = read_inputs(buckets_recipe()).reference
    placements = allocator_of(cluster).plan(manifest.compute)
    plan = make_plan(manifest, cluster, image, side_image, new_training_id(), placements)
    facts = [("image", f"{reference}{f'  ({note})' if note else ''}"), *code.lines()]
    if arguments.json:
        print_json(_facts(plan, facts) | _code_facts(code))
    else:
        print("\n".join(_lines(plan, facts)))
    return 0


def _image(recipe: Recipe, reference: str) -> tuple[RunImage, str]:
    """The image, and what is to be said of it; it need not be built, nor an engine be there."""
    try:
        found = ImageStore().find(reference)
    except ToolkitError as error:
        return _unbuilt(recipe, reference), f"{error.what}; {_NOT_BUILT}"
    return (run_image(recipe, reference, found), "") if found else (_unbuilt(recipe, reference), _NOT_BUILT)


def _unbuilt(recipe: Recipe, reference: str) -> RunImage:
    return RunImage(reference, reference, (), open_mpi_of(recipe))


def _lines(plan: RunPlan, facts: list[tuple[str, str]]) -> Iterator[str]:
    yield f"{plan.training_id}  {plan.name}  (dry run: nothing is started)"
    for name, text in [*facts, *fact_lines(plan)]:
        yield f"  {name:<8} {text}"
    for host, lines in host_commands(plan).items():
        yield f"{host}:"
        yield from (f"  {shlex.join(line)}" for line in lines)
    for step, argv in step_commands(plan):
        yield f"learner-1, command {step.number}:"
        yield f"  {shlex.join(argv)}"


def _code_facts(code: SubmittedCode) -> dict[str, object]:
    return {
        "code_digest": code.digest,
        "code_files": [file.name for file in code.files],
        "left_out": [{"name": name, "why": why} for name, why in code.left_out],
    }


def _facts(plan: RunPlan, facts: list[tuple[str, str]]) -> dict[str, object]:
    return {
        "training_id": plan.training_id,
        "name": plan.name,
        **dict(facts),
        "learners": [
            {
                "number": one.number,
                "hostname": one.hostname,
                "host": one.placement.host,
                "ranks": list(one.ranks),
                "cpus": list(one.placement.cpus.lists),
            }
            for one in plan.learners
        ],
        "facts": [[name, text] for name, text in fact_lines(plan)],
        "hosts": host_commands(plan),
        "steps": [
            {
                "number": step.number,
                "command": step.command,
                "ranks": step.ranks,
                "parallel": step.parallel,
                "argv": argv,
            }
            for step, argv in step_commands(plan)
        ],
    }
