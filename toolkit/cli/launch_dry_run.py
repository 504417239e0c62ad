"""`toolkit launch --dry-run MANIFEST`: what a launch would do; nothing is started, queried or connected to."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator

from toolkit.api.launch_plan import plan_launch
from toolkit.cli.output import print_json, show_note
from toolkit.run.plan.dry_run import fact_lines, host_commands, step_commands
from toolkit.run.plan.run_plan import RunPlan
from toolkit.run.plan.source_files import SubmittedCode


def run(arguments: argparse.Namespace) -> int:
    """Make the plan of a launch, and print it."""
    words = {"cluster": arguments.cluster, "code": arguments.code, "deterministic": arguments.deterministic}
    planned = plan_launch(arguments.manifest, **words, report=show_note)
    note = f"  ({planned.image_note})" if planned.image_note else ""
    facts = [("image", f"{planned.image}{note}"), *planned.code.lines()]
    if arguments.json:
        print_json(_facts(planned.plan, facts, planned.code))
    else:
        print("\n".join(_lines(planned.plan, facts)))
    return 0


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


def _facts(plan: RunPlan, facts: list[tuple[str, str]], code: SubmittedCode) -> dict[str, object]:
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
        "code_digest": code.digest,
        "code_files": [file.name for file in code.files],
        "left_out": [{"name": name, "why": why} for name, why in code.left_out],
    }
