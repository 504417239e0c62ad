"""The line that a command becomes: carried out by a real sh, as a login shell would."""

from __future__ import annotations

import os
import signal
import subprocess

from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.hosts.ssh.remote_command import ANNOUNCED, signal_line, start_line

WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


def by_login_shell(line: str) -> subprocess.Popen[bytes]:
    """As sshd does it: the leader of a session of its own."""
    return subprocess.Popen(["sh", "-c", line], stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)


def test_the_line_says_nothing_but_what_is_needed() -> None:
    assert start_line(["echo", "a b"]) == ("""exec sh -c 'echo "toolkit-command $$"; "$@"; exit $?' sh echo 'a b'""")
    assert start_line(["x"], merged=True) == ("""exec sh -c 'echo "toolkit-command $$"; "$@" 2>&1; exit $?' sh x""")


@settings(max_examples=40)
@given(st.lists(WORDS, max_size=3))
def test_any_words_arrive_as_they_are(words: list[str]) -> None:
    process = by_login_shell(start_line(["printf", "%s\\0", "first", *words]))
    output, errors = process.communicate()
    announced = ANNOUNCED.match(output)
    assert announced is not None
    assert int(announced[1]) == process.pid
    assert output[announced.end() :] == b"".join(word.encode() + b"\0" for word in ["first", *words])
    assert (errors, process.returncode) == (b"", 0)


def test_statuses_are_those_of_a_shell() -> None:
    for script, status in (("exit 3", 3), ("kill -9 $$", 137)):
        process = by_login_shell(start_line(["sh", "-c", script]))
        process.communicate()
        assert process.returncode == status
    process = by_login_shell(start_line(["no-such-program"]))
    process.communicate()
    assert process.returncode == 127


def test_one_signal_ends_a_command_with_its_children() -> None:
    process = by_login_shell(start_line(["sh", "-c", "sleep 600 & echo $!; wait"]))
    assert process.stdout is not None
    process.stdout.readline()
    child = int(process.stdout.readline())
    done = subprocess.run(["sh", "-c", signal_line([process.pid], "TERM")], capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")
    # The pipe ends when the last process that holds it does.
    assert process.stdout.read() == b""
    assert process.wait() == -signal.SIGTERM
    process.stdout.close()
    assert process.stderr is not None
    process.stderr.close()
    assert child != os.getpid()


def test_signalling_what_is_gone_says_nothing() -> None:
    process = by_login_shell("exit 0")
    process.communicate()
    done = subprocess.run(["sh", "-c", signal_line([process.pid], "KILL")], capture_output=True, check=False)
    assert (done.stdout, done.stderr) == (b"", b"")
