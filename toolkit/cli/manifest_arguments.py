"""The arguments of the verbs about manifests, and of `completion`."""

from __future__ import annotations

import argparse

from toolkit.cli.command_parser import Commands

SHELLS = ("bash", "zsh", "fish")


def add_manifest_verbs(commands: Commands) -> None:
    """Manifests of every dialect, and what they may ask for."""
    manifest = commands.nested("manifest", "create, check and convert manifests; print their schema")
    check = manifest.add(
        "check", "validate; list what differs from the dialect", "examples/mnist/manifest.yml", "old.yml new.yml"
    )
    check.add_argument("file", metavar="FILE", nargs="+")
    manifest.add("schema", "print the JSON Schema of a manifest, for editors", "")
    convert = manifest.add("convert", "convert any dialect to the canonical form", "old.yml -o new.yml")
    convert.description = "Convert a manifest of any dialect to the canonical form. Keys in it are not copied."
    convert.add_argument("file", metavar="FILE")
    convert.add_argument("-o", "--output", metavar="NEW_FILE", help="default: standard output")
    _init(manifest)

    frameworks = commands.add(
        "frameworks", "list what the catalogue offers: version, Python, CUDA, GPUs", "", "tensorflow-ddl"
    )
    frameworks.add_argument("name", metavar="FRAMEWORK", nargs="?", help="default: all of them")


def add_shell_verbs(commands: Commands) -> None:
    """The tool in a person's shell."""
    completion = commands.add(
        "completion",
        "print a script that completes commands in your shell",
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
        help="print completions of the last WORD instead; the scripts run this",
    )


def _init(manifest: Commands) -> None:
    init = manifest.add(
        "init",
        "write a first manifest with comments",
        "",
        "--yes --framework tensorflow-ddl --nodes 2 manifest.yml",
    )
    init.description = "Write a first manifest with comments. On a terminal it asks for what no option gives."
    init.add_argument("file", metavar="NEW_FILE", nargs="?", default="manifest.yml", help="default: manifest.yml")
    init.add_argument("--yes", action="store_true", help="do not ask: use defaults for what no option gives")
    init.add_argument("--name", metavar="NAME", help="name of the training (default: the folder's)")
    init.add_argument("--framework", metavar="FRAMEWORK", help="default: tensorflow-ddl")
    init.add_argument("--framework-version", metavar="VERSION", help="default: the newest of the catalogue")
    init.add_argument("--python", metavar="VERSION", help="default: the newest for that framework")
    init.add_argument("--command", metavar="COMMAND", help="what ranks run (default: python train.py)")
    init.add_argument("--compute", metavar="KIND", help="GPUs of a node, such as p100x2, or cpu (default: p100)")
    init.add_argument("--nodes", metavar="N", type=int, help="number of learners (default: 2)")
    init.add_argument("--endpoint", metavar="URL", help="S3 endpoint, or `embedded` (default)")
    init.add_argument("--data-bucket", metavar="BUCKET", help="default: NAME-data")
    init.add_argument("--results-bucket", metavar="BUCKET", help="default: NAME-results")
