"""A passphrase is asked on the terminal, which does not show it."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

from toolkit.errors import Code

PROGRAM = """
from toolkit.cli.passphrase import ask_passphrase
from toolkit.errors import ToolkitError
try:
    print(ascii(ask_passphrase("passphrase of \\x1b[2Jkey.pem: ")))
except ToolkitError as error:
    print(error.code.label, error.what, error.hint)
"""


def started(stdin: int, stderr: int) -> subprocess.Popen[str]:
    """The program in a session of its own, so that it has no other terminal than the one given."""
    argv = [sys.executable, "-c", PROGRAM]
    return subprocess.Popen(argv, stdin=stdin, stdout=subprocess.PIPE, stderr=stderr, text=True, start_new_session=True)


def test_what_is_typed_is_not_shown() -> None:
    above, below = pty.openpty()
    with started(below, below) as asking:
        os.close(below)
        shown = b""
        while not shown.endswith(b"key.pem: "):
            shown += os.read(above, 1024)
        os.write(above, "zwölf Wörter\n".encode())
        assert asking.communicate(timeout=60)[0] == "'zw\\xf6lf W\\xf6rter'\n"
    shown += os.read(above, 1024)
    os.close(above)
    assert shown == b"passphrase of \\x1b[2Jkey.pem: \r\n"


def test_without_a_terminal_it_says_how_to_give_it() -> None:
    with started(subprocess.DEVNULL, subprocess.DEVNULL) as asking:
        said = asking.communicate(timeout=60)[0]
    assert said.startswith(f"{Code.CREDENTIALS.label} the key is encrypted, and there is no terminal to ask")
    assert "--passphrase '${env:NAME}' or '${file:PATH}'" in said
