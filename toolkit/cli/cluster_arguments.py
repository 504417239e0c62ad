"""The arguments of the verbs about clusters, and about the data in buckets."""

from __future__ import annotations

from toolkit.cli.command_parser import Commands, folder_name


def add_cluster_verbs(commands: Commands) -> None:
    """The hosts that runs go to."""
    _cluster(commands)
    doctor = commands.add(
        "doctor",
        "check every host of a cluster, and say how to fix what fails",
        "",
        "--cluster clusters/lab-p100.yml",
        "--cluster clusters/lab-p100.yml examples/mnist/manifest.yml",
    )
    doctor.add_argument("manifest", metavar="MANIFEST", nargs="?", help="check its buckets and its image too")
    doctor.add_argument("--cluster", metavar="FILE", help="whose hosts (default: clusters/local.yml, this machine)")
    doctor.add_argument("--verbose", action="store_true", help="show passing checks")
    _lab(commands)


def add_data_verbs(commands: Commands) -> None:
    """What a manifest's buckets hold."""
    bucket = commands.nested("bucket", "upload training data; list what a manifest's buckets hold")
    put = bucket.add("put", "upload a folder to the data bucket", "examples/mnist/manifest.yml digits")
    put.description = "Upload a folder to the data bucket. Both buckets are created if they do not exist."
    listed = bucket.add("list", "list the objects of both buckets", "examples/mnist/manifest.yml")
    for verb in (put, listed):
        verb.add_argument("manifest", metavar="MANIFEST")
    put.add_argument("folder", metavar="FOLDER", type=folder_name)


def _cluster(commands: Commands) -> None:
    cluster = commands.nested("cluster", "show a cluster's hosts; record their host keys; log in to them")
    show = cluster.add("show", "list hosts: address, user, jump host, GPUs", "clusters/lab-p100.yml")
    trust = cluster.add(
        "trust",
        "show host key fingerprints, and record new keys after a yes",
        "clusters/lab-p100.yml",
        "clusters/lab-p100.yml --yes",
    )
    trust.add_argument("--yes", action="store_true", help="record them without asking, for scripts")
    connect = cluster.add(
        "connect",
        "log in where a person is asked, once for all commands",
        "clusters/lab-p100.yml",
        "clusters/lab-p100.yml --close",
    )
    connect.add_argument("--close", action="store_true", help="end the logins")
    for verb in (show, trust, connect):
        verb.add_argument("file", metavar="FILE", help="a cluster file, such as clusters/lab-p100.yml")


def _lab(commands: Commands) -> None:
    """A cluster for people without one."""
    lab = commands.nested("lab", "run a test cluster in containers on this machine")
    up = lab.add("up", "start hosts with sshd and Docker, and write their cluster file", "", "--hosts 3 --name mine")
    up.add_argument("--hosts", metavar="N", type=int, help="how many (default: as many as are up, else 2)")
    down = lab.add("down", "remove a lab: hosts, disks, network, key and cluster file", "")
    for verb in (up, down):
        verb.add_argument("--name", metavar="NAME", default="lab", help="default: lab")
    lab.add("show", "list the labs that are up, and their hosts", "")
