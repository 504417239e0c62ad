"""The command line: reads the words, calls one function. Each command's module is loaded when it is called."""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from toolkit.errors import ToolkitError

_EPILOG = """exit status: 0 done, 1 the program failed, 2 bad input, 3 the system (engine, image, store),
4 credentials or bucket, 5 the model does not pass its check, 130 interrupted.

a first run:
  toolkit build  examples/mnist/manifest.yml
  toolkit launch examples/mnist/manifest.yml
  toolkit collect TRAINING_ID
"""


def parser() -> argparse.ArgumentParser:
    """Every verb with its words."""
    top = argparse.ArgumentParser(
        prog="toolkit",
        description="Run the same training twice: a manifest in, a versioned image, a run, a checked model home.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="store_true", help="print the version and end")
    verbs = top.add_subparsers(metavar="COMMAND", dest="verb")

    build = _verb(verbs, "build", "make the image that a manifest asks for, unless it is here")
    _manifest(build)

    launch = _verb(verbs, "launch", "run a manifest's commands on a cluster and store what they write")
    _manifest(launch)
    launch.add_argument("--cluster", metavar="FILE", help="where to run (default: clusters/local.yml, this machine)")
    launch.add_argument("--code", metavar="FOLDER", help="the code to submit (default: the manifest's folder)")
    launch.add_argument("--id-file", metavar="FILE", help="write the training id there as soon as it is known")

    collect = _verb(verbs, "collect", "bring a run's model home, check it, ask it for predictions")
    collect.add_argument("training_id", metavar="TRAINING_ID")
    collect.add_argument("--to", metavar="FOLDER", default="models", help="where models go (default: ./models)")

    show = _verb(verbs, "show", "what a run was, what it did, how it ended")
    show.add_argument("training_id", metavar="TRAINING_ID", nargs="?", help="default: the newest run")

    bucket = _verb(verbs, "bucket", "put files into a manifest's data bucket, or list its buckets")
    acts = bucket.add_subparsers(metavar="ACT", dest="act", required=True)
    put = _verb(acts, "put", "upload a folder into the data bucket; makes both buckets if they are missing")
    _manifest(put)
    put.add_argument("folder", metavar="FOLDER")
    _manifest(_verb(acts, "list", "list what both buckets hold"))
    return top


def main(words: list[str] | None = None) -> int:
    """Run one command; the status for the shell."""
    arguments = parser().parse_args(words)
    if arguments.version:
        from toolkit import __version__

        print(f"toolkit {__version__}")
        return 0
    if not arguments.verb:
        parser().print_help()
        return 2
    from toolkit.errors import INTERRUPTED, ToolkitError

    # A terminal that closes or a `kill` shall clean up as a Ctrl-C does.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        return int(importlib.import_module(f"toolkit.cli.{arguments.verb}").run(arguments))
    except ToolkitError as error:
        _tell(error, as_json=arguments.json)
        return error.code.exit_status
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone (`| head`); Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _verb(verbs: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str) -> argparse.ArgumentParser:
    verb = verbs.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    verb.add_argument("--json", action="store_true", help="print one JSON object for machines on standard output")
    return verb


def _manifest(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("manifest", metavar="MANIFEST")


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _tell(error: ToolkitError, *, as_json: bool) -> None:
    if as_json:
        import json

        print(json.dumps(error.as_json()))
    print(f"toolkit: error {error}", file=sys.stderr)
