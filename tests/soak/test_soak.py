"""Runs one after another for so many minutes, while things fail at random. `tox -e soak -- MINUTES`.

SOAK_SEED repeats what a seed chose, as far as timing allows.
"""

from __future__ import annotations

import os
import random
import secrets
import sys
import threading
import time
from itertools import cycle
from pathlib import Path

import pytest
import yaml

from toolkit.leases.client import GRACE_SECONDS
from toolkit.paths import assets

from ..faults.lab_hosts import wait_until_empty
from ..faults.store import S3Server
from ..real.bench import Bench
from ..real.lab import NAME, bring_up
from . import fault, page, shape
from .attempt import Attempt, Ground, Outcome, follow_up
from .steady import PROGRAM, Processes, is_flat, steady_run

MINUTES = float(os.environ.get("SOAK_MINUTES") or 1)
SEED = int(os.environ.get("SOAK_SEED") or secrets.randbelow(10**6))
_HOSTS = 4
_SAMPLE_SECONDS = 15

pytestmark = pytest.mark.timeout(MINUTES * 60 + 1800)


def hosts_only(cluster: Path, names: list[str]) -> Path:
    """A cluster file beside `cluster` with only these hosts, and short deadlines."""
    described = yaml.safe_load(cluster.read_text())
    described["hosts"] = [host for host in described["hosts"] if host["name"] in names]
    described["deadlines"] = {"start": 60, "stop": 5, "store": 20, "lost": 15}
    file = cluster.with_name(f"{cluster.stem}-{len(names)}.yml")
    file.write_text(yaml.safe_dump(described))
    return file


def test_whatever_fails_no_run_is_completed_that_is_not_and_nothing_is_lost_or_left(
    bench: Bench, tmp_path: Path
) -> None:
    home = Bench(tmp_path / "home")
    try:
        lab = bring_up(home, NAME, hosts=_HOSTS)
        server = S3Server(tmp_path / "store", tmp_path / "keys", str(lab.facts["operator"]))
        server.start()
        others = [hosts_only(lab.cluster_file, names) for names in (lab.hosts[:-1], lab.hosts[-1:])]
        try:
            ground = Ground(home, others[0], lab.hosts[:-1], server)
            # The images are there before the time begins.
            first = server.manifest(home.manifest(tmp_path / "first", "true", nodes=_HOSTS))
            home.ok("launch", first, "--cluster", lab.cluster_file, timeout=900)
            outcomes, processes = soak(ground, lab.hosts[-1], others[1], tmp_path)
        finally:
            server.stop()
            for file in others:
                file.unlink()
    finally:
        home.ok("lab", "down", "--name", NAME)
    page.write(assets() / "docs" / "soak.md", outcomes, processes, MINUTES, SEED)
    assert [one.wrong for one in outcomes if one.wrong] == []
    assert [(name, before, after) for name, before, after in processes.growth() if not is_flat(before, after)] == []


def soak(ground: Ground, host: str, cluster: Path, folder: Path) -> tuple[list[Outcome], Processes]:
    """The runs, and what the steady run's processes used."""
    chance = random.Random(SEED)  # noqa: S311  chooses what to try
    print(f"seed {SEED}, {MINUTES:g} minutes", flush=True)
    processes, over, until = Processes(), threading.Event(), time.monotonic() + 60 * MINUTES
    outcomes: list[Outcome] = []
    steady = ground.server.manifest(ground.bench.manifest(folder / "steady", "python program.py", PROGRAM, nodes=1))
    with steady_run(ground.bench, steady, cluster) as shell:

        def look() -> None:
            while not over.is_set():
                processes.look(host, shell.process.pid)
                over.wait(_SAMPLE_SECONDS)

        sampler = threading.Thread(target=look)
        sampler.start()
        try:
            for number, variant in enumerate(cycle(fault.VARIANTS)):
                if time.monotonic() > until:
                    break
                outcomes.append(one_run(ground, folder / f"run-{number}", variant, chance))
        finally:
            over.set()
            sampler.join()
    wait_until_empty(host)
    return outcomes, processes


def one_run(ground: Ground, folder: Path, variant: str, chance: random.Random) -> Outcome:
    """A run and what follows it: nothing is left; it is collected, or resumed."""
    chosen = fault.choose(chance, variant, fault.faults(ground.server))
    kind = shape.choose(chance, len(ground.hosts))
    began = time.monotonic()
    outcome = Attempt(ground, folder, kind, chosen, chance).run()
    for host in ground.hosts:
        # A lease that could not be released ends by itself.
        wait_until_empty(host, GRACE_SECONDS + 60)
    if not outcome.wrong:
        outcome = follow_up(ground, outcome, folder / "collected")
    what = chosen.name if chosen else kind.way
    print(f"{time.monotonic() - began:6.1f} s  {what}: {outcome.state} {outcome.reason[:150]}", flush=True)
    if outcome.wrong:
        print(outcome.wrong, file=sys.stderr, flush=True)
    return outcome
