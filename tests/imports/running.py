"""Programs of `orders` written down, run by `programs/run_all.py`, and judged."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .orders import Order

PROGRAMS = Path(__file__).parent / "programs"


@dataclass(frozen=True)
class Outcome:
    """What became of one program: mpirun's status, and the end of what it printed."""

    status: int
    output: str


def write_programs(folder: Path, orders: Sequence[Order]) -> None:
    """Each in a file that is called by its number, with what they import and what runs them."""
    folder.chmod(0o755)  # the image's user reads it
    for file in PROGRAMS.glob("*.py"):
        shutil.copy(file, folder)
    for number, order in enumerate(orders):
        (folder / f"{number}.py").write_text(order.program)
    (folder / "plan.json").write_text(json.dumps({n: dict(order.environment) for n, order in enumerate(orders)}))


def in_container(image: str, folder: Path, *options: str) -> list[str]:
    """The argv that runs them in an image."""
    return [
        *("docker", "run", "--rm", "--init", "--network", "none", "--shm-size", "512m"),
        *("--volume", f"{folder}:/orders:ro", "--env", "OMPI_MCA_btl_vader_single_copy_mechanism=none"),
        *("--env", "DDL_LEARNING_RATE_WARNING=0", "--env", "TF_CPP_MIN_LOG_LEVEL=3", *options),
        *(image, "python", "/orders/run_all.py", "/orders"),
    ]


def read_outcomes(
    argv: Sequence[str], orders: Sequence[Order], environment: Mapping[str, str] | None = None
) -> dict[str, Outcome]:
    """Run all that were written down; by the orders' names."""
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return {orders[int(one["name"])].name: Outcome(one["status"], one["output"]) for one in found}


def check(order: Order, outcome: Outcome) -> None:
    """Assert that it ended as it must."""
    if order.says:
        assert outcome.status not in (0, 124), outcome.output
        assert order.says in outcome.output, outcome.output
    else:
        assert outcome.status == 0, f"{order.program}\n{outcome.output}"
        assert outcome.output.count("SAME") >= 2, outcome.output
