"""The command line's words about runs. As `main`, it loads nothing that `toolkit --help` does not need."""

from __future__ import annotations

import argparse
from collections.abc import Callable

_RAW = "keep the colours that programs print (default: what a terminal would obey is shown as \\x1b)"
Verb = Callable[[str, str], argparse.ArgumentParser]


def add_run_verbs(verb: Verb) -> None:
    """Every verb about runs; `verb` makes one by its name and what it does."""
    launch = verb("launch", "run a manifest's commands on a cluster and store what they write")
    launch.add_argument("manifest", metavar="MANIFEST")
    launch.add_argument("--code", metavar="FOLDER", help="the code to submit (default: the manifest's folder)")
    launch.add_argument(
        "--dry-run", action="store_true", help="print hosts, ranks, mounts and command lines; start nothing"
    )
    _where(launch, "clusters/local.yml, this machine")

    runs = verb("runs", "list the runs that were launched from here")
    runs.add_argument("--active", action="store_true", help="only those that have not ended")

    show = verb("show", "what a run was, what it did, how it ended")
    show.add_argument("training_id", metavar="TRAINING_ID", nargs="?", help="default: the newest run")

    logs = verb("logs", "print what a run's ranks have printed")
    _run(logs)
    logs.add_argument("-f", "--follow", action="store_true", help="go on until the run has ended")
    logs.add_argument("--rank", metavar="N", type=int, help="one rank's lines alone")
    logs.add_argument("--raw", action="store_true", help=_RAW)
    logs.add_argument("--since", metavar="TIME", help="10m (ago), or 2026-11-25T20:00")

    stop = verb("stop", "store what a run has written so far, and end it")
    _run(stop)
    stop.add_argument("--force", action="store_true", help="end it without its agents, which hang or do not answer")
    for name, what in (
        ("retry", "launch a run again: its manifest, its image, its submitted code"),
        ("resume", "launch a run that goes on from the checkpoints of an earlier one"),
    ):
        again = verb(name, what)
        _run(again)
        _where(again, "where it ran")

    collect = verb("collect", "bring a run's model home, check it, ask it for predictions")
    _run(collect)
    collect.add_argument("--to", metavar="FOLDER", default="models", help="where models go (default: ./models)")

    _run(verb("rescue", "store what a run's hosts still keep because its bucket did not take it"))

    clean = verb("clean", "remove what ended runs have left on hosts")
    clean.add_argument("--cluster", metavar="FILE", help="whose hosts (default: clusters/local.yml, this machine)")
    clean.add_argument("--orphans", action="store_true", help="also of runs that are not recorded here")


def _run(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("training_id", metavar="TRAINING_ID", help="or the beginning of one, `training-` left out")


def _where(verb: argparse.ArgumentParser, default: str) -> None:
    verb.add_argument("--cluster", metavar="FILE", help=f"where to run (default: {default})")
    verb.add_argument("--wait", action="store_true", help="wait until hosts of the cluster are free")
    verb.add_argument("--detach", action="store_true", help="bring the run on its way, and do not watch it")
    verb.add_argument("--raw", action="store_true", help=_RAW)
    verb.add_argument("--id-file", metavar="FILE", help="write the training id there as soon as it is known")
