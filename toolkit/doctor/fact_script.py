"""What a host runs to report its facts: one POSIX sh program, made of the topics' parts. It writes nothing there."""

from __future__ import annotations

from typing import Any

from toolkit.doctor.facts import FIELDS, HostFacts
from toolkit.doctor.printed import Printed
from toolkit.doctor.topics import registry
from toolkit.runtimes.specs import Argv
from toolkit.shell_files import shell_program

SECONDS = 25.0
"""For the whole program; its parts end sooner if the host has `timeout`."""
_END = "at end; now\n"


def question(engine: str, scratch: str) -> Argv:
    """The command that prints a host's facts. `engine` is `docker` or `podman`; `scratch` may be empty."""
    variables = (f"{name}={value}" for name, value in registry.every().variables.items())
    return ["sh", "-c", program(), "sh", engine, scratch, *variables]


def program() -> str:
    """The whole program; `fact_script.sh` names its arguments."""
    return shell_program("toolkit.doctor", "fact_script.sh") + registry.every().script + _END


def host_facts(name: str, printed: Printed) -> HostFacts:
    """The facts of the host `name`; raises nothing, whatever it printed."""
    found = registry.every().read(printed)
    fields: dict[str, Any] = {fact: value for fact, value in found.items() if fact in FIELDS}
    more = {fact: value for fact, value in found.items() if fact not in FIELDS}
    return HostFacts(name, "end" in printed.sections, more=more, **fields)
