"""What a child process sees of the operator's environment: an allow-list, never all of it.

The scripts of Debian packages, pip, container engines and their children are third-party code. They need a PATH and
a proxy, but not AWS_SECRET_ACCESS_KEY, a CI token or a password in a mirror's URL.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import PurePath

_EVERYONE = (
    *("PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "LC_*", "TZ", "TERM", "TMPDIR"),
    *("LD_LIBRARY_PATH", "LD_PRELOAD", "FAKETIME*"),
)
_NETWORK = ("*_PROXY", "*_proxy", "*_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
_DOCKER = (*_NETWORK, "DOCKER_*", "BUILDX_*", "BUILDKIT_*", "SSH_AUTH_SOCK", "XDG_*")
_BY_PROGRAM = {
    "docker": _DOCKER,
    "sh": _DOCKER,  # our own scripts, which call an engine
    "pip": (*_NETWORK, "PIP_*", "NETRC", "XDG_*", "DBUS_SESSION_BUS_ADDRESS"),
    "uv": (*_NETWORK, "UV_*", "NETRC", "XDG_*"),
    "apt": (*_NETWORK, "APT_CONFIG"),
    "apptainer": ("APPTAINER_*", "SINGULARITY_*", "XDG_*"),
    "singularity": ("APPTAINER_*", "SINGULARITY_*", "XDG_*"),
}
"""Additional variables for programs that use a network, an index or an engine: names, or prefixes and suffixes."""
_OF_THE_PERSON = ("ssh",)
_SECRET = re.compile(r"^AWS_|SECRET|TOKEN|PASSW|PASSPHRASE|CREDENTIAL|(ACCESS|API|PRIVATE)_?KEY", re.IGNORECASE)
"""ssh runs only what the user's own ssh_config says, and that may name any variable: `${LAB}` in a value,
`$DISPLAY` in a `Match exec`. It sees all except those whose names suggest a secret."""


def child_environment(program: str = "", environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables of `environment` (default: this process's) that `program` may see."""
    given = os.environ if environment is None else environment
    if program in _OF_THE_PERSON:
        return {name: value for name, value in given.items() if not _SECRET.search(name)}
    patterns = (*_EVERYONE, *_BY_PROGRAM.get(program, ()))
    return {name: value for name, value in given.items() if any(_fits(name, pattern) for pattern in patterns)}


def program_of(argv: Sequence[str]) -> str:
    """The program that a command line starts: its name without the folder, `pip` for `python -m pip`."""
    return argv[2] if list(argv[1:2]) == ["-m"] and len(argv) > 2 else PurePath(argv[0]).name


def _fits(name: str, pattern: str) -> bool:
    if pattern.endswith("*"):
        return name.startswith(pattern[:-1])
    return name.endswith(pattern[1:]) if pattern.startswith("*") else name == pattern
