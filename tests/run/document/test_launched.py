"""What a launch tells about a run before it starts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from toolkit.manifest.model import Connection, FolderReference, NfsReference
from toolkit.run.document.launched import launched_part, load_launched, save_launched
from toolkit.run.plan.mpirun import mpirun_argv
from toolkit.secrets import parse_secret

from .sample import HOSTS, IMAGE, LISTED, RUN, launched, manifest, plan


def test_it_names_image_code_hosts_and_every_command_line() -> None:
    part = launched()
    assert part["image"] == {
        "reference": IMAGE.reference,
        "id": IMAGE.image_id,
        "lock_sha256": "1" * 64,
        "recipe_sha256": IMAGE.inputs_sha256,
        "inputs": {"lock": "1" * 64, "template": "2" * 64},
        "packages": [
            {"kind": "deb", "name": "libc6", "version": "2.36-9", "sha256": "3" * 64},
            {"kind": "wheel", "name": "tf-keras", "version": "2.18.0", "sha256": "4" * 64},
        ],
    }
    assert [one["path"] for one in part["code"]["files"]] == sorted(one.name for one in LISTED)
    assert [one["name"] for one in part["hosts"]] == list(HOSTS)
    assert part["hosts"][0]["facts"] == {
        "kernel": "6.1",
        "cpus": 8,
        "memory": 64 << 30,
        "engine": "24.0.7",
        "driver": "535.1",
        "gpus": ["Tesla P100-SXM2-16GB"],
        "rdma_adapters": [],
    }
    assert part["commands"][0]["argv"] == mpirun_argv(plan(), plan().steps[0], "10.0.0.0/24")
    assert part["commands"][1]["argv"][-1] == "python transform.py"


def test_it_names_the_run_that_it_reproduces() -> None:
    assert launched()["run"]["reproduces"] == ""
    again = launched_part(manifest(), replace(plan(), reproduces="training-zzzz2345"), ("", ()), {}, {}, "")
    assert again["run"]["reproduces"] == "training-zzzz2345"


def test_no_key_is_in_it() -> None:
    literal = {"access_key_id": parse_secret("AKIALITERAL"), "secret_access_key": parse_secret("do-not-tell")}
    data = manifest().training_data
    connection = Connection("https://ada:swordfish@s3.example.org", **literal)
    text = json.dumps(launched(manifest=manifest(training_data=replace(data, connection=connection))))
    assert not [word for word in ("AKIALITERAL", "do-not-tell", "swordfish") if word in text]
    assert "${env:DATA_ACCESS_KEY_ID}" in text


@pytest.mark.parametrize(
    ("reference", "place"),
    [
        (FolderReference("digits", "/srv/digits"), "folder /srv/digits"),
        (NfsReference("digits", "filer", "/digits"), "export filer:/digits"),
        (replace(manifest().training_data, prefix="team/a"), "bucket mnist-training-data/team/a"),
    ],
)
def test_it_says_where_the_data_is(reference: object, place: str) -> None:
    assert launched(manifest=manifest(training_data=reference))["data"]["place"] == place


def test_it_is_kept_for_the_operator_alone(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    save_launched(tmp_path, RUN, launched())
    (file,) = (tmp_path / "runs").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert load_launched(tmp_path, RUN) == launched()


@pytest.mark.parametrize("content", [None, b"", b"[]", b"{"])
def test_a_run_of_which_nothing_is_kept_has_nothing(tmp_path: Path, content: bytes | None) -> None:
    (tmp_path / "runs").mkdir()
    if content is not None:
        (tmp_path / "runs" / f"{RUN}.launched").write_bytes(content)
    assert load_launched(tmp_path, RUN) == {}
