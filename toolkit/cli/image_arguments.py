"""The arguments of the verbs about images."""

from __future__ import annotations

from toolkit.cli.command_parser import Commands, Parser, finish, sentence

_FLAVOURS = ("cpu", "cuda")
_BUILDERS = ("classic", "buildkit")


def add_image_verbs(commands: Commands) -> None:
    """Making images, looking into them, and moving them to other machines."""
    _build(commands)
    _lock(commands)
    _images(commands)
    _moving(commands)


def _build(commands: Commands) -> None:
    build = commands.add(
        "build",
        "build the image that a manifest asks for, unless it exists",
        "examples/mnist/manifest.yml",
        "--image tensorflow-2.21-py3.13-cpu --image tensorflow-ddl-2.19-py3.11-cuda",
        "examples/mnist/manifest.yml --dry-run context",
    )
    build.add_argument("manifest", metavar="MANIFEST", nargs="?", help="build the image of this manifest")
    build.add_argument(
        "--image", metavar="IMAGE", action="append", default=[], help="build this image of the catalogue; repeatable"
    )
    build.add_argument("--all", action="store_true", help="build the whole catalogue, several images at a time")
    build.add_argument(
        "--jobs", metavar="N", type=int, help="images built at a time (default: what CPUs and free memory allow)"
    )
    _flavour(build, "of a manifest's image (default: cpu)")
    build.add_argument(
        "--builder", choices=_BUILDERS, default="classic", help="both make the same image (default: classic)"
    )
    build.add_argument("--dry-run", metavar="FOLDER", help="write Dockerfiles and contexts to FOLDER; build nothing")


def _lock(commands: Commands) -> None:
    lock = commands.add(
        "lock",
        "re-resolve the locks whose recipes changed",
        "",
        "tensorflow-2.19-py3.11-cpu",
        "examples/mnist/manifest.yml",
        "--check",
    )
    lock.add_argument(
        "name",
        metavar="IMAGE|FRAMEWORK|MANIFEST",
        nargs="*",
        help="what to lock; of a manifest, the packages that it adds (default: the whole catalogue)",
    )
    _flavour(lock, "of a manifest's image (default: cpu)")
    act = lock.add_mutually_exclusive_group()
    act.add_argument("--update", action="store_true", help="re-resolve current locks too, and print what changed")
    act.add_argument("--check", action="store_true", help="write nothing; exit status 2 if a lock is stale")


def _images(commands: Commands) -> None:
    images = commands.nested("images", "list, inspect, compare and rebuild images")
    images.add("list", "list images that are built, and what else the catalogue has", "")
    show = images.add("show", "show an image's recipe, layers and packages", "tensorflow-ddl-2.19-py3.11-cpu")
    sbom = images.add(
        "sbom",
        "list every package of an image as SPDX 2.3 or CycloneDX 1.6",
        "tensorflow-ddl-2.19-py3.11-cpu",
        "tensorflow-ddl-2.19-py3.11-cpu --form cyclonedx -o sbom.cdx.json",
    )
    licences = images.add("licences", "list the licence that each package declares", "tensorflow-ddl-2.19-py3.11-cpu")
    provenance = images.add(
        "provenance",
        "print how an image was built, as an in-toto statement",
        "tensorflow-ddl-2.19-py3.11-cpu -o provenance.json",
    )
    verify = images.add(
        "verify", "rebuild an image from scratch and show where it differs", "tensorflow-ddl-2.19-py3.11-cpu"
    )
    diff = images.add(
        "diff",
        "show what changed between two images",
        "tensorflow-ddl-2.19-py3.11-cpu:f67 tensorflow-ddl-2.21",
    )
    why = images.add(
        "why",
        "show why a package is installed",
        "rich",
        "/usr/bin/mpirun tensorflow-ddl-2.19-py3.11-cpu",
    )
    for verb in (show, sbom, licences, provenance, verify):
        verb.add_argument("reference", metavar="REF", help="an image's name or id, or the first characters of one")
    diff.description = "Show what changed between two images. Exit status 0: the same; 1: different."
    diff.add_argument("old", metavar="OLD_REF")
    diff.add_argument("new", metavar="NEW_REF")
    why.add_argument("package", metavar="PACKAGE", help="its name, or the path of a file that it installed")
    why.add_argument("reference", metavar="REF", nargs="?", help="default: the only built image of the catalogue")
    verify.add_argument("--builder", choices=_BUILDERS, default="classic", help="default: classic")
    sbom.add_argument("--form", choices=("spdx", "cyclonedx"), default="spdx", help="default: spdx")
    for verb in (sbom, provenance):
        verb.add_argument("-o", "--output", metavar="FILE", help="default: standard output")


def _moving(commands: Commands) -> None:
    image_help = "NAME:VERSION, or a manifest: the image that it asks for"
    save = commands.add(
        "save",
        "write images to a file; the same images give the same bytes",
        "toolkit-buckets:90a041e0547a -o images.tar",
        "examples/mnist/manifest.yml --apptainer -o image.sif",
    )
    save.add_argument("image", metavar="REF|MANIFEST", nargs="+", help=image_help)
    save.add_argument("--apptainer", action="store_true", help="write a SIF file; needs apptainer or singularity")

    load = commands.add("load", "verify a file of `toolkit save` and load its images", "images.tar")
    load.add_argument("file", metavar="FILE")

    bundle = commands.add(
        "bundle",
        "pack images, packages and the tool for machines without network",
        "examples/mnist/manifest.yml -o site.tar",
        "load site.tar",
    )
    bundle.set_defaults(act="make")
    bundle.add_argument("manifest", metavar="MANIFEST", nargs="+", help="or `load FILE`, on the other machine")
    bundle.add_argument(
        "--python",
        metavar="VERSION",
        action="append",
        help="of the other machine; repeatable (default: this Python's)",
    )
    bundle.alternatives["load"] = _bundle_load(bundle)

    push = commands.add(
        "push",
        "push an image to a registry",
        "examples/mnist/manifest.yml --to registry.example.org:5000/training/mnist",
    )
    push.add_argument("image", metavar="REF|MANIFEST", help=image_help)
    push.add_argument(
        "--to", metavar="HOST:PORT/NAME", required=True, help="where; the tag is always the image's own version"
    )

    pull = commands.add(
        "pull",
        "pull an image from a registry and check it against its tag",
        "registry.example.org:5000/training/buckets:90a041e0547a",
    )
    pull.add_argument("address", metavar="HOST:PORT/NAME:TAG")

    for verb in (save, bundle, push):
        _flavour(verb, "of a manifest's image (default: cpu)")
    for verb in (save, bundle):
        verb.add_argument("-o", "--output", metavar="FILE", required=True, help="the file to write")


def _bundle_load(bundle: Parser) -> Parser:
    text = "verify a bundle, then add its packages to the cache and its images to the engine"
    load = Parser(prog=f"{bundle.prog} load", description=sentence(text))
    load.set_defaults(act="load")
    load.add_argument("file", metavar="FILE")
    load.add_argument("--no-images", action="store_true", help="add only the packages, for `toolkit build`")
    finish(load, "site.tar")
    return load


def _flavour(verb: Parser, text: str) -> None:
    verb.add_argument("--flavour", choices=_FLAVOURS, default="cpu", help=text)
