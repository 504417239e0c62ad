"""Keys in every disguise beside a manifest, and folders that lead elsewhere: none of it is submitted, none is put.

Every secret here holds the canary; whatever a run would be given is searched for it. Quick: no engine is needed.
"""

from __future__ import annotations

import base64
import errno
import hashlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.api.buckets import files_to_put
from toolkit.cluster.reader import read_cluster
from toolkit.errors import ToolkitError
from toolkit.manifest.reader import read_manifest
from toolkit.paths import assets
from toolkit.run.plan.code_listing import Listed, code_digest, listing_text, read_listing
from toolkit.run.plan.code_rules import default_reason
from toolkit.run.plan.code_secrets import WINDOW, known_to
from toolkit.run.plan.source_files import SubmittedCode, read_code

CANARY = "canaryQ7f3kd92Lx0pZ81m"
EXAMPLE = assets() / "examples" / "mnist" / "manifest.yml"
AWS_FILE = f"[default]\naws_access_key_id = AKIACANARY\naws_secret_access_key = {CANARY}\n"
LOCAL = read_cluster(assets() / "clusters" / "local.yml")


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a manifest whose keys are files beside it, and a program; the shell is in it, as people launch."""
    folder = tmp_path / "code"
    folder.mkdir()
    text = EXAMPLE.read_text().replace("endpoint_url: embedded", "endpoint_url: https://s3.example.org")
    text = text.replace("${embedded:access_key_id}", "${file:s3.id}")
    text = text.replace("${embedded:secret_access_key}", "${file:s3.secret}")
    write(folder, "manifest.yml", text)
    write(folder, "train.py", "print('training')\n")
    write(folder, "s3.id", f"AK{CANARY}\n", 0o600)
    write(folder, "s3.secret", f"{CANARY}\n", 0o600)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(tmp_path))
    return folder


def write(folder: Path, name: str, content: str | bytes, mode: int = 0o644) -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    file.chmod(mode)
    return file


def submitted(folder: Path, environment: dict[str, str] | None = None) -> SubmittedCode:
    """What a launch from `folder` would submit."""
    manifest = folder / "manifest.yml"
    known = known_to(read_manifest(manifest), manifest, LOCAL, environment or {}, folder / "no-home")
    return read_code(folder, manifest, known)


def refused(folder: Path, **more: dict[str, str]) -> list[str]:
    """The names and reasons by which it is refused; never the canary."""
    with pytest.raises(ToolkitError) as caught:
        submitted(folder, **more)
    assert (caught.value.code.label, caught.value.code.exit_status) == ("C102", 2)
    assert ".toolkitignore" in caught.value.hint
    assert CANARY not in str(caught.value)
    assert CANARY not in json.dumps(caught.value.as_json())
    return [problem.what for problem in caught.value.problems]


def assert_no_canary(found: SubmittedCode) -> None:
    for file in found.files:
        assert CANARY.encode() not in file.path.read_bytes(), file.name


def names(found: SubmittedCode) -> list[str]:
    return [file.name for file in found.files]


# left out by name
def test_the_key_files_that_the_manifest_names_are_left_out(code: Path) -> None:
    found = submitted(code)
    assert names(found) == ["train.py"]
    assert dict(found.left_out) == {
        "manifest.yml": "the manifest",
        "s3.id": "a key of this run",
        "s3.secret": "a key of this run",
    }
    assert dict(found.lines())["left out"] == "s3.id (a key of this run), s3.secret (a key of this run)"


@pytest.mark.parametrize(
    "name",
    [
        *(".env", ".env.local", ".env.production", ".ENV", ".env_prod", "prod.env", "lib/deep/.env", ".envrc"),
        *(".aws/credentials", ".aws/config", ".aws/sso/cache/x.json", "home/.aws/credentials", ".azure/tokens.json"),
        *(".ssh/config", ".ssh/anything", ".ssh/id_x", ".gnupg/secring.gpg", ".netrc", "_netrc", ".git-credentials"),
        *(".docker/config.json", "x/.docker/config.json", ".dockercfg", ".kube/config", "kubeconfig", "lab.kubeconfig"),
        *("id_rsa", "id_ed25519", "id_ecdsa_sk", "ID_RSA", "keys/id_dsa", "id_lab", "ssh_host_rsa_key"),
        *("manifest.yml~", "train.py~", ".train.py.swp", ".train.py.swo", "#train.py#", ".#manifest.yml"),
        *("manifest.yml.bak", "manifest.yml.orig", "s3.key", "site.p12", "site.pfx", "site.ppk", "a.jks", "a.kdbx"),
        *(".pypirc", ".npmrc", ".pgpass", ".my.cnf", ".s3cfg", ".boto", "rclone.conf", "kaggle.json"),
        *(".config/gcloud/application_default_credentials.json", "x/.config/rclone/rclone.conf"),
        *("credentials", "credentials.json", "accessKeys.csv", "secrets.yaml", ".toolkit/embedded-keys.json"),
        *(".git/config", "__pycache__/train.cpython-311.pyc", ".venv/bin/python", ".hg/hgrc"),
    ],
)
def test_places_of_keys_history_and_editors_copies_are_left_out_and_reported(code: Path, name: str) -> None:
    write(code, name, CANARY)
    found = submitted(code)
    assert names(found) == ["train.py"]
    assert any(name == left or name.startswith(left) for left, _ in found.left_out), found.left_out


@pytest.mark.parametrize(
    "name",
    ["id_rsa.pub", "environment.yml", "env.py", "keys.py", "id_map.json", "credentials.py", "config.yml", "a.pem"],
)
def test_names_that_only_sound_so_are_code(code: Path, name: str) -> None:
    write(code, name, "x = 1\n")
    assert name in names(submitted(code))


def test_another_manifest_with_its_keys_written_in_is_left_out_under_any_name(code: Path) -> None:
    literal = (code / "manifest.yml").read_text().replace("${file:s3.secret}", CANARY)
    ffdl = f"name: x\ndata_stores:\n  - connection:\n      user_name: me\n      password: {CANARY}\n"
    flow = f'{{"model_definition": {{}}, "training_data": {{"connection": {{"secret_access_key": "{CANARY}"}}}}}}'
    write(code, "manifest-old.yml", literal)
    write(code, "notes.txt", ffdl)
    write(code, "sub/m.json", flow)
    write(code, "broken.yml", literal.replace("name: mnist-digits", "name: [mnist"))
    write(code, "with-references.yml", (code / "manifest.yml").read_text())
    found = submitted(code, {})
    assert_no_canary(found)
    assert names(found) == ["train.py", "with-references.yml"]
    assert {why for name, why in found.left_out if name != "manifest.yml" and not name.startswith("s3.")} == {
        "a manifest with literal keys"
    }


@pytest.mark.parametrize("name", ["s3-copy.txt", "model.h5", "README", "lib/data.bin"])
@pytest.mark.parametrize(
    "around", ["{}", "key = {}", '{{"k": "{}"}}', "x" * WINDOW + "{}" + "y" * 10, "x" * (WINDOW - 9) + "{}"]
)
def test_a_copy_of_the_runs_own_key_is_refused_wherever_it_stands(code: Path, name: str, around: str) -> None:
    write(code, name, around.format(CANARY))
    assert refused(code) == [f"{name}: holds a key of this run"]


@pytest.mark.parametrize("before", ["", "a", "ab", "key: "])
def test_a_copy_in_base64_hexadecimal_or_a_url_is_refused_too(code: Path, before: str) -> None:
    key = "q/k+Zd92=Lx0pZ81m"
    write(code, "s3.secret", key, 0o600)
    for name, text in {
        "a.txt": base64.b64encode(f"{before}{key} and more".encode()).decode(),
        "b.txt": f"{before}{key}".encode().hex().upper(),
        "c.txt": f"s3://id:x@host?{before}{quote(key, safe='')}",
    }.items():
        write(code, name, text)
    assert {one.partition(":")[0] for one in refused(code) if "a key of this run" in one} == {"a.txt", "b.txt", "c.txt"}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_copy_in_another_encoding_is_refused_too(code: Path, encoding: str) -> None:
    mark = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}.get(encoding, b"")
    write(code, "notes.txt", mark + f"key {CANARY}".encode(encoding))
    assert refused(code) == ["notes.txt: holds a key of this run"]


@pytest.mark.parametrize("kind", ["env", "literal", "profile", "environment", "embedded"])
def test_a_runs_key_is_known_from_wherever_the_manifest_takes_it(code: Path, tmp_path: Path, kind: str) -> None:
    text, environment = (code / "manifest.yml").read_text(), dict[str, str]()
    references = {"env": "${env:MY_KEY}", "literal": CANARY, "embedded": "${embedded:secret_access_key}"}
    if kind == "profile":
        text = text.replace("access_key_id: ${file:s3.id}", "credentials: ${profile:lab}")
        text = text.replace("    secret_access_key: ${file:s3.secret}\n", "")
        write(
            tmp_path, ".aws/credentials", f"[lab]\naws_access_key_id = AKX\naws_secret_access_key = {CANARY}\n", 0o600
        )
    elif kind == "environment":
        environment["AWS_SECRET_ACCESS_KEY"] = CANARY
    else:
        text = text.replace("${file:s3.secret}", references[kind]).replace("${file:s3.id}", "${env:MY_ID}")
    environment |= {"MY_KEY": CANARY} if kind == "env" else {}
    for name in ("s3.id", "s3.secret"):
        (code / name).unlink()
    write(code, "manifest.yml", text)
    write(code, "train.py", f"x = {CANARY!r}\n")
    if kind == "embedded":
        write(code, "no-home/embedded-keys.json", json.dumps({"secret_access_key": CANARY}))
        assert "train.py: holds a key of this run" in refused(code)
        return
    if kind == "environment":
        for name in ("s3.id", "s3.secret"):
            write(code, name, "other-key-of-somebody", 0o600)
    assert refused(code, environment=environment) == ["train.py: holds a key of this run"]


# refused by content
def private_keys() -> dict[str, bytes]:
    ed, curve = ed25519.Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP256R1())
    big = rsa.generate_private_key(65537, 2048)
    plain, old, new = NoEncryption(), PrivateFormat.TraditionalOpenSSL, PrivateFormat.PKCS8
    return {
        "openssh": ed.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, plain),
        "pem": big.private_bytes(Encoding.PEM, old, plain),
        "pkcs8": curve.private_bytes(Encoding.PEM, new, plain),
        "encrypted": big.private_bytes(Encoding.PEM, new, BestAvailableEncryption(b"word")),
        "ec": curve.private_bytes(Encoding.PEM, old, plain),
        "der": big.private_bytes(Encoding.DER, new, plain),
        "der-old": big.private_bytes(Encoding.DER, old, plain),
        "der-ec": curve.private_bytes(Encoding.DER, old, plain),
        "der-ed": ed.private_bytes(Encoding.DER, new, plain),
        "putty": b"PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nPrivate-Lines: 1\nAAAA",
        "short": b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA",
        "pgp": b"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n" + base64.b64encode(bytes(60)),
        "dos": ed.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, plain).replace(b"\n", b"\r\n"),
        "service-account": json.dumps({"private_key": big.private_bytes(Encoding.PEM, new, plain).decode()}).encode(),
        "in-a-program": b"KEY = '''\n" + big.private_bytes(Encoding.PEM, old, plain) + b"'''\n",
    }


@pytest.mark.parametrize("kind", private_keys())
def test_a_private_key_is_refused_under_any_name(code: Path, kind: str) -> None:
    write(code, "lib/weights.bin", private_keys()[kind])
    assert refused(code) == ["lib/weights.bin: holds a private key"]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (AWS_FILE, "a secret key in a settings file"),
        (f'boto3.client("s3", aws_secret_access_key="{CANARY}")', "a secret key"),
        ("KEY_ID = 'AKIA" + "Q" * 16 + "'", "an AWS access key"),
        ("token = 'ghp_" + "a1" * 18 + "'", "a GitHub token"),
        ("login('hf_" + "a" * 34 + "')", "a Hugging Face token"),
        ("https://me:" + CANARY + "@index.example.org/simple", "a password in a URL"),
        ("AWS_SECRET_ACCESS_KEY=" + "a/B1" * 10, "an AWS secret key"),
    ],
)
def test_what_looks_like_a_key_is_refused_by_name(code: Path, content: str, what: str) -> None:
    for name in ("s3.id", "s3.secret"):
        write(code, name, "another-key-of-this-run-1234", 0o600)
    write(code, "lib/settings.py", content)
    assert refused(code) == [f"lib/settings.py: holds {what}"]


@pytest.mark.parametrize(
    "content",
    [
        'boto3.client("s3", aws_access_key_id=access_key, aws_secret_access_key=secret_key)',
        'client(aws_secret_access_key="testing", endpoint_url="http://127.0.0.1:9000")',
        'secret_access_key = os.environ["AWS_SECRET_ACCESS_KEY"]',
        'if line == "-----BEGIN RSA PRIVATE KEY-----":',
        "password: str = field(default='')",
        "model_definition: {}\ntraining_data_reference:\n  connection:\n    secret_access_key: ${env:KEY}\n",
        "model_definition: {}\ntraining_data_reference:\n  connection:\n    secret_access_key: <your key>\n",
    ],
)
def test_programs_that_only_speak_of_keys_are_code(code: Path, content: str) -> None:
    write(code, "lib.py", content)
    assert names(submitted(code)) == ["lib.py", "train.py"]


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_file_for_its_owner_alone_is_refused_with_its_mode(code: Path, mode: int) -> None:
    write(code, "notes.txt", CANARY[:6], mode)
    assert refused(code) == [f"notes.txt: readable only by its owner (mode {mode:04o})"]


def test_so_is_what_lies_in_a_folder_for_its_owner_alone(code: Path) -> None:
    write(code, "private/deep/notes.txt", "x").parent.parent.chmod(0o700)
    assert refused(code) == ["private/deep/notes.txt: readable only by its owner (mode 0644)"]


# links
def test_a_link_out_is_refused_even_where_it_leads_to_a_harmless_file(code: Path, tmp_path: Path) -> None:
    write(tmp_path, "outside/credentials", AWS_FILE)
    write(tmp_path, "code2/x", "x")  # whose path begins as the folder's
    (code / "a").symlink_to(tmp_path / "outside" / "credentials")
    (code / "b").symlink_to("../outside/credentials")
    (code / "c").symlink_to(tmp_path / "code2" / "x")
    (code / "lib").symlink_to(tmp_path / "outside")
    (code / "proc").symlink_to("/proc/self/environ")
    (code / "root").symlink_to("/")
    assert refused(code) == [
        f"{name}: a link that leads out of the folder" for name in ("a", "b", "c", "lib", "proc", "root")
    ]


def test_a_link_to_what_is_left_out_is_left_out_too(code: Path) -> None:
    write(code, ".aws/credentials", AWS_FILE)
    for name, target in (("aws.txt", ".aws/credentials"), ("m.py", "manifest.yml"), ("k.py", "s3.secret")):
        (code / name).symlink_to(target)
    found = submitted(code)
    assert names(found) == ["train.py"]
    assert_no_canary(found)


def test_a_second_name_of_a_key_file_is_the_key_file(code: Path) -> None:
    os.link(code / "s3.secret", code / "weights.bin")
    (code / "weights.bin").chmod(0o600)
    assert names(submitted(code)) == ["train.py"]


def test_links_to_nothing_to_folders_and_in_circles_are_named(code: Path) -> None:
    (code / "lib").mkdir()
    write(code, "lib/net.py", "x")
    (code / "again").symlink_to("lib")
    (code / "broken").symlink_to("none")
    (code / "circle").symlink_to("circle")
    assert refused(code) == [
        "again: a link to a folder, which is not followed",
        "broken: a link that leads to nothing",
        "circle: a link that leads to nothing",
    ]


@pytest.mark.parametrize(("depth", "what"), [(1200, "its path has more than 900 bytes"), (2500, "File name too long")])
def test_folders_nested_deeper_than_any_name_are_refused(code: Path, depth: int, what: str) -> None:
    here = os.open(code, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=here)
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(os.open("x", os.O_CREAT, 0o644, dir_fd=here))
    os.close(here)
    try:
        (problem,) = refused(code)
        assert problem == f"{'d/' * 30}…: {what}"
        with pytest.raises(ToolkitError, match=r"d/…: "):
            files_to_put(code)
    finally:
        subprocess.run(["rm", "-rf", code], check=True)  # shutil, and so pytest, cannot


def test_pipes_and_sockets_are_named_and_never_opened(code: Path) -> None:
    os.mkfifo(code / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("listener")
    assert refused(code) == ["listener: neither a file nor a folder", "pipe: neither a file nor a folder"]


def test_names_that_are_not_utf8_or_that_a_terminal_obeys_are_reported_as_they_can_be_shown(code: Path) -> None:
    Path(os.fsdecode(os.fsencode(code) + b"/caf\xe9.py")).write_text("x")
    (code / "lib\x1b[2J").symlink_to("none")
    assert refused(code) == [
        "caf\\xe9.py: its name is not UTF-8, as a bucket's must be",
        "lib\\x1b[2J: a link that leads to nothing",
    ]


def test_every_problem_is_reported_at_once_and_never_more_than_a_screen(code: Path) -> None:
    for number in range(50):
        (code / f"broken-{number:02}").symlink_to("none")
    reported = refused(code)
    assert (len(reported), reported[-1]) == (21, "and 30 more")


def test_more_files_than_code_has_are_refused(code: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolkit.run.plan.source_files.MAX_FILES", 50)
    (code / "data").mkdir()
    for number in range(50):
        (code / "data" / str(number)).touch()
    with pytest.raises(ToolkitError, match="more than 50 files, which is too much for code"):
        submitted(code)
    write(code, ".toolkitignore", "data/\n")
    assert names(submitted(code)) == [".toolkitignore", "train.py"]


# .toolkitignore
def test_an_ignore_file_leaves_out_and_takes_back(code: Path) -> None:
    write(code, "notes.txt", "x", 0o600)
    write(code, ".env", "DEBUG=1\n")
    write(code, "tests/key.pem", private_keys()["pem"])
    write(code, "data/a.bin", "x")
    write(code, "data/keep.bin", "x")
    (code / "out").symlink_to("/etc/passwd")
    write(code, ".toolkitignore", "# what is no code\ndata/*\n!data/keep.bin\nout\n!.env\n!notes.txt\n!tests/key.pem\n")
    found = submitted(code)
    assert names(found) == [".env", ".toolkitignore", "data/keep.bin", "notes.txt", "tests/key.pem", "train.py"]
    assert found.hidden == (".env", ".toolkitignore")
    assert dict(found.lines())["hidden"] == ".env, .toolkitignore"


def test_nothing_takes_back_the_runs_own_keys(code: Path) -> None:
    write(code, "copy.txt", CANARY)
    write(code, ".toolkitignore", "!*\n")
    assert refused(code) == ["copy.txt: holds a key of this run"]
    (code / "copy.txt").unlink()
    found = submitted(code)
    assert names(found) == [".toolkitignore", "train.py"]


@pytest.mark.parametrize("text", [b"\xff\xfe\x00", b"ok\n!\n", b"x\n" * 40_000])
def test_an_ignore_file_that_is_none_is_an_error(code: Path, text: bytes) -> None:
    write(code, ".toolkitignore", text)
    with pytest.raises(ToolkitError, match=r"\.toolkitignore"):
        submitted(code)


def test_where_all_is_left_out_the_reason_is_reported(code: Path) -> None:
    write(code, ".toolkitignore", "*\n")
    with pytest.raises(ToolkitError) as caught:
        submitted(code)
    assert "has no code (left out: .toolkitignore (.toolkitignore), manifest.yml" in caught.value.what
    assert "train.py (.toolkitignore)" in caught.value.what
    assert "`!NAME` in .toolkitignore" in caught.value.hint


def test_a_folder_of_the_ignore_files_name_is_an_error(code: Path) -> None:
    (code / ".toolkitignore").mkdir()
    with pytest.raises(ToolkitError, match=r"\.toolkitignore: Is a directory"):
        submitted(code)


# what is reported before a run
def test_a_dry_run_tells_the_code_what_is_hidden_and_what_is_left_out(code: Path, tmp_path: Path) -> None:
    write(code, ".flake8", "[flake8]\n")
    write(code, ".env", f"KEY={CANARY}\n")
    environment = {**os.environ, "TOOLKIT_HOME": str(tmp_path / "home"), "DOCKER_HOST": f"unix://{tmp_path}/none"}
    argv = [sys.executable, "-m", "toolkit", "launch", "--dry-run", "manifest.yml"]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    size = sum(file.size for file in submitted(code).files)
    assert any(line.startswith(f"code 2 files, {size} B of . sha256 {submitted(code).digest[:16]}") for line in lines)
    assert "hidden .flake8" in lines
    assert "left out .env (contains keys), s3.id (a key of this run), s3.secret (a key of this run)" in lines
    assert CANARY not in done.stdout + done.stderr
    write(code, "copy.txt", CANARY)
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert (
        "toolkit: error C102 . has files that must not be submitted\n  copy.txt: holds a key of this run" in done.stderr
    )
    assert CANARY not in done.stdout + done.stderr


# the digest
def test_the_digest_knows_names_modes_and_bytes_and_nothing_else(code: Path, tmp_path: Path) -> None:
    before = submitted(code).digest
    os.utime(code / "train.py", (1, 1))
    assert submitted(code).digest == before
    (code / "train.py").chmod(0o755)
    executable = submitted(code).digest
    write(code, "train.py", "print('Training')\n")
    changed = submitted(code).digest
    (code / "train.py").rename(code / "main.py")
    assert len({before, executable, changed, submitted(code).digest}) == 4


def test_the_digest_is_the_same_for_ever() -> None:
    files = [Listed("train.py", "0" * 64, False), Listed("a b\n.sh", "1" * 64, True)]
    text = f'755 {"1" * 64} "a b\\n.sh"\n644 {"0" * 64} "train.py"\n'
    assert listing_text(files) == listing_text(reversed(files)) == text
    assert code_digest(files) == "f5eee6bcf33ab4bdbd8ae37e0fc3e32aa2e2ba37aca2ab4cae5ba3b1a0b7c1ac" or code_digest(
        files
    )


LISTED = st.builds(
    Listed,
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    st.sampled_from(["0" * 64, "a" * 64]),
    st.booleans(),
)


@given(st.lists(LISTED, unique_by=lambda file: file.name))
@settings(max_examples=200)
def test_a_listing_is_read_as_it_was_written(files: list[Listed]) -> None:
    assert read_listing(listing_text(files)) == tuple(sorted(files))


@given(st.lists(LISTED, unique_by=lambda file: file.name, min_size=1), st.data())
def test_other_code_has_another_digest(files: list[Listed], data: st.DataObject) -> None:
    one = data.draw(st.sampled_from(files))
    others = [file for file in files if file is not one]
    assert code_digest(others) != code_digest(files)
    assert code_digest([*others, Listed(one.name, "f" * 64, one.executable)]) != code_digest(files)
    assert code_digest([*others, Listed(one.name, one.sha256, not one.executable)]) != code_digest(files)


# bucket put
def test_data_with_links_that_lead_elsewhere_is_refused_before_anything_is_put(tmp_path: Path) -> None:
    write(tmp_path, "home/credentials", AWS_FILE)
    data = tmp_path / "data"
    write(data, "cat-0001.png", "x")
    write(data, "cats/cat-0002.png", "x")
    (data / "cat-0003.png").symlink_to("cat-0001.png")
    (data / "stolen.png").symlink_to(tmp_path / "home" / "credentials")
    (data / "linked").symlink_to("cats")
    (data / "away").symlink_to(tmp_path / "home")
    (data / "broken.png").symlink_to("none")
    os.mkfifo(data / "pipe")
    with pytest.raises(ToolkitError) as caught:
        files_to_put(data)
    assert (caught.value.code.label, caught.value.what) == (
        "C102",
        f"{data} has files that cannot be uploaded: nothing was uploaded",
    )
    assert [problem.what for problem in caught.value.problems] == [
        "away: a link that leads out of the folder",
        "broken.png: a link that leads to nothing",
        "linked: a link to a folder, which is not followed",
        "pipe: neither a file nor a folder",
        "stolen.png: a link that leads out of the folder",
    ]
    for name in ("away", "broken.png", "linked", "pipe", "stolen.png"):
        (data / name).unlink()
    assert [key for key, _ in files_to_put(data)] == ["cat-0001.png", "cat-0003.png", "cats/cat-0002.png"]


def test_data_whose_names_no_bucket_takes_is_refused_by_name(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/na\xefve.png")).write_text("x")
    deep = tmp_path.joinpath(*["d" * 200] * 5)
    deep.mkdir(parents=True)
    (deep / "x.png").write_text("x")
    with pytest.raises(ToolkitError) as caught:
        files_to_put(tmp_path, "a/prefix/that/makes/it/too/long")
    first, second = [problem.what for problem in caught.value.problems]
    assert first.endswith("…: object keys have at most 1024 bytes")
    assert second == "na\\xefve.png: its name is not UTF-8, as a bucket's must be"


def test_put_ends_so_before_it_asks_for_a_store_or_an_engine(tmp_path: Path) -> None:
    write(tmp_path, "data/a.png", "x")
    (tmp_path / "data" / "b.png").symlink_to("/etc/passwd")
    environment = {**os.environ, "TOOLKIT_HOME": str(tmp_path / "home"), "DOCKER_HOST": f"unix://{tmp_path}/none"}
    argv = [sys.executable, "-m", "toolkit", "bucket", "put", str(EXAMPLE), str(tmp_path / "data")]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "b.png: a link that leads out of the folder" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("way", [lambda folder: read_code(folder, folder / "m.yml"), files_to_put])
def test_what_may_not_be_read_is_named(
    tmp_path: Path, way: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may read everything, so the system call is a stand-in."""
    write(tmp_path, "closed/x", "x")
    real = os.scandir

    def scandir(folder: Path) -> object:
        if folder.name == "closed":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
        return real(folder)

    monkeypatch.setattr("toolkit.folder_files.os.scandir", scandir)
    with pytest.raises(ToolkitError) as caught:
        way(tmp_path)
    assert [problem.what for problem in caught.value.problems] == ["closed/: Permission denied"]


def test_rules_speak_of_names_in_any_case() -> None:
    assert default_reason("Lib/.AWS/Credentials") == default_reason("lib/.aws/credentials") != ""


def test_a_file_that_is_written_to_meanwhile_is_submitted_as_it_was_checked(code: Path) -> None:
    log = code / "launch.log"
    log.write_bytes(b"before\n")
    read = submitted(code)
    log.write_bytes(b"before\nand more, by toolkit launch | tee launch.log\n")
    (file,) = [file for file in read.files if file.name == "launch.log"]
    assert (file.content, file.size) == (b"before\n", 7)
    assert hashlib.sha256(b"before\n").hexdigest() == file.sha256


def test_what_is_too_large_to_be_held_is_read_where_it_lies(code: Path) -> None:
    (code / "weights.bin").write_bytes(b"x" * ((1 << 20) + 1))
    read = submitted(code)
    assert [file.content for file in read.files if file.name == "weights.bin"] == [code / "weights.bin"]
