"""A passphrase, asked on the terminal without echo."""

from __future__ import annotations

import getpass
import warnings

from toolkit.errors import Code, ToolkitError
from toolkit.printable import neutral
from toolkit.secrets.passphrase import SPELLINGS


def ask_passphrase(prompt: str) -> str:
    """What is typed on this process's terminal; raises `ToolkitError` (C103) without one."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)  # else it reads standard input, and what is typed shows
        try:
            return getpass.getpass(neutral(prompt))
        except (getpass.GetPassWarning, EOFError):
            what = "the key is encrypted, and there is no terminal to ask for its passphrase"
            raise ToolkitError(Code.CREDENTIALS, what, hint=f"--passphrase {SPELLINGS}") from None
