"""The arguments of the commands for clusters, and for the data in buckets."""

from __future__ import annotations

from toolkit.cli.command_parser import Commands, folder_name


def add_cluster_verbs(commands: Commands) -> None:
    """Commands for the hosts of runs."""
    _cluster(commands)
    doctor = commands.add(
        "doctor",
        "check the hosts of a cluster, with a hint for each problem",
        "",
        "--cluster clusters/lab-p100.yml",
        "--cluster clusters/lab-p100.yml examples/mnist/manifest.yml",
    )
    doctor.add_argument("manifest", metavar="MANIFEST", nargs="?", help="also check its buckets and its image")
    doctor.add_argument(
        "--cluster", metavar="FILE", help="cluster to check (default: clusters/local.yml, this machine)"
    )
    doctor.add_argument("--verbose", action="store_true", help="show passing checks")
    _lab(commands)


def add_data_verbs(commands: Commands) -> None:
    """Commands for a manifest's buckets."""
    bucket = commands.nested("bucket", "upload training data; list the objects in buckets")
    put = bucket.add("put", "upload a folder to the data bucket", "examples/mnist/manifest.yml digits")
    put.description = "Upload a folder to the data bucket. Both buckets are created if they do not exist."
    listed = bucket.add("list", "list the objects in both buckets", "examples/mnist/manifest.yml")
    for verb in (put, listed):
        verb.add_argument("manifest", metavar="MANIFEST", help="the manifest that names the buckets")
    put.add_argument("folder", metavar="FOLDER", type=folder_name, help="folder to upload")


def _cluster(commands: Commands) -> None:
    cluster = commands.nested("cluster", "list the hosts of a cluster; record their host keys; log in once")
    show = cluster.add("show", "list hosts: address, user, jump host, GPUs", "clusters/lab-p100.yml")
    trust = cluster.add(
        "trust",
        "show host key fingerprints, and record new keys if confirmed",
        "clusters/lab-p100.yml",
        "clusters/lab-p100.yml --yes",
    )
    trust.add_argument("--yes", action="store_true", help="record new keys without asking")
    connect = cluster.add(
        "connect",
        "log in once, where ssh asks for a second factor",
        "clusters/lab-p100.yml",
        "clusters/lab-p100.yml --close",
    )
    connect.add_argument("--close", action="store_true", help="end the logins")
    for verb in (show, trust, connect):
        verb.add_argument("file", metavar="FILE", help="cluster file, such as clusters/lab-p100.yml")


def _lab(commands: Commands) -> None:
    """The lab commands."""
    lab = commands.nested("lab", "run a test cluster in containers on this machine")
    up = lab.add("up", "start hosts with sshd and Docker, and write their cluster file", "", "--hosts 3 --name mine")
    up.add_argument("--hosts", metavar="N", type=int, help="number of hosts (default: as many as are up, else 2)")
    down = lab.add("down", "remove a lab: hosts, disks, network, key and cluster file", "")
    for verb in (up, down):
        verb.add_argument("--name", metavar="NAME", default="lab", help="name of the lab (default: lab)")
    lab.add("show", "list labs and their hosts", "")
