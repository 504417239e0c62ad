"""A run on the screen: its plan, states, output, and outcome."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict

from rich.text import Text

from toolkit.cli.console import console, rank_line
from toolkit.cli.fold_ranks import Fold
from toolkit.cli.output import human_size, print_json, print_line, say
from toolkit.errors import INTERRUPTED
from toolkit.run.follow.events import Line
from toolkit.run.follow.view import Choice
from toolkit.run.plan.dry_run import binding_of, ranks_of
from toolkit.run.plan.run_plan import RunPlan, where_it_runs
from toolkit.run.plan.source_files import SubmittedCode
from toolkit.run.records.record import Record, State


def show_end(record: Record, *, as_json: bool) -> int:
    """Print the outcome, as text or JSON; returns the exit status."""
    if as_json:
        print_json(asdict(record))
    if record.state is State.HALTED:
        return INTERRUPTED
    say(
        f"{record.training_id} {record.state.value}: {record.stored_files} files, {human_size(record.stored_bytes)}, "
        f"in {record.results_place}\nnext: toolkit collect {record.training_id}"
    )
    return 0


def show_record(record: Record, *, as_json: bool) -> None:
    """A run's state and reason in one line; with `as_json`, its record too."""
    if as_json:
        print_json(asdict(record))
    say(f"{record.training_id} {record.state.value}: {record.reason}")


def show_plan(plan: RunPlan, code: SubmittedCode) -> None:
    """What will run where."""
    say(f"{plan.training_id}  {plan.name}", "bold")
    say(f"  image    {plan.image.reference}")
    for name, text in code.lines():
        say(f"  {name:<8} {text}")
    for learner in plan.learners:
        at = f" on {learner.placement.host} ({learner.placement.address})" if learner.placement.host else ""
        gpus = f", GPU {', '.join(learner.placement.gpus)}" if learner.placement.gpus else ""
        say(f"  {learner.hostname}{at}  {ranks_of(learner)}{gpus}")
    say(f"  binding  {binding_of(plan)}")
    for step in plan.steps:
        say(f"  command {step.number}, {where_it_runs(plan, step)}: {step.command}")
    if not plan.gpus_per_node:
        say(f"  GPUs     none: the manifest asks for {plan.compute}")
    if plan.in_place_of_gpus:
        say(
            f"  cluster {plan.cluster.name} has no GPU: each rank runs on the CPU in place of one {plan.gpu_kind}",
            "yellow",
        )


class Screen:
    """The run as shown on a terminal.

    Args:
        ranks: how many there are, until the plan is known.
        raw: with the colours that its program sets.
        before_plan: called before the plan is shown.
    """

    def __init__(
        self,
        ranks: int = 1,
        *,
        lines_to_stderr: bool = False,
        raw: bool = False,
        before_plan: Callable[[], None] = lambda: None,
    ) -> None:
        self._raw, self._before_plan = raw, before_plan
        self._to_stderr = lines_to_stderr
        self._folded = sys.stdout.isatty() and not lines_to_stderr
        self._fold = Fold(ranks)
        self._waiting = (0, 0)

    def planned(self, plan: RunPlan, code: SubmittedCode) -> None:
        """The plan, below earlier progress."""
        self._before_plan()
        self._fold = Fold(plan.ranks)
        show_plan(plan, code)

    def state(self, record: Record, note: str) -> None:
        """One line for each state."""
        self._show(self._fold.rest())
        colour = {State.COMPLETED: "green", State.FAILED: "red", State.HALTED: "yellow"}.get(record.state, "blue")
        say(Text.assemble((f"{record.state.value:<12}", colour), note))

    def line(self, line: Line) -> None:
        """A rank's line: on standard output, so that it can be piped; folded and coloured on a terminal."""
        if self._folded:
            self._show(self._fold.line(line.text, time.monotonic()))
        else:
            print_line(line.text, sys.stderr if self._to_stderr else sys.stdout, raw=self._raw)

    def beat(self) -> None:
        """Show lines that have waited for other ranks; flush the output."""
        self._show(self._fold.due(time.monotonic()))
        (sys.stderr if self._to_stderr else sys.stdout).flush()

    def note(self, text: str) -> None:
        """A line of the tool's own, distinct from the ranks'."""
        say(text, "yellow")

    def storing(self, queued: int, uploading: int, errored: int) -> None:
        """Pending uploads, printed when they change."""
        now = (queued + uploading, errored)
        if now != self._waiting and any(now):
            self._waiting = now
            failed = f", {errored} failed and will be retried" if errored else ""
            console.print(f"  {queued} files waiting, {uploading} uploading{failed}")

    def interrupted(self) -> Choice:
        """Ctrl-C: prompt on a terminal; from a script, it stops the run."""
        if not (sys.stdin.isatty() and console.is_terminal):
            return Choice.STOP
        console.print("\n[d]etach: leave the run running, [s]top: store its results and end it, [Enter]: keep watching")
        try:
            answer = input("> ").strip().lower()
        except (EOFError, KeyboardInterrupt):
            return Choice.DETACH
        return {"d": Choice.DETACH, "s": Choice.STOP}.get(answer[:1], Choice.GO_ON)

    def _show(self, lines: Iterable[str]) -> None:
        for line in lines:
            say(rank_line(line, raw=self._raw))
