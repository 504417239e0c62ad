"""Command lines of the system's ssh, compared with values; and what it says, as errors."""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from toolkit.errors import ToolkitError
from toolkit.hosts.openssh import arguments, control
from toolkit.hosts.openssh.arguments import JumpHost, Times
from toolkit.hosts.openssh.translate import failure
from toolkit.hosts.ssh.destination import Destination, SystemSsh

SYSTEM = SystemSsh("ProxyCommand", ("-l", "me", "-o", "HostName=10.0.0.5"))
OAK = Destination("oak", "10.0.0.5", 22, "me", (), True, "oak", (Path("/known"),), transport="openssh", system=SYSTEM)
GATE = replace(OAK, host="gate")
SOCKET = Path("/tmp/toolkit-ssh-1000/0123456789abcdef")
CONNECT = [
    *("-o", "ConnectTimeout=10", "-o", "ConnectionAttempts=1", "-o", "VerifyHostKeyDNS=no"),
    *("-o", "NoHostAuthenticationForLocalhost=no", "-o", "CheckHostIP=no", "-o", "UpdateHostKeys=no"),
    *("-o", "VisualHostKey=no", "-o", "LogLevel=INFO"),
]
TO_OAK = ["-l", "me", "-o", "HostName=10.0.0.5", "--", "oak"]
OVER = ["ssh", "-F", "none", "-S", str(SOCKET), "-o", "ControlMaster=no", "-o", "ProxyCommand=false"]


def test_a_master_is_opened_in_the_background_and_asks_no_one() -> None:
    argv = arguments.open_master(OAK, SOCKET, Times(9.5, 13, 60), jump=None, log=Path("/log"))
    assert argv == [
        *("ssh", "-f", "-N", "-T", "-M", "-S", str(SOCKET), "-E", "/log"),
        *("-o", "BatchMode=yes", "-o", "ControlPersist=60", "-o", "StrictHostKeyChecking=yes"),
        *("-o", "ServerAliveInterval=4", "-o", "ServerAliveCountMax=2", "-o", "ClearAllForwardings=yes"),
        *("-o", "ForwardAgent=no", "-o", "ForwardX11=no", "-o", "Tunnel=no", "-o", "PermitLocalCommand=no"),
        *CONNECT,
        *TO_OAK,
    ]


def test_a_person_is_asked_at_the_terminal_and_sees_what_ssh_says() -> None:
    argv = arguments.open_master(OAK, SOCKET, Times(), jump=None, log=None, person=True)
    assert "-E" not in argv
    assert argv[argv.index("BatchMode=no") - 1] == "-o"
    assert "StrictHostKeyChecking=yes" in argv


@pytest.mark.parametrize("lost", range(1, 61))
def test_a_lost_host_is_noticed_in_time(lost: int) -> None:
    argv = arguments.open_master(OAK, SOCKET, Times(lost=lost), jump=None, log=None)
    values = dict(word.split("=", 1) for word in argv if "=" in word)
    every, most = int(values["ServerAliveInterval"]), int(values["ServerAliveCountMax"])
    assert most >= 1  # at 0 a host that has nothing to say would count as gone
    assert every * (most + 1) <= max(lost, 2)  # ssh gives up at the first question that is one too many


def test_a_jump_host_is_passed_over_its_own_master() -> None:
    argv = arguments.open_master(OAK, SOCKET, Times(), jump=JumpHost("gate", Path("/s/g"), Path("/s/it's")), log=None)
    (command,) = [word.removeprefix("ProxyCommand=") for word in argv if word.startswith("ProxyCommand=")]
    over = ["ssh", "-F", "none", "-S", "/s/g", "-o", "ControlMaster=no", "-o", "ProxyCommand=false"]
    assert shlex.split(command) == [*("sh", "-c", 'exec "$@" 2>>"$0"', "/s/it's"), *over, "-W", "[%h]:%p", "--", "gate"]
    assert argv.index("ProxyUseFdpass=no") < argv.index("oak")


def test_what_is_asked_of_a_master_reads_no_configuration_and_connects_nowhere_else() -> None:
    assert arguments.run_line(SOCKET, "oak", "exec x") == [*OVER, "-T", "--", "oak", "exec x"]
    assert arguments.reach_port(SOCKET, "oak", 80) == [*OVER, "-v", "-W", "127.0.0.1:80", "--", "oak"]
    ask = ["ssh", "-F", "none", "-S", str(SOCKET), "-O"]
    assert arguments.ask_master(SOCKET, "check") == [*ask, "check", "--", "master"]
    assert arguments.forward_port(SOCKET, "cancel", Path("/s/p"), 80) == [
        *(*ask, "cancel", "-L", "/s/p:127.0.0.1:80", "--", "master")
    ]


def test_a_look_at_a_key_logs_in_nowhere_and_asks_for_the_kind_on_record() -> None:
    argv = arguments.look_at_key(OAK, Path("/t/100%"), Times(), jump=None, kinds=["ssh-rsa", "ssh-ed25519"])
    values = argv[5 : -len(CONNECT) - len(TO_OAK)]
    assert values == [
        *("-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=accept-new", "-o", "HashKnownHosts=no"),
        *("-o", 'UserKnownHostsFile="/t/100%%"', "-o", "GlobalKnownHostsFile=none", "-o", "ControlMaster=no"),
        *("-o", "PubkeyAuthentication=no", "-o", "PasswordAuthentication=no"),
        *("-o", "KbdInteractiveAuthentication=no", "-o", "GSSAPIAuthentication=no"),
        *("-o", "HostbasedAuthentication=no", "-o", "HostKeyAlgorithms=^rsa-sha2-512,rsa-sha2-256,ssh-ed25519"),
    ]
    command = replace(OAK, system=replace(SYSTEM, keys_command=True))
    assert "KnownHostsCommand=none" in arguments.look_at_key(command, Path("/t"), Times(), jump=None, kinds=[])


def test_the_sockets_name_is_short_and_says_all_that_decides_who_is_reached() -> None:
    name = control.control_path(OAK)
    assert len(os.fsencode(f"{name}-63")) <= 104 - 18
    others = [
        replace(OAK, address="10.0.0.6"),
        replace(OAK, user="ada"),
        replace(OAK, known_hosts=(Path("/other"),)),
        replace(OAK, through=GATE),
        replace(OAK, system=replace(SYSTEM, options=())),
    ]
    assert len({name, *map(control.control_path, others), control.control_path(OAK, 1)}) == 7
    same = replace(OAK, agent="/run/a", system=replace(SYSTEM, why="GSSAPI", control=Path("/cm")))
    assert control.control_path(same) == name


def test_the_folder_is_its_owners_alone(tmp_path: Path) -> None:
    made = control.folder(tmp_path)
    assert made.stat().st_mode & 0o777 == 0o700
    assert control.folder(tmp_path) == made
    made.chmod(0o770)
    with pytest.raises(ToolkitError, match="must be owned by you with mode 0700"):
        control.folder(tmp_path)
    made.rmdir()
    made.symlink_to(tmp_path)
    with pytest.raises(ToolkitError, match="must be owned by you with mode 0700") as caught:
        control.folder(tmp_path)
    assert caught.value.code.label == "C104"


def test_of_two_who_open_the_same_one_waits(tmp_path: Path) -> None:
    with control.locked(tmp_path / "s", 1), pytest.raises(TimeoutError), control.locked(tmp_path / "s", 0.1):
        raise AssertionError("both have it")
    with control.locked(tmp_path / "s", 0.1):
        pass


def test_what_masters_leave_behind_goes_a_day_later(tmp_path: Path) -> None:
    names = ["gone.lock", "gone.log", "open", "open.lock", "open.log", "new.lock", "new.log"]
    for name in names:
        (tmp_path / name).touch()
    for name in ("gone.lock", "open.lock"):
        os.utime(tmp_path / name, (0, 0))
    control.sweep(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(names[2:])
    os.utime(tmp_path / "new.lock", (0, 0))
    with control.locked(tmp_path / "new", 1):  # someone is about to open it
        control.sweep(tmp_path)
    assert (tmp_path / "new.lock").exists()


BANNER = "banner exchange: Connection to UNKNOWN port 65535"
HUNG_UP = "kex_exchange_identification: Connection closed by remote host\nConnection closed by UNKNOWN port 65535\n"


@pytest.mark.parametrize(
    ("said", "reason", "part"),
    [
        (
            "me@oak: Permission denied (publickey,keyboard-interactive).",
            "authentication",
            "authentication failed for me",
        ),
        ("ssh: Could not resolve hostname oak: Name or service not known", "unreachable", "Could not resolve"),
        ("ssh: connect to host oak port 22: No route to host", "unreachable", "No route to host"),
        ("Connection timed out during banner exchange", "unreachable", "timed out"),
        ("ssh: connect to host oak port 22: Connection refused", "refused", "Connection refused"),
        (HUNG_UP, "refused", "its ProxyCommand failed: kex_exchange_identification"),
        ("kex_exchange_identification: write: Broken pipe", "refused", "its ProxyCommand failed: kex_exchange"),
        (f"{BANNER}: Broken pipe", "refused", "its ProxyCommand failed: banner exchange"),
        (f"{BANNER}: Connection reset by peer", "refused", "its ProxyCommand failed: banner exchange"),
        (f"{BANNER}: Connection timed out", "unreachable", "timed out"),
        ("Received disconnect from 10.0.0.5", "refused", "Received disconnect"),
        ("", "refused", "ssh gave no reason"),
    ],
)
def test_what_ssh_says_becomes_the_error_of_every_transport(said: str, reason: str, part: str) -> None:
    error = failure(OAK, said)
    assert (error.code.label, error.context) == ("S100", {"host": "oak", "reason": reason})
    assert part in error.what


def test_who_is_kept_out_is_told_how_to_log_in() -> None:
    error = failure(OAK, "me@oak: Permission denied (keyboard-interactive).")
    assert "toolkit cluster connect FILE" in error.hint
    assert [problem.what for problem in error.problems] == [
        "ssh says: Permission denied (keyboard-interactive)",
        "the host accepts only: keyboard-interactive",
    ]


def test_a_jump_host_that_does_not_get_through_is_named() -> None:
    said = f"Stdio forwarding request failed: Session open refused by peer\n{HUNG_UP}"
    error = failure(replace(OAK, through=GATE), said)
    assert error.what == "host oak (10.0.0.5:22 through gate): refused the connection: gate could not connect to it"
