"""docs/soak.md, written by the soak itself."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ..faults.page import machine
from .attempt import Outcome
from .fault import VARIANTS
from .steady import Processes, is_flat

_TEXT = """# Soak

`tox -e soak -- MINUTES` wrote this page. On a lab of four hosts, runs of different sizes are launched, stopped,
collected and resumed, one after another, while processes, hosts and the network fail at random moments. Meanwhile a run
on the fourth host goes on from the beginning to the end. The soak fails if a COMPLETED run lacks a byte, if the reason
of any other run does not name what was done to it, if a file that a program had closed is lost, if a run cannot be
collected or resumed, or if anything is left on a host.

{date}, {minutes:.0f} minutes on {machine}, seed {seed}.

| faults | runs | COMPLETED | FAILED, and why is right | HALTED | refused at the start | wrong |
|---|---|---|---|---|---|---|
{runs}

Long-lived processes of the run on the fourth host, medians of the second and of the last quarter of the time:

| process | memory | | descriptors | | flat |
|---|---|---|---|---|---|
{processes}
"""


def write(file: Path, outcomes: Sequence[Outcome], processes: Processes, minutes: float, seed: int) -> None:
    """Replace the page."""
    rows = "\n".join(_row(variant, outcomes) for variant in VARIANTS)
    lines = [
        f"| {name} | {before.memory / 1000:.0f} MB | {after.memory / 1000:.0f} MB | {before.descriptors} "
        f"| {after.descriptors} | {'yes' if is_flat(before, after) else 'NO'} |"
        for name, before, after in processes.growth()
    ]
    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    words = {"date": date, "minutes": minutes, "machine": machine(), "seed": seed}
    file.write_text(_TEXT.format(runs=rows, processes="\n".join(lines), **words))


def _row(variant: str, outcomes: Sequence[Outcome]) -> str:
    own = [one for one in outcomes if (one.fault.variant if one.fault else "none") == variant]
    states = Counter("wrong" if one.wrong else one.state for one in own)
    cells = [states[name] for name in ("COMPLETED", "FAILED", "HALTED", "REFUSED", "wrong")]
    return f"| {variant} | {len(own)} | {' | '.join(map(str, cells))} |"
