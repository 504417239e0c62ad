"""The command line's words. It loads what `toolkit --help` needs: argparse, and nothing that it does not."""

from __future__ import annotations

import argparse
import os
import sys
from functools import partial

from toolkit.cli.run_words import add_run_verbs
from toolkit.cli.terminal import neutral_streams

_WIDEST = 110
_JSON_HELP = "print one JSON object for machines on standard output"
_BUNDLE_LOAD = "bundle_load"
_BUNDLE_LOAD_TEXT = "Check every byte of a bundle, then take in its packages and its images."
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
    build.add_argument("manifest", metavar="MANIFEST", nargs="?")
    build.add_argument(
        "--image", metavar="NAME", action="append", default=[], help="an image of the catalogue; repeatable"
    )
    build.add_argument("--all", action="store_true", help="the whole catalogue, some images at a time")
    build.add_argument("--jobs", metavar="N", type=int, help="how many at a time (default: what this machine bears)")
    build.add_argument("--flavour", choices=("cpu", "cuda"), default="cpu", help="default: cpu")
    build.add_argument(
        "--builder", choices=("classic", "buildkit"), default="classic", help="the same image either way"
    )
    build.add_argument("--dry-run", metavar="FOLDER", help="write Dockerfiles and contexts there, and build nothing")

    lock = _verb(verbs, "lock", "solve what images are made of, where their recipes ask something else now")
    lock.add_argument(
        "name",
        metavar="NAME",
        nargs="*",
        help="a combination, a framework, or a manifest whose additions are meant (default: the whole catalogue)",
    )
    lock.add_argument(
        "--flavour", choices=("cpu", "cuda"), default="cpu", help="of the image that a manifest asks for (default: cpu)"
    )
    lock_act = lock.add_mutually_exclusive_group()
    lock_act.add_argument("--update", action="store_true", help="solve anew what is fresh, too; tells what changed")
    lock_act.add_argument("--check", action="store_true", help="write nothing; exit status 2 where a lock is stale")

    _images(verbs)
    _shipping(verbs)
    _cluster(verbs)

    add_run_verbs(partial(_verb, verbs))

    bucket = _verb(verbs, "bucket", "put files into a manifest's data bucket, or list its buckets")
    acts = bucket.add_subparsers(metavar="ACT", dest="act", required=True)
    put = _verb(acts, "put", "upload a folder into the data bucket; makes both buckets if they are missing")
    _manifest(put)
    put.add_argument("folder", metavar="FOLDER")
    _manifest(_verb(acts, "list", "list what both buckets hold"))
    _lab(verbs)
    _doctor(verbs)
    _manifests(verbs)
    return top


def _manifests(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Manifests of every dialect, and what they may ask for."""
    manifest = _verb(verbs, "manifest", "look a manifest over, convert it, begin one; its JSON Schema for editors")
    acts = manifest.add_subparsers(metavar="ACT", dest="act", required=True)
    check = _verb(acts, "check", "say all that is wrong with manifests, and what means something else here")
    check.add_argument("file", metavar="FILE", nargs="+")
    _verb(acts, "schema", "the JSON Schema of a manifest: every dialect, and the catalogue's frameworks")
    convert = _verb(acts, "convert", "a manifest of any dialect in the canonical form, without the keys in it")
    convert.add_argument("file", metavar="FILE")
    convert.add_argument("-o", "--output", metavar="NEW_FILE", help="default: standard output")
    init = _verb(acts, "init", "write a first manifest, commented; asks on a terminal what no flag says")
    init.add_argument("file", metavar="FILE", nargs="?", default="manifest.yml", help="default: manifest.yml")
    init.add_argument("--yes", action="store_true", help="ask nothing: defaults for what no flag says")
    init.add_argument("--nodes", metavar="N", type=int)
    for flag in ("name", "framework", "python", "command", "compute", "endpoint"):
        init.add_argument(f"--{flag}", metavar=flag.upper())
    init.add_argument("--framework-version", metavar="VERSION")
    init.add_argument("--data-bucket", metavar="BUCKET")
    init.add_argument("--results-bucket", metavar="BUCKET")

    frameworks = _verb(verbs, "frameworks", "what the catalogue offers: version, Python, CUDA, GPUs")
    frameworks.add_argument("name", metavar="FRAMEWORK", nargs="?", help="default: all of them")


def _doctor(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Whether a cluster's hosts can do what runs need."""
    doctor = _verb(verbs, "doctor", "check every host of a cluster, and say how to mend what is wrong")
    doctor.add_argument("manifest", metavar="MANIFEST", nargs="?", help="try its buckets and image, too")
    doctor.add_argument("--cluster", metavar="FILE", help="whose hosts (default: clusters/local.yml, this machine)")
    doctor.add_argument("--verbose", action="store_true", help="tell what is well, too")


def _lab(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """A cluster for people without one."""
    lab = _verb(verbs, "lab", "hosts with sshd and an engine of their own, in containers of this machine")
    acts = lab.add_subparsers(metavar="ACT", dest="act", required=True)
    up = _verb(acts, "up", "start hosts, and write the cluster file that leads to them")
    up.add_argument("--hosts", metavar="N", type=int, help="how many (default: as many as are up, else 2)")
    down = _verb(acts, "down", "remove a lab's hosts, their disks, network, key and cluster file")
    for verb in (up, down):
        verb.add_argument("--name", metavar="NAME", default="lab", help="default: lab")
    _verb(acts, "show", "which labs are up, and their hosts")


def _cluster(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The hosts that runs go to."""
    cluster = _verb(verbs, "cluster", "which hosts a cluster has; record their keys")
    acts = cluster.add_subparsers(metavar="ACT", dest="act", required=True)
    show = _verb(acts, "show", "the hosts of a cluster, ranges expanded: address, user, jump host, GPUs")
    trust = _verb(acts, "trust", "show the fingerprint of each host's key, and record the new ones after a yes")
    trust.add_argument("--yes", action="store_true", help="record them without asking, for scripts")
    for verb in (show, trust):
        verb.add_argument("file", metavar="FILE", help="such as clusters/lab-p100.yml")


def _images(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Which images are here, and what is in them."""
    images = _verb(verbs, "images", "which images are here, what is in them, why, and under which licences")
    acts = images.add_subparsers(metavar="ACT", dest="act", required=True)
    _verb(acts, "list", "the images that are here, and those that the catalogue has besides")
    texts = {
        "show": "an image's recipe, layers and packages",
        "sbom": "every package of an image, as SPDX 2.3 or CycloneDX 1.6",
        "licences": "the licence that each package of an image declares",
        "provenance": "what an image was made of and by, as an in-toto statement",
        "verify": "build an image again from nothing, and say where it differs",
    }
    asking = {name: _verb(acts, name, text) for name, text in texts.items()}
    diff = _verb(acts, "diff", "what changed from one image to another; exit status 0 the same, 1 different")
    diff.add_argument("old", metavar="OLD")
    diff.add_argument("new", metavar="NEW")
    why = _verb(acts, "why", "who asked for a package: the chains from the recipe to it")
    why.add_argument("package", metavar="PACKAGE", help="its name, or the path of a file of it")
    why.add_argument(
        "reference", metavar="REF", nargs="?", help="default: the only image of the catalogue that is here"
    )
    for verb in asking.values():
        verb.add_argument("reference", metavar="REF", help="the beginning of one image's name or id")
    asking["verify"].add_argument(
        "--builder", choices=("classic", "buildkit"), default="classic", help="default: classic"
    )
    asking["sbom"].add_argument("--form", choices=("spdx", "cyclonedx"), default="spdx", help="default: spdx")
    for name in ("sbom", "provenance"):
        asking[name].add_argument("-o", "--output", metavar="FILE", help="default: standard output")


def _shipping(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Images on their way to other machines, with a registry or without a network."""
    image_help = "NAME:VERSION, or a manifest that asks for it"
    save = _verb(verbs, "save", "write images to one file, the same bytes for the same images")
    save.add_argument("image", metavar="REF", nargs="+", help=image_help)
    save.add_argument("--apptainer", action="store_true", help="a SIF file instead, where apptainer or singularity is")

    load = _verb(verbs, "load", "check a file of `toolkit save`, then give its images to the engine")
    load.add_argument("file", metavar="FILE")

    bundle = _verb(verbs, "bundle", "images, packages and the tool in one file, for machines without a network")
    bundle.epilog = "on the other machine: toolkit bundle load FILE"
    bundle.add_argument("manifest", metavar="MANIFEST", nargs="+")
    bundle.add_argument("--python", metavar="VERSION", action="append", help="the other machine's (default: this one)")

    unbundle = verbs.add_parser(_BUNDLE_LOAD, prog="toolkit bundle load", description=_BUNDLE_LOAD_TEXT)
    unbundle.add_argument("file", metavar="FILE")
    unbundle.add_argument("--no-images", action="store_true", help="only the packages, for `toolkit build`")
    unbundle.add_argument("--json", action="store_true", help=_JSON_HELP)

    push = _verb(verbs, "push", "give an image to a registry")
    push.add_argument("image", metavar="MANIFEST|REF", help=image_help)
    push.add_argument("--to", metavar="HOST:PORT/NAME", required=True, help="the tag is the image's own version")

    pull = _verb(verbs, "pull", "fetch an image from a registry, and compare it with what its tag promises")
    pull.add_argument("address", metavar="HOST:PORT/NAME:TAG")

    for verb in (save, bundle, push):
        verb.add_argument("--flavour", choices=("cpu", "cuda"), default="cpu", help="a manifest's (default: cpu)")
    for verb in (save, bundle):
        verb.add_argument("-o", "--output", metavar="FILE", required=True)


def main(words: list[str] | None = None) -> int:
    """Run one command; the status for the shell."""
    with neutral_streams():
        return _main(words)


def _main(words: list[str] | None) -> int:
    top = parser()
    arguments = top.parse_args(_one_verb(sys.argv[1:] if words is None else words))
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
    # For Invoke, which paramiko loads, it means: print the debug lines of every library (invoke/util.py).
    os.environ.pop("INVOKE_DEBUG", None)
    return dispatch(arguments)


def _one_verb(words: list[str]) -> list[str]:
    """`bundle load` is a verb of its own: what follows `bundle` is a manifest, or this one act."""
    return [_BUNDLE_LOAD, *words[2:]] if words[:2] == ["bundle", "load"] else words


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
    verb.add_argument("--json", action="store_true", help=_JSON_HELP)
    return verb


def _manifest(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("manifest", metavar="MANIFEST")
