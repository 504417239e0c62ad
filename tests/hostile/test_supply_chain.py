"""A poisoned pool, another rclone, and what the code of others sees of the operator: one test for each kind.

Quick: no engine is needed. The builders' own part, an engine that breaks off, is in tests/real/test_build_real.py.
"""

from __future__ import annotations

import ast
import hashlib
import os
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from toolkit.catalogue.model import Archive, DistributionBase, Program, Recipe, Suite, Tree
from toolkit.catalogue.reader import ENVIRONMENT_TEMPLATE
from toolkit.catalogue.suites import read_suites
from toolkit.child_environment import child_environment
from toolkit.errors import Code, ToolkitError
from toolkit.fetch.debs import fetch_debs
from toolkit.hosts.local import LocalShell
from toolkit.image.base import local_archive, mmdebstrap_argv, without_network
from toolkit.image.dry_run import render
from toolkit.image.stages import Stage, stages_of
from toolkit.image.tool_images import buckets_recipe, locate
from toolkit.image.version import Inputs, read_inputs, refuse_other_programs
from toolkit.lock.model import DebPin, Lock, WheelPin
from toolkit.lock.pool import Pool
from toolkit.paths import assets
from toolkit.process import converse, feed, run, stream
from toolkit.progress import Progress
from toolkit.tar.write import Entry, tar_stream

CANARY = "canary-4f1c9e"
GOOD, POISON = b"pip that compares hashes\n" * 100, b"pip that compares nothing\n" * 100
PIP = WheelPin("pip", "26.3", "pip-26.3-py3-none-any.whl", hashlib.sha256(GOOD).hexdigest(), len(GOOD))
DEB = DebPin("one", "1", "all", "debian", "pool/one_1_all.deb", hashlib.sha256(GOOD).hexdigest(), len(GOOD))
LOCK = Lock("a" * 64, "b" * 64, (DEB,), (PIP,))


@pytest.fixture
def pool(tmp_path: Path) -> Pool:
    """A pool with both files in it."""
    filled = Pool(tmp_path / "pool")
    (tmp_path / "good").write_bytes(GOOD)
    for pin in (PIP, DEB):
        filled.add(tmp_path / "good", pin)
    return filled


@pytest.fixture
def stage(tmp_path: Path, pool: Pool) -> Stage:
    """The stage whose builder runs pip's wheel."""
    template = assets() / "templates" / ENVIRONMENT_TEMPLATE
    (tmp_path / "x.lock").write_text("x")
    base = DistributionBase(read_suites(assets() / "images")["bookworm"], ("python3",), "apt")
    learner = assets() / "templates" / "learner.Dockerfile.j2"
    recipe = Recipe("name", "title", base, learner, tmp_path / "x.lock", (), "facts", python="3.11")
    texts = {file.name: file.read_text() for file in (template, learner)}
    return stages_of(recipe, Inputs("name", ()), LOCK, texts, pool)[0]


def poison(pool: Pool, pin: WheelPin | DebPin) -> None:
    """Other bytes of the same length, under the same name."""
    pool.path(pin).chmod(0o644)
    pool.path(pin).write_bytes(POISON[: len(GOOD)].ljust(len(GOOD)))


# a poisoned pool
def test_a_builder_never_gets_pips_wheel_whole_where_it_is_not_the_locks(stage: Stage, pool: Pool) -> None:
    poison(pool, PIP)
    sent = bytearray()
    with pytest.raises(ToolkitError, match="has changed since it was checked"):
        for piece in tar_stream(stage.entries()):
            sent += piece
    read, write = os.pipe()
    with os.fdopen(write, "wb") as end:
        end.write(sent)
    with (
        os.fdopen(read, "rb") as start,
        pytest.raises(tarfile.ReadError),
        tarfile.open(fileobj=start, mode="r|") as tar,
    ):
        for member in tar:
            if (file := tar.extractfile(member)) and member.name.endswith(".whl"):
                assert file.read() != pool.path(PIP).read_bytes()


def test_an_undamaged_wheel_arrives_as_it_is(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "context.tar").write_bytes(b"".join(tar_stream(stage.entries())))
    with tarfile.open(tmp_path / "context.tar") as tar:
        file = tar.extractfile(f"wheels/{PIP.file}")
        assert file is not None
        assert file.read() == GOOD


@pytest.mark.parametrize("size", [0, 1, 1 << 20, (1 << 20) + 1, 3 << 20])
def test_files_of_any_size_are_compared_and_broken_off(tmp_path: Path, size: int) -> None:
    file = tmp_path / "file"
    file.write_bytes(bytes(size))
    right, wrong = hashlib.sha256(bytes(size)).hexdigest(), hashlib.sha256(b"other").hexdigest()
    whole = b"".join(tar_stream([Entry("file", file, sha256=right)]))
    assert whole == b"".join(tar_stream([Entry("file", file)]))
    sent = b""
    with pytest.raises(ToolkitError):
        for piece in tar_stream([Entry("file", file, sha256=wrong)]):
            sent += piece
    assert len(sent) < max(size, 1) + tarfile.BLOCKSIZE


def test_a_builder_that_was_sent_half_a_context_is_killed_before_its_input_ends(tmp_path: Path) -> None:
    """It would take the end of its input for the end of the context."""
    ended = tmp_path / "ended"

    def pieces() -> Iterator[bytes]:
        yield b"x" * (1 << 20)
        raise ToolkitError(Code.IMAGE, "damaged")

    with pytest.raises(ToolkitError):
        converse(["sh", "-c", f"cat >/dev/null; echo used > {ended}"], pieces(), str)
    assert not ended.exists()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Suite]:
    """A suite whose archive has the right package."""
    (tmp_path / "archive" / "pool").mkdir(parents=True)
    (tmp_path / "archive" / DEB.path).write_bytes(GOOD)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "archive"))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        yield replace(
            read_suites(assets() / "images")["bookworm"],
            archives=(Archive("debian", url, ("bookworm",), ("main",)),),
        )
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("damage", ["poisoned", "empty", "cut off", "unreadable link"])
def test_a_damaged_file_is_dropped_fetched_again_and_reported_in_one_line(
    archive: Suite, pool: Pool, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    file, reported = pool.path(DEB), list[Progress]()
    if damage == "unreadable link":
        file.unlink()
        file.symlink_to("/proc/self/mem")
    else:
        file.write_bytes({"poisoned": POISON, "empty": b"", "cut off": GOOD[:-1]}[damage])
    fetch_debs([DEB], archive, pool, reported.append)
    assert pool.path(DEB).read_bytes() == GOOD
    assert [state.note for state in reported if state.note] == [
        "one_1_all.deb was damaged in the pool: dropped and fetched again"
    ]


def test_mmdebstrap_gets_copies_whose_hashes_were_compared(pool: Pool) -> None:
    poison(pool, DEB)
    with pytest.raises(ToolkitError, match="does not match the lock and was dropped"), local_archive((DEB,), pool):
        pytest.fail("a poisoned package was handed out")
    assert pool.missing([DEB]) == [DEB]


def test_what_is_written_to_a_handed_out_file_never_reaches_the_pool(pool: Pool, tmp_path: Path, stage: Stage) -> None:
    pool.copy([DEB], tmp_path)
    (tmp_path / DEB.file).write_bytes(b"changed by a package's script")
    base = DistributionBase(read_suites(assets() / "images")["bookworm"], ("python3",), "apt")
    recipe = Recipe("name", "title", base, Path("t"), tmp_path / "x.lock", (), "facts", python="3.11")
    rendered = render(recipe, LOCK, [stage], tmp_path / "rendered")
    assert [one.missing for one in rendered] == [(), ()]
    copy = next((tmp_path / "rendered").rglob(PIP.file))
    copy.write_bytes(b"changed in the folder of a dry run")
    assert pool.lacking([PIP, DEB]) == []


def test_a_dry_run_does_not_show_a_poisoned_file_as_what_a_build_would_use(
    pool: Pool, tmp_path: Path, stage: Stage
) -> None:
    poison(pool, PIP)
    base = DistributionBase(read_suites(assets() / "images")["bookworm"], ("python3",), "apt")
    recipe = Recipe("name", "title", base, Path("t"), tmp_path / "x.lock", (), "facts", python="3.11")
    *_, rendered = render(recipe, LOCK, [stage], tmp_path / "rendered")
    assert rendered.missing == (f"wheels/{PIP.file}",)


# rclone
def test_rclone_is_the_one_that_the_catalogue_pins_and_no_other_of_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rclone").write_text("#!/bin/sh\ncat /run/private/rclone.conf\n")
    (tmp_path / "rclone").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    (tree,) = [tree for tree in buckets_recipe().trees if tree.target == "/usr/bin/rclone"]
    assert tree.release == "rclone 1.75.2 linux/amd64"
    assert hashlib.sha256(tree.source.read_bytes()).hexdigest() == tree.sha256
    assert "rclone v1.75.2\n" in run([str(tree.source), "version"]).output


def test_another_rclone_in_this_environment_is_refused_by_name(tmp_path: Path) -> None:
    recipe = buckets_recipe()
    (tmp_path / "rclone").write_bytes(b"another")
    other = [replace(tree, source=tmp_path / "rclone") if tree.release else tree for tree in recipe.trees]
    with pytest.raises(ToolkitError, match=r"/rclone is not rclone 1.75.2 linux/amd64: it was not used") as caught:
        refuse_other_programs(replace(recipe, trees=tuple(other)))
    assert "--require-hashes" in caught.value.hint


def test_a_pinned_program_counts_by_its_pin_in_an_images_version(tmp_path: Path) -> None:
    recipe = buckets_recipe()
    (tmp_path / "rclone").write_bytes(b"another")
    (tmp_path / "rclone").chmod(0o755)
    other = [replace(tree, source=tmp_path / "rclone") if tree.release else tree for tree in recipe.trees]
    inputs = read_inputs(replace(recipe, trees=tuple(other)))
    (pin,) = [tree.sha256 for tree in recipe.trees if tree.release]
    assert (("/usr/bin/rclone*", pin) in inputs.digests, inputs) == (True, read_inputs(recipe))


def test_a_program_whose_package_is_not_installed_is_not_looked_for_elsewhere() -> None:
    program = Program("no-such-package", "sh", "sh 1", "0" * 64, "/usr/bin/sh")
    with pytest.raises(ToolkitError, match="this environment has no package no-such-package with sh"):
        locate(program)


def test_a_pinned_binary_is_compared_once_more_on_its_way_into_the_image(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"swapped after its hash was taken")
    (tmp_path / "x.lock").write_text("x")
    base = DistributionBase(read_suites(assets() / "images")["bookworm"], ("python3",), "apt")
    template = assets() / "templates" / "buckets.Dockerfile.j2"
    trees = (Tree(tmp_path / "binary", "/usr/bin/binary", "0" * 64, "binary 1"),)
    recipe = Recipe("name", "title", base, template, tmp_path / "x.lock", trees, "facts")
    (stage,) = stages_of(
        recipe, Inputs("name", ()), Lock("a", "b", (), ()), {template.name: template.read_text()}, None
    )  # type: ignore[arg-type]
    with pytest.raises(ToolkitError, match="has changed since it was checked"):
        list(tar_stream(stage.entries()))


# what the code of others sees
SECRETS = (
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "GITHUB_TOKEN", "CI_JOB_TOKEN", "HF_TOKEN"),
    *("TOOLKIT_MIRROR_DEBIAN", "S3_KEY", "PGPASSWORD", "SSH_PRIVATE_KEY", "MY_PASSWORD"),
)


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator who has keys in the environment, as CI and `aws` have them."""
    for name in SECRETS:
        monkeypatch.setenv(name, CANARY)


def by_run(argv: list[str]) -> str:
    return run(argv).output


def by_stream(argv: list[str]) -> str:
    lines: list[str] = []
    stream(argv, lines.append)
    return "\n".join(lines)


def by_feed(argv: list[str]) -> str:
    return feed(argv, [b""]).output


def by_shell(argv: list[str]) -> str:
    return LocalShell().feed(argv, []).output


def by_converse(argv: list[str]) -> str:
    lines: list[str] = []
    assert converse(argv, iter([b""]), lines.append) == 0
    return "\n".join(lines)


@pytest.mark.parametrize("way", [by_run, by_stream, by_feed, by_shell, by_converse])
@pytest.mark.parametrize("program", ["mmdebstrap", "docker", "uv", "dpkg-deb", "apptainer", "sh", "anything"])
def test_no_program_sees_the_operators_keys(
    secrets: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: Callable[[list[str]], str], program: str
) -> None:
    (tmp_path / program).write_text("#!/bin/sh\nenv\n")
    (tmp_path / program).chmod(0o755)
    seen = way([str(tmp_path / program)])
    assert f"PATH={os.environ['PATH']}" in seen
    assert CANARY not in seen


def test_pip_sees_its_own_settings_and_no_key(secrets: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    seen = child_environment("pip")
    assert seen["PIP_CONFIG_FILE"] == "/dev/null"
    assert CANARY not in seen.values()
    assert "PIP_CONFIG_FILE" not in child_environment("mmdebstrap")
    assert "PYTHONPATH" not in seen  # else whoever sets it runs his own code in every pip


def test_a_proxy_reaches_who_talks_to_a_network_and_nobody_else() -> None:
    given = {"https_proxy": "http://proxy", "SSL_CERT_FILE": "/x", "PATH": "/bin", "UV_INDEX_URL": "u"}
    assert set(child_environment("uv", given)) == set(given)
    assert set(child_environment("docker", given)) == {"https_proxy", "SSL_CERT_FILE", "PATH"}
    assert set(child_environment("", given)) == {"PATH"}


def test_ssh_sees_what_an_ssh_config_may_name_and_no_secret() -> None:
    kept = {
        "SSH_AUTH_SOCK": "/a",
        "HOME": "/h",
        "LAB_KEY": "/k",
        "ON_SITE": "1",
        "XDG_RUNTIME_DIR": "/r",
        "LC_ALL": "C",
    }
    names = ("AWS_ACCESS_KEY_ID", "aws_secret_access_key", "CI_TOKEN", "DB_PASSWORD", "PASSWD", "MY_API_KEY", "APIKEY")
    names = (*names, "STORE_SECRET", "GPG_PASSPHRASE", "GOOGLE_APPLICATION_CREDENTIALS", "SIGNING_PRIVATE_KEY")
    assert child_environment("ssh", {**kept, **dict.fromkeys(names, CANARY)}) == kept


_STARTERS = {"Popen", "run", "call", "check_call", "check_output", "system", "popen", "execvp", "execv", "spawnv"}


def test_every_place_that_starts_a_process_says_what_it_sees() -> None:
    """But for `build --all`, whose processes are the tool itself; what runs in containers has their environment."""
    unsaid = []
    for file in sorted((assets() / "toolkit").rglob("*.py")):
        name = str(file.relative_to(assets()))
        if (
            {"inside", "in_container"} & set(file.parts)
            or name.startswith("toolkit/agent/")
            or name == "toolkit/image/matrix.py"
        ):
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _STARTERS:
                owner = node.func.value
                if isinstance(owner, ast.Name) and owner.id in ("subprocess", "os"):
                    given = {keyword.arg for keyword in node.keywords}
                    unsaid += [f"{name}:{node.lineno}"] * ("env" not in given)
    assert unsaid == []


def test_the_packages_of_a_base_run_their_scripts_without_a_network() -> None:
    base = DistributionBase(read_suites(assets() / "images")["bookworm"], ("python3",), "apt")
    argv = mmdebstrap_argv(base, Path("/p"), Path("/t"))
    assert without_network(argv, 0) == ["unshare", "--net", "--", *argv]
    assert without_network(argv, 1000) == argv  # mmdebstrap's own namespaces; not the network's


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes a network namespace")
def test_such_a_namespace_reaches_nothing_not_even_this_machine() -> None:
    probe = "import socket; socket.create_connection(('127.0.0.1', 1), 2)"
    done = subprocess.run(
        without_network([sys.executable, "-c", probe], 0), capture_output=True, text=True, check=False
    )
    assert "Network is unreachable" in done.stderr
