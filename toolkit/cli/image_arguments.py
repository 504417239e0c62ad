"""The arguments of the commands for images."""

from __future__ import annotations

from toolkit.cli.command_parser import Commands, Parser, finish, sentence

_FLAVOURS = ("cpu", "cuda")
_BUILDERS = ("classic", "buildkit")
_VARIANT = "the variant of a manifest's image (default: cpu)"


def add_image_verbs(commands: Commands) -> None:
    """Commands that build, inspect and transfer images."""
    _build(commands)
    _lock(commands)
    _images(commands)
    _moving(commands)


def _build(commands: Commands) -> None:
    build = commands.add(
        "build",
        "build the image for a manifest, unless it exists",
        "examples/mnist/manifest.yml",
        "--image tensorflow-2.21-py3.13-cpu --image tensorflow-ddl-2.19-py3.11-cuda",
        "examples/mnist/manifest.yml --dry-run context",
    )
    build.add_argument("manifest", metavar="MANIFEST", nargs="?", help="build the image of this manifest")
    build.add_argument(
        "--image", metavar="IMAGE", action="append", default=[], help="build this image of the catalogue; repeatable"
    )
    build.add_argument("--all", action="store_true", help="build the whole catalogue, in parallel")
    build.add_argument(
        "--jobs", metavar="N", type=int, help="number of parallel builds (default: by CPUs and free memory)"
    )
    _flavour(build, _VARIANT)
    build.add_argument(
        "--builder",
        choices=_BUILDERS,
        default="classic",
        help="Docker's builder; both give the same image (default: classic)",
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
        help="what to lock; for a manifest, the packages that it adds (default: the whole catalogue)",
    )
    _flavour(lock, _VARIANT)
    act = lock.add_mutually_exclusive_group()
    act.add_argument("--update", action="store_true", help="also re-resolve up-to-date locks, and print what changed")
    act.add_argument("--check", action="store_true", help="write nothing; exit status 2 if a lock is stale")


def _images(commands: Commands) -> None:
    images = commands.nested("images", "list, inspect, compare and rebuild images")
    images.add("list", "list images: built, and available in the catalogue", "")
    show = images.add("show", "show an image's recipe, layers and packages", "tensorflow-ddl-2.19-py3.11-cpu")
    sbom = images.add(
        "sbom",
        "print the SBOM of an image, as SPDX 2.3 or CycloneDX 1.6",
        "tensorflow-ddl-2.19-py3.11-cpu",
        "tensorflow-ddl-2.19-py3.11-cpu --form cyclonedx -o sbom.cdx.json",
    )
    licences = images.add("licences", "list the declared licence of each package", "tensorflow-ddl-2.19-py3.11-cpu")
    provenance = images.add(
        "provenance",
        "print the provenance of an image, as an in-toto statement",
        "tensorflow-ddl-2.19-py3.11-cpu -o provenance.json",
    )
    verify = images.add("verify", "rebuild an image from scratch and compare the two", "tensorflow-ddl-2.19-py3.11-cpu")
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
        verb.add_argument("reference", metavar="REF", help="name or ID of an image, or a unique prefix")
    diff.description = "Show what changed between two images. Exit status 0: same image; 1: different."
    diff.add_argument("old", metavar="OLD_REF", help="name or ID of an image, or a unique prefix")
    diff.add_argument("new", metavar="NEW_REF", help="the image to compare it with")
    why.add_argument("package", metavar="PACKAGE", help="name of a package, or path of a file in the image")
    why.add_argument("reference", metavar="REF", nargs="?", help="image (default: the only one that is built)")
    verify.add_argument("--builder", choices=_BUILDERS, default="classic", help="Docker's builder (default: classic)")
    sbom.add_argument("--form", choices=("spdx", "cyclonedx"), default="spdx", help="document format (default: spdx)")
    for verb in (sbom, provenance):
        verb.add_argument("-o", "--output", metavar="FILE", help="write to FILE (default: standard output)")


def _moving(commands: Commands) -> None:
    image_help = "NAME:VERSION, or a manifest for its image"
    save = commands.add(
        "save",
        "save images to a file; same images, same bytes",
        "toolkit-buckets:90a041e0547a -o images.tar",
        "examples/mnist/manifest.yml --apptainer -o image.sif",
    )
    save.add_argument("image", metavar="REF|MANIFEST", nargs="+", help=image_help)
    save.add_argument("--apptainer", action="store_true", help="write a SIF file; needs apptainer or singularity")

    load = commands.add("load", "verify a file from `toolkit save` and load its images", "images.tar")
    load.add_argument("file", metavar="FILE", help="a file from `toolkit save`")

    bundle = commands.add(
        "bundle",
        "pack images, packages and the tool for an offline machine",
        "examples/mnist/manifest.yml -o site.tar",
        "load site.tar",
    )
    bundle.set_defaults(act="make")
    bundle.add_argument(
        "manifest", metavar="MANIFEST", nargs="+", help="manifests whose images to pack; or `load FILE`"
    )
    bundle.add_argument(
        "--python",
        metavar="VERSION",
        action="append",
        help="Python on the other machine; repeatable (default: as here)",
    )
    bundle.alternatives["load"] = _bundle_load(bundle)

    push = commands.add(
        "push",
        "push an image to a registry",
        "examples/mnist/manifest.yml --to registry.example.org:5000/training/mnist",
    )
    push.add_argument("image", metavar="REF|MANIFEST", help=image_help)
    push.add_argument(
        "--to",
        metavar="HOST:PORT/NAME",
        required=True,
        help="destination; add :TAG to set a tag (default: the image's version)",
    )

    pull = commands.add(
        "pull",
        "pull an image from a registry and verify it",
        "registry.example.org:5000/training/buckets:90a041e0547a",
    )
    pull.add_argument("address", metavar="HOST:PORT/NAME:TAG", help="address that `toolkit push` printed")

    for verb in (save, bundle, push):
        _flavour(verb, _VARIANT)
    for verb in (save, bundle):
        verb.add_argument("-o", "--output", metavar="FILE", required=True, help="file to write")


def _bundle_load(bundle: Parser) -> Parser:
    text = "verify a bundle, then add its packages to the cache and load its images"
    load = Parser(prog=f"{bundle.prog} load", description=sentence(text))
    load.set_defaults(act="load")
    load.add_argument("file", metavar="FILE", help="a file from `toolkit bundle`")
    load.add_argument("--no-images", action="store_true", help="add only the packages, for `toolkit build`")
    finish(load, "site.tar")
    return load


def _flavour(verb: Parser, text: str) -> None:
    verb.add_argument("--flavour", choices=_FLAVOURS, default="cpu", help=text)
