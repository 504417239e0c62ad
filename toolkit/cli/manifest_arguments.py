"""The arguments of the commands for manifests, and of `completion`."""

from __future__ import annotations

import argparse

from toolkit.cli.command_parser import Commands

SHELLS = ("bash", "zsh", "fish")


def add_manifest_verbs(commands: Commands) -> None:
    """Commands for manifests of every dialect, and the frameworks available to them."""
    manifest = commands.nested("manifest", "create, check and convert manifests; print their schema")
    check = manifest.add(
        "check",
        "validate manifests; list differences from their dialect",
        "examples/mnist/manifest.yml",
        "old.yml new.yml",
    )
    check.add_argument("file", metavar="FILE", nargs="+", help="manifests of any dialect")
    manifest.add("schema", "print the JSON Schema of a manifest, for editors", "")
    convert = manifest.add("convert", "convert any dialect to the canonical form", "old.yml -o new.yml")
    convert.description = "Convert a manifest of any dialect to the canonical form. Literal keys are not copied."
    convert.add_argument("file", metavar="FILE", help="manifest of any dialect")
    convert.add_argument("-o", "--output", metavar="NEW_FILE", help="write to NEW_FILE (default: standard output)")
    _init(manifest)

    frameworks = commands.add(
        "frameworks", "list available frameworks: version, Python, CUDA, GPUs", "", "tensorflow-ddl"
    )
    frameworks.add_argument("name", metavar="FRAMEWORK", nargs="?", help="show only this one")


def add_shell_verbs(commands: Commands) -> None:
    """Commands for the user's shell."""
    completion = commands.add(
        "completion",
        "print a completion script for your shell",
        "bash > ~/.local/share/bash-completion/completions/toolkit",
        "zsh > ~/.zfunc/_toolkit",
        "fish > ~/.config/fish/completions/toolkit.fish",
        json=False,
    )
    completion.add_argument("shell", metavar="SHELL", choices=SHELLS, help="bash, zsh or fish")
    completion.add_argument(
        "words",
        metavar="-- WORD",
        nargs=argparse.REMAINDER,
        help="print completions of the last WORD instead (used by the scripts)",
    )


def _init(manifest: Commands) -> None:
    init = manifest.add(
        "init",
        "create a manifest with comments",
        "",
        "--yes --framework tensorflow-ddl --nodes 2 manifest.yml",
    )
    init.description = "Create a manifest with comments. On a terminal, asks for values not given as options."
    init.add_argument(
        "file", metavar="NEW_FILE", nargs="?", default="manifest.yml", help="file to write (default: manifest.yml)"
    )
    init.add_argument("--yes", action="store_true", help="do not ask; use the defaults")
    init.add_argument("--name", metavar="NAME", help="name of the training (default: the folder's)")
    init.add_argument("--framework", metavar="FRAMEWORK", help="framework (default: tensorflow-ddl)")
    init.add_argument(
        "--framework-version", metavar="VERSION", help="its version (default: the newest in the catalogue)"
    )
    init.add_argument("--python", metavar="VERSION", help="Python version (default: the newest for that framework)")
    init.add_argument("--command", metavar="COMMAND", help="command to run on every rank (default: python train.py)")
    init.add_argument("--compute", metavar="KIND", help="GPUs per node, such as p100x2, or cpu (default: p100)")
    init.add_argument("--nodes", metavar="N", type=int, help="number of nodes (default: 2)")
    init.add_argument("--endpoint", metavar="URL", help="S3 endpoint, or `embedded` (default)")
    init.add_argument("--data-bucket", metavar="BUCKET", help="bucket with the training data (default: NAME-data)")
    init.add_argument("--results-bucket", metavar="BUCKET", help="bucket for the results (default: NAME-results)")
