"""A lab's key, its known_hosts and its cluster file: what is in them, for whom, and that all of it goes again."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives.serialization import load_ssh_private_key, load_ssh_public_key

from toolkit.cluster.reader import read_cluster
from toolkit.errors import ToolkitError
from toolkit.lab import files
from toolkit.lab.files import cluster_file, cluster_text, known_hosts_text, public_key, remove_files, write_files
from toolkit.lab.model import Lab, LabHost, Net, lab_named

NET = Net("172.20.0.0/16", "172.20.0.1")
KEYS = {"toolkit-lab-lab-1": "ssh-ed25519 AAAA1 root@lab-1", "toolkit-lab-lab-2": "ssh-ed25519 AAAA2"}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout whose `clusters/` may be written to."""
    (tmp_path / "assets" / "clusters").mkdir(parents=True)
    monkeypatch.setattr(files, "assets", lambda: tmp_path / "assets")
    return tmp_path


def hosts(lab: Lab) -> list[LabHost]:
    return [LabHost(n, lab.host(n), lab.container(n), True, "i", f"172.20.0.{n + 1}") for n in (1, 2)]


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


def test_the_key_is_its_owners_alone_and_stays_the_same(tmp_path: Path) -> None:
    lab = lab_named("lab", tmp_path)
    line = public_key(lab)
    assert (mode(lab.identity), mode(lab.folder)) == (0o600, 0o700)
    private = load_ssh_private_key(lab.identity.read_bytes(), None)
    assert private.public_key() == load_ssh_public_key(line.encode())
    assert line.startswith("ssh-ed25519 ")
    assert public_key(lab) == line


def test_a_host_is_known_by_its_address_and_by_its_name(tmp_path: Path) -> None:
    assert known_hosts_text(hosts(lab_named("lab", tmp_path)), KEYS) == (
        "172.20.0.2,lab-1 ssh-ed25519 AAAA1\n172.20.0.3,lab-2 ssh-ed25519 AAAA2\n"
    )


def test_the_cluster_file_says_all_that_is_needed_to_get_there(tmp_path: Path) -> None:
    lab = lab_named("lab", tmp_path / "home: with # and 'quotes'")
    assert yaml.safe_load(cluster_text(lab, hosts(lab), NET)) == {
        "name": "lab",
        "engine": "ssh",
        "user": "root",
        "identity": str(lab.identity),
        "known_hosts": str(lab.known_hosts),
        "network": "172.20.0.0/16",
        "operator": "172.20.0.1",
        "container_engine": "docker",
        "scratch": "/var/tmp/toolkit",
        "gpu": "none",
        "hosts": [{"name": "lab-1", "address": "172.20.0.2"}, {"name": "lab-2", "address": "172.20.0.3"}],
    }


def test_the_cluster_file_is_read_as_any_other(place: Path) -> None:
    lab = lab_named("lab", place)
    public_key(lab)
    read = read_cluster(write_files(lab, hosts(lab), KEYS, NET))
    assert (read.name, read.engine, read.gpu) == ("lab", "ssh", "none")
    assert [(host.name, host.address) for host in read.hosts] == [("lab-1", "172.20.0.2"), ("lab-2", "172.20.0.3")]


def test_the_cluster_file_lies_beside_the_others_where_that_may_be_written(place: Path) -> None:
    lab = lab_named("lab", place)
    assert cluster_file(lab) == place / "assets" / "clusters" / "lab.yml"


def test_it_lies_beside_the_key_where_that_folder_cannot_be_written_to(place: Path) -> None:
    lab = lab_named("lab", place)
    (place / "assets" / "clusters").rmdir()  # root may write to any that is there
    assert cluster_file(lab) == lab.folder / "lab.yml"


def test_a_persons_own_cluster_file_is_neither_overwritten_nor_removed(place: Path) -> None:
    own = place / "assets" / "clusters" / "mine.yml"
    own.write_text("name: mine\n")
    lab = lab_named("mine", place)
    with pytest.raises(ToolkitError, match=r"mine.yml exists and was not written by a lab") as caught:
        cluster_file(lab)
    assert caught.value.code.label == "C104"
    assert remove_files(lab) == []
    assert own.read_text() == "name: mine\n"


def test_another_homes_cluster_file_of_the_same_name_stays(place: Path) -> None:
    lab, other = lab_named("lab", place / "a"), lab_named("lab", place / "b")
    public_key(lab)
    file = write_files(lab, hosts(lab), KEYS, NET)
    remove_files(other)
    assert file.is_file()


def test_all_that_was_written_goes_again(place: Path) -> None:
    lab = lab_named("lab", place / "home")
    public_key(lab)
    file = write_files(lab, hosts(lab), KEYS, NET)
    (lab.folder / ".new-half").write_bytes(b"")
    assert set(remove_files(lab)) == {lab.identity, lab.known_hosts, file, lab.folder / ".new-half"}
    assert not (place / "home" / "labs").exists()
    assert list((place / "assets" / "clusters").iterdir()) == []
    assert remove_files(lab) == []


def test_what_a_person_put_beside_the_key_stays(place: Path) -> None:
    lab = lab_named("lab", place / "home")
    public_key(lab)
    (lab.folder / "notes.txt").write_text("mine")
    remove_files(lab)
    assert [file.name for file in lab.folder.iterdir()] == ["notes.txt"]
