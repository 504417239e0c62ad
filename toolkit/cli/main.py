"""The command line. It imports only what `toolkit --help` needs, which is argparse."""

from __future__ import annotations

import os
import sys

from toolkit.cli.cluster_arguments import add_cluster_verbs, add_data_verbs
from toolkit.cli.command_parser import Commands, Parser
from toolkit.cli.image_arguments import add_image_verbs
from toolkit.cli.manifest_arguments import add_manifest_verbs, add_shell_verbs
from toolkit.cli.run_arguments import add_run_verbs
from toolkit.cli.terminal import neutral_streams

_ABOUT = "Run the same training twice: from a manifest to an image, a run and a verified model."
_FIRST_RUN = ("build examples/mnist/manifest.yml", "launch examples/mnist/manifest.yml", "collect training-9itkb8gw")
_EPILOG = """exit status:
  0 success, 1 the program failed, 2 invalid input, 3 system error (engine, image,
  storage), 4 credentials or bucket, 5 the model failed its check, 130 interrupted

a first run:"""
_GROUPS = (
    ("images", add_image_verbs),
    ("runs", add_run_verbs),
    ("clusters", add_cluster_verbs),
    ("data", add_data_verbs),
    ("manifests", add_manifest_verbs),
    ("shell", add_shell_verbs),
)


def parser() -> Parser:
    """All commands with their arguments."""
    top = Parser(prog="toolkit", description=_ABOUT)
    top.add_argument("--version", action="store_true", help="print the version and exit")
    commands = Commands(top, "verb", required=False)
    for title, add_verbs in _GROUPS:
        commands.group(title)
        add_verbs(commands)
    top.examples = tuple(f"toolkit {words}" for words in _FIRST_RUN)
    top.epilog = "\n  ".join([_EPILOG, *top.examples])
    return top


def main(words: list[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    with neutral_streams():
        top = parser()
        arguments = top.parse_args(sys.argv[1:] if words is None else words)
        if arguments.version:
            from toolkit import __version__

            print(f"toolkit {__version__}")
            return 0
        if not arguments.verb:
            top.print_help()
            return 2
        from toolkit.cli.dispatch import dispatch
        from toolkit.loopback import direct_to_loopback

        os.environ.update(direct_to_loopback(os.environ))
        # Invoke, which paramiko imports, would print the debug output of every library (invoke/util.py).
        os.environ.pop("INVOKE_DEBUG", None)
        # pydantic would look through every installed package for plugins, which then see all that is validated.
        os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"
        return dispatch(arguments)
