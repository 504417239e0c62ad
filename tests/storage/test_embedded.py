"""The embedded store: its keys, and when its server ends by itself."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from toolkit.agent.paths import BEGAN
from toolkit.errors import ToolkitError
from toolkit.runtimes.docker import Docker
from toolkit.storage.embedded_server import embedded_keys
from toolkit.storage.store_server import HEARTBEAT_SECONDS, SERVER_SCRIPT, store_argv


def test_keys_are_made_once_and_are_their_owners_alone(tmp_path: Path) -> None:
    first = embedded_keys(tmp_path / "home")
    assert embedded_keys(tmp_path / "home") == first
    assert {name: len(key.reveal()) for name, key in first.items()} == {"access_key_id": 20, "secret_access_key": 40}
    assert stat.S_IMODE((tmp_path / "home" / "embedded-keys.json").stat().st_mode) == 0o600
    assert embedded_keys(tmp_path / "other") != first


@dataclass
class Server:
    """The real script in a real shell; rclone and the passing of time are stand-ins.

    In each second of it `tick` is run, with the second's number as `$n`.
    """

    folder: Path
    run_folder: str = ""

    def start(
        self, tick: str = "", rclone: str = 'echo "$@" > rclone.words; exec /bin/sleep 60'
    ) -> subprocess.Popen[bytes]:
        self._program("sleep", f'n=$(wc -c < seconds); printf . >> seconds; [ "$1" != 3 ] || exit 0\n{tick}')
        self._program("rclone", f"echo $$ > rclone.pid; {rclone}")
        (self.folder / "seconds").touch()
        names = ("name", "run", "image")
        heartbeat = str(self.folder / "heartbeat")
        words = store_argv(Docker(), *names, [], "0:0", watched=heartbeat, run_folder=self.run_folder)
        command = [word.replace("/run/private", str(self.folder)) for word in words[words.index("sh") :]]
        command[command.index("/buckets")] = str(self.folder / "buckets")
        environment = {**os.environ, "PATH": f"{self.folder}:{os.environ['PATH']}"}
        return subprocess.Popen(command, cwd=self.folder, env=environment)

    def run(self, tick: str = "", **more: str) -> int:
        """To its end; how many seconds it has counted. It leaves no server behind."""
        self.start(tick, **more).wait(timeout=60)
        assert self.rclone_ends()
        return len((self.folder / "seconds").read_text())

    @property
    def rclone_lives(self) -> bool:
        file = self.folder / "rclone.pid"
        found = Path("/proc", file.read_text().strip(), "stat") if file.exists() else Path("/none")
        return found.exists() and found.read_text().split()[2] != "Z"

    def rclone_ends(self) -> bool:
        """It was asked to, which takes effect in a moment."""
        return any(not self.rclone_lives or time.sleep(0.01) for _ in range(500))

    def _program(self, name: str, text: str) -> None:
        (self.folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (self.folder / name).chmod(0o755)


@pytest.fixture
def server(tmp_path: Path) -> Server:
    (tmp_path / "auth").write_text('"ID,secret"')
    return Server(tmp_path)


def test_it_is_a_shells() -> None:
    subprocess.run(["sh", "-n"], input=SERVER_SCRIPT.encode(), timeout=30, check=True)


def test_where_nobody_says_that_he_lives_it_ends(server: Server) -> None:
    assert server.run() == HEARTBEAT_SECONDS + 1


def test_each_sign_of_life_gives_it_as_much_time_again_whatever_the_clock_says(server: Server) -> None:
    touch = '[ $n -gt 60 ] || [ $((n % 20)) != 0 ] || touch -d "@$((1000000 - n * 3600))" heartbeat'
    assert server.run(touch) == 60 + 1 + HEARTBEAT_SECONDS + 1


@pytest.fixture
def run_folder(server: Server) -> Path:
    """The folder of the run that the server belongs to, in its bucket."""
    server.run_folder = "models/training-abcd2345/_run"
    folder = server.folder / "buckets" / server.run_folder
    folder.mkdir(parents=True)
    return folder


def test_a_runs_server_ends_when_the_runs_record_is_there(server: Server, run_folder: Path) -> None:
    (run_folder / BEGAN).touch()
    assert server.run(f"[ $n != 60 ] || touch {run_folder}/record.json") == 61 + 1


def test_the_server_of_a_run_that_does_not_begin_depends_on_its_heartbeat(server: Server, run_folder: Path) -> None:
    assert server.run() == HEARTBEAT_SECONDS + 1


def test_keys_that_never_come_are_not_waited_for_for_ever(server: Server) -> None:
    (server.folder / "auth").unlink()
    assert server.run() == 1500
    assert not (server.folder / "rclone.pid").exists()


def test_keys_are_in_no_command_line(server: Server) -> None:
    server.run(rclone='echo "$@" > rclone.words; echo "$RCLONE_AUTH_KEY" > rclone.key; exec /bin/sleep 60')
    assert (server.folder / "rclone.key").read_text() == '"ID,secret"\n'
    words = (server.folder / "rclone.words").read_text().split()
    assert words[:4] == ["serve", "s3", "--addr", "127.0.0.1:0"]
    assert not any("secret" in word for word in words)


def test_a_server_that_ends_ends_its_container(server: Server) -> None:
    server.run('touch -d "@$n" heartbeat', rclone="exit 1")  # who needs it lives on; it would go on for ever


def test_a_container_that_is_stopped_stops_its_server(server: Server) -> None:
    process = server.start('touch -d "@$n" heartbeat')
    while not server.rclone_lives:
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=60)
    assert server.rclone_ends()


def test_keys_are_the_same_for_all_who_ask_at_once(tmp_path: Path) -> None:
    for turn in range(10):
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(embedded_keys, [tmp_path / str(turn)] * 8))
        assert all(keys == found[0] for keys in found)
        assert [one.name for one in (tmp_path / str(turn)).iterdir()] == ["embedded-keys.json"]


KEYS = '{"access_key_id": "' + "a" * 20 + '", "secret_access_key": "' + "CANARY77" * 5 + '"'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "[" * 5000,
        KEYS,
        KEYS + ', "x": 1}',
        KEYS.replace("CANARY77", "C,\\n") + "}",
        "\0",
        KEYS + "}" * 99,
    ],
    ids=range(9),
)
def test_keys_that_are_damaged_are_reported_and_not_shown(tmp_path: Path, text: str) -> None:
    file = tmp_path / "embedded-keys.json"
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(ToolkitError, match="does not hold the keys of the embedded store: it is damaged") as caught:
        embedded_keys(tmp_path)
    assert caught.value.hint.endswith(f"rm {file}")
    assert "CANARY" not in str(caught.value)
    assert file.read_text() == text


@pytest.mark.parametrize("kind", ["link", "fifo", "folder", "readable"])
def test_keys_in_what_is_no_file_of_ours_alone_are_not_used(tmp_path: Path, kind: str) -> None:
    file, other = tmp_path / "embedded-keys.json", tmp_path / "other"
    other.write_text(KEYS + "}")
    other.chmod(0o600)
    match kind:
        case "link":
            file.symlink_to(other)
        case "fifo":
            os.mkfifo(file, 0o600)
        case "folder":
            file.mkdir()
        case "readable":
            other.rename(file)
            file.chmod(0o644)
    with pytest.raises(ToolkitError, match="does not hold the keys of the embedded store"):
        embedded_keys(tmp_path)
