"""A lab's files on this machine: its key, its known_hosts, and the cluster file that leads to it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_private_key

from toolkit.atomic_file import write_whole
from toolkit.errors import Code, ToolkitError
from toolkit.lab.model import Lab, LabHost, Net
from toolkit.paths import assets, private_folder
from toolkit.run.plan.ssh_keys import new_key_pair

SCRATCH = "/var/tmp/toolkit"  # noqa: S108  a folder of the hosts, where each run has its own
_MARK = "# Hosts of `toolkit lab up`; `toolkit lab down` removes this file."


def public_key(lab: Lab) -> str:
    """The public key for the lab's hosts, as a line; created on first use, private to its owner."""
    private_folder(lab.folder)
    if not lab.identity.is_file():
        write_whole(lab.identity, new_key_pair().private.reveal().encode(), mode=0o600)
    key = load_ssh_private_key(lab.identity.read_bytes(), None).public_key()
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def known_hosts_text(hosts: Sequence[LabHost], keys: Mapping[str, str]) -> str:
    """One line for each host, with its address and its name. `keys` are by container."""
    lines = []
    for host in hosts:
        kind, key = keys[host.container].split()[:2]
        lines.append(f"{host.address},{host.name} {kind} {key}\n")
    return "".join(lines)


def cluster_text(lab: Lab, hosts: Sequence[LabHost], net: Net) -> str:
    """The cluster file. Paths are quoted as in JSON, which is also YAML."""
    lines = [
        _MARK,
        f"name: {lab.name}",
        "engine: ssh",
        "user: root",
        f"identity: {_quoted(lab.identity)}",
        f"known_hosts: {_quoted(lab.known_hosts)}",
        f"network: {net.cidr} # what MPI uses: the lab's bridge",
        f"operator: {net.operator} # the address under which the hosts reach this machine",
        "container_engine: docker",
        f"scratch: {SCRATCH}",
        "gpu: none",
        "hosts:",
        *(f"  - {{name: {host.name}, address: {host.address}}}" for host in hosts),
    ]
    return "\n".join(lines) + "\n"


def cluster_file(lab: Lab) -> Path:
    """Where the cluster file goes: to the others if their folder is writable for this user, else beside the key.

    Raises `ToolkitError` (C104) if a file of that name exists that no lab wrote.
    """
    file = next(file for file in _places(lab) if file.parent == lab.folder or os.access(file.parent, os.W_OK))
    if file.exists() and not file.read_text("utf-8", "replace").startswith(_MARK):
        raise ToolkitError(
            Code.RESOURCES_ASKED,
            f"{file} exists and was not written by a lab",
            hint="choose another name: toolkit lab up --name NAME",
        )
    return file


def write_files(lab: Lab, hosts: Sequence[LabHost], keys: Mapping[str, str], net: Net) -> Path:
    """Write known_hosts and the cluster file; returns the latter's path."""
    file = cluster_file(lab)
    write_whole(lab.known_hosts, known_hosts_text(hosts, keys).encode(), mode=0o600)
    write_whole(file, cluster_text(lab, hosts, net).encode())
    return file


def remove_files(lab: Lab) -> list[Path]:
    """Remove the files written for `lab`, by name, and then empty folders; returns what was removed."""
    gone = [file for file in (lab.identity, lab.known_hosts) if file.exists()]
    gone += lab.folder.glob(".new-*")  # half-written files, left by a kill
    gone += [file for file in _places(lab) if file.is_file() and _leads_to(file, lab)]
    for file in gone:
        file.unlink(missing_ok=True)
    for folder in (lab.folder, lab.folder.parent):
        with suppress(OSError):  # it never existed, or holds another lab's files
            folder.rmdir()
    return gone


def _leads_to(file: Path, lab: Lab) -> bool:
    text = file.read_text("utf-8", "replace")
    return text.startswith(_MARK) and f"\nidentity: {_quoted(lab.identity)}\n" in text


def _places(lab: Lab) -> Iterator[Path]:
    yield assets() / "clusters" / f"{lab.name}.yml"
    yield lab.folder / f"{lab.name}.yml"


def _quoted(path: Path) -> str:
    return json.dumps(str(path))
