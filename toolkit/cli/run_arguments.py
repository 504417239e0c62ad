"""The arguments of the commands for runs."""

from __future__ import annotations

import argparse
import math
from contextlib import suppress

from toolkit.cli.command_parser import Commands, Parser, folder_name

_RAW = "keep colours in the output (default: show escape sequences as \\x1b)"
_ID = "training-9itkb8gw"


def add_run_verbs(commands: Commands) -> None:
    """Commands that start runs, follow them, and process what they leave."""
    launch = commands.add(
        "launch",
        "run a manifest's commands on a cluster and store the results",
        "examples/mnist/manifest.yml",
        "examples/mnist/manifest.yml --cluster clusters/lab-p100.yml --detach",
        "examples/mnist/manifest.yml --dry-run",
    )
    launch.add_argument("manifest", metavar="MANIFEST", help="what to run")
    launch.add_argument(
        "--code", metavar="FOLDER", type=folder_name, help="code to submit (default: the manifest's folder)"
    )
    launch.add_argument(
        "--dry-run", action="store_true", help="print the plan (hosts, ranks, mounts, command lines) and exit"
    )
    _deterministic(launch)
    _where(launch, "clusters/local.yml, this machine")

    runs = commands.add("runs", "list the runs launched from this machine", "", "--active")
    runs.add_argument("--active", action="store_true", help="list only runs that have not ended")

    show = commands.add("show", "show a run: commands, hosts, outcome", "", _ID)
    show.add_argument(
        "training_id", metavar="TRAINING_ID", nargs="?", help="ID or unique prefix (default: the newest run)"
    )

    logs = commands.add("logs", "print the output of a run's ranks", f"-f {_ID}", f"--rank 0 --since 10m {_ID}")
    _run(logs)
    logs.add_argument("-f", "--follow", action="store_true", help="follow the output until the run ends")
    logs.add_argument("--rank", metavar="N", type=int, help="show only this rank")
    logs.add_argument("--raw", action="store_true", help=_RAW)
    logs.add_argument("--since", metavar="TIME", help="show only lines since a time: 10m (ago), or 2026-11-25T20:00")

    metrics = commands.add(
        "metrics", "show what a run's ranks reported and its hosts did, over time", _ID, f"--csv {_ID}", f"--json {_ID}"
    )
    _run(metrics)
    metrics.add_argument("--csv", action="store_true", help="print every point, as comma-separated values")

    _run(commands.add("watch", "watch a run at a glance: state, loss, step time, hosts", _ID))

    stop = commands.add("stop", "stop a run and store its results so far", _ID, f"--force {_ID}")
    _run(stop)
    stop.add_argument(
        "--force", action="store_true", help="bypass agents that hang; unsaved results stay on the hosts, for `rescue`"
    )

    retry = commands.add("retry", "run again with the same manifest, image and submitted code", _ID)
    resume = commands.add("resume", "start a new run from the checkpoints of an earlier one", f"{_ID} --detach")
    for again in (retry, resume):
        _run(again)
        _where(again, "the run's own")
    _reproduce(commands)
    _add_results_verbs(commands)


def _add_results_verbs(commands: Commands) -> None:
    """Commands for what a run leaves: its model, checkpoints, report and record."""
    collect = commands.add(
        "collect",
        "download, verify and smoke-test a run's model",
        _ID,
        f"{_ID} --to models",
        f"{_ID} --what model --what '*.h5'",
        f"{_ID} --checkpoint 20",
    )
    _run(collect)
    _to(collect)
    collect.add_argument(
        "--what",
        metavar="WHAT",
        action="append",
        help="`model` (default), `all`, or a pattern in gitignore's syntax over the run's files; may be repeated",
    )
    collect.add_argument(
        "--sample", metavar="FILE", help="score FILE with the model: a request as .json, or rows as .npy or .csv"
    )
    collect.add_argument(
        "--checkpoint",
        metavar="N",
        help="run the manifest's later commands on this checkpoint (number or path), and collect what they make",
    )
    collect.add_argument("--cluster", metavar="FILE", help="with --checkpoint: where it runs (default: the run's own)")
    collect.add_argument("--wait", action="store_true", help="with --checkpoint: wait until a host is free")
    _run(commands.add("checkpoints", "list the checkpoints that a run wrote", _ID, f"{_ID} --json"))

    report = commands.add(
        "report",
        "write a report of runs as one HTML file",
        f"{_ID} -o report.html",
        f"{_ID} training-abcd2345 -o compared.html",
        f"{_ID} --serve",
    )
    report.add_argument(
        "training_ids", metavar="TRAINING_ID", nargs="+", help="ID or unique prefix; several are shown side by side"
    )
    shown = report.add_mutually_exclusive_group(required=True)
    shown.add_argument("-o", "--output", metavar="FILE", help="file to write; an existing one is replaced")
    shown.add_argument(
        "--serve",
        action="store_true",
        help="show it to browsers on this machine until Ctrl-C, made anew while a run lasts",
    )
    report.add_argument("--port", metavar="N", type=int, default=0, help="port for --serve (default: one that is free)")

    _record(commands.nested("record", "show, verify, sign and export a run's record"))
    serve = commands.add(
        "serve", "try a run's model: TensorFlow Serving's REST API on this machine", _ID, f"{_ID} --port 9000"
    )
    serve.description = (
        "Serve a run's model from the image that trained it, with TensorFlow Serving's REST API, until Ctrl-C. "
        "For trying a model, not for production."
    )
    _run(serve)
    _to(serve)
    serve.add_argument(
        "--port", metavar="N", type=int, help="port; 0 takes a free one (default: the first free one from 8501 on)"
    )
    serve.add_argument("--host", metavar="ADDRESS", default="127.0.0.1", help="loopback address (default: 127.0.0.1)")
    serve.add_argument("--name", metavar="NAME", default="", help="the model's name in the URL (default: the run's)")

    _run(commands.add("rescue", "upload results that are still on the hosts", _ID))

    clean = commands.add(
        "clean", "remove leftovers of ended runs from hosts", "", "--cluster clusters/lab-p100.yml --orphans"
    )
    clean.add_argument("--cluster", metavar="FILE", help="cluster to clean (default: clusters/local.yml, this machine)")
    clean.add_argument(
        "--orphans", action="store_true", help="also remove leftovers of runs that are not recorded here"
    )


def _reproduce(commands: Commands) -> None:
    """Running again from a record, and comparing."""
    what = "training ID, or a record's file"
    reproduce = commands.add(
        "reproduce",
        "run a recorded run again, and compare what both left",
        _ID,
        "crate/record.json --dry-run",
        "record.json --code FOLDER --cluster clusters/lab-p100.yml --tolerance 0.01",
    )
    reproduce.add_argument("run", metavar="TRAINING_ID|FILE", help=what)
    reproduce.add_argument(
        "--dry-run", action="store_true", help="compare what is here with what was recorded, and exit"
    )
    reproduce.add_argument(
        "--accept-differences", action="store_true", help="launch although something here is not as recorded"
    )
    reproduce.add_argument("--manifest", metavar="FILE", help="manifest to use (default: the recorded one)")
    reproduce.add_argument(
        "--code",
        metavar="FOLDER",
        type=folder_name,
        help="the recorded code (default: beside the record's file, or in the bucket)",
    )
    _deterministic(reproduce)
    _where(reproduce, "the run's own, or this machine")
    compare = commands.add("compare", "compare two runs: what they ran with, and what they left", f"{_ID} record.json")
    compare.add_argument("run", metavar="TRAINING_ID|FILE", help=what)
    compare.add_argument("other", metavar="TRAINING_ID|FILE", help=what)
    for one in (reproduce, compare):
        one.add_argument(
            "--tolerance",
            metavar="X",
            type=_tolerance,
            default=0.0,
            help="accepted difference of a metric, relative to the larger value (default: 0)",
        )


def _tolerance(text: str) -> float:
    with suppress(ValueError):
        if 0 <= (value := float(text)) < math.inf:
            return value
    raise argparse.ArgumentTypeError(f"expected a number of at least 0, such as 0.01, found `{text}`")


def _deterministic(verb: Parser) -> None:
    verb.add_argument(
        "--deterministic",
        action="store_true",
        help="set the variables that make the framework's operations deterministic",
    )


def _record(record: Commands) -> None:
    """What a run leaves as `record.json` beside its results."""
    what = "training ID, or a record's file"
    show = record.add("show", "show a run's record", _ID, "record.json --json")
    show.add_argument("record", metavar="TRAINING_ID|FILE", help=what)
    verify = record.add(
        "verify",
        "compare a record with the run's results, file by file",
        _ID,
        "record.json --folder models/training-9itkb8gw --key key.pub",
    )
    export = record.add(
        "export", "write a run as a Workflow Run RO-Crate", f"{_ID} -o crate", "record.json --folder results -o crate"
    )
    export.add_argument("-o", "--output", metavar="NEW_FOLDER", required=True, help="folder to create")
    export.add_argument(
        "--licence", metavar="URL", default="", help="licence of code and results (default: none is stated)"
    )
    for reader in (verify, export):
        reader.add_argument("record", metavar="TRAINING_ID|FILE", help=what)
        reader.add_argument(
            "--folder",
            metavar="FOLDER",
            type=folder_name,
            help="a copy of the results, or a collected model (default: the run's bucket)",
        )
    verify.add_argument(
        "--key", metavar="FILE", help="public key; record and model must be signed with its private key"
    )
    sign = record.add("sign", "sign a run's record and model with your key", f"{_ID} --key key.pem")
    _run(sign)
    sign.add_argument("--key", metavar="FILE", required=True, help="your ECDSA private key, in PEM")
    sign.add_argument(
        "--passphrase",
        metavar="REFERENCE",
        default="",
        help="where an encrypted key's passphrase is: '${env:NAME}' or '${file:PATH}' (default: ask for it)",
    )
    sign.add_argument(
        "-o", "--output", metavar="FOLDER", type=folder_name, help="write record and signatures to FOLDER, too"
    )
    record.add("schema", "print the JSON Schema of a record", "")


def _run(verb: Parser) -> None:
    verb.add_argument("training_id", metavar="TRAINING_ID", help="ID or unique prefix, with or without `training-`")


def _to(verb: Parser) -> None:
    verb.add_argument(
        "--to", metavar="FOLDER", default="models", help="parent folder of the model's folder (default: ./models)"
    )


def _where(verb: Parser, default: str) -> None:
    verb.add_argument("--cluster", metavar="FILE", help=f"cluster to run on (default: {default})")
    verb.add_argument("--wait", action="store_true", help="wait until enough hosts are free")
    verb.add_argument("--detach", action="store_true", help="submit the run and exit")
    verb.add_argument("--raw", action="store_true", help=_RAW)
    verb.add_argument("--id-file", metavar="FILE", help="write the training ID to FILE as soon as it is known")
