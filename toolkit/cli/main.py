"""The command line's words. It loads what `toolkit --help` needs: argparse, and nothing that it does not."""

from __future__ import annotations

import argparse
import os

_WIDEST = 110
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
        formatter_class=_Formatter,
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
    top = parser()
    arguments = top.parse_args(words)
    if arguments.version:
        from toolkit import __version__

        print(f"toolkit {__version__}")
        return 0
    if not arguments.verb:
        top.print_help()
        return 2
    from toolkit.cli.dispatch import dispatch

    return dispatch(arguments)


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """argparse's own, which loads shutil (5 ms) to learn the terminal's width where it is not told."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=28, width=_width())


def _width() -> int:
    try:
        return min(os.get_terminal_size().columns, _WIDEST) - 2
    except OSError:
        return _WIDEST - 2


def _verb(verbs: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str) -> argparse.ArgumentParser:
    verb = verbs.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".", formatter_class=_Formatter)
    verb.add_argument("--json", action="store_true", help="print one JSON object for machines on standard output")
    return verb


def _manifest(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("manifest", metavar="MANIFEST")
