"""The system's ssh configuration for one host, read from the output of `ssh -G`.

ssh itself reads the files, so Include, Match, tokens, quotes and comments mean here what they mean there, whatever
its version. `ssh -G` expands the tokens of UserKnownHostsFile, IdentityAgent and ControlPath, and leaves those of
IdentityFile and ProxyJump as they are written (ssh.c, main); so these go through `-S`, which is ControlPath's option.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.errors import Code, ToolkitError
from toolkit.process import run

_SHELL_VARIABLE = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")
"""ProxyJump becomes a command line that a shell reads, so `$GATE` is a variable there, as `${GATE}` is."""

_TEXTS = (
    *("user", "hostname", "hostkeyalias", "proxyjump"),
    *("identityfile", "identityagent", "userknownhostsfile", "globalknownhostsfile"),
)
"""The settings that are followed here, as texts."""
_NOT_UTF8 = "\N{REPLACEMENT CHARACTER}"

Settings = Mapping[str, tuple[str, ...]]
"""A setting's name in small letters, and its values in order."""


@dataclass(frozen=True)
class Question:
    """A host as it is given to ssh: its name, and what counts before any file. Empty and 0: not given.

    `jumps` is as ProxyJump's value: `none`, or hosts with commas between.
    """

    name: str
    address: str = ""
    user: str = ""
    port: int = 0
    jumps: str = ""

    def argv(self, config: Path | None, *more: str) -> list[str]:
        """The command line; `config` replaces the user's and the system's files."""
        return [
            # -N: for a shell, ssh refuses ForkAfterAuthentication (ssh.c, main); it is none that is started here.
            *("ssh", "-G", "-T", "-N"),
            *self.options(config),
            *(("-J", self.jumps) if self.jumps else ()),
            *more,
            *("--", self.name),
        ]

    def options(self, config: Path | None) -> tuple[str, ...]:
        """What is given to ssh, but for jump hosts."""
        address = self.address.replace("%", "%%")  # HostName has tokens; an address may have a zone: fe80::1%eth0
        return (
            *(("-F", str(config)) if config else ()),
            *(("-l", self.user) if self.user else ()),
            *(("-p", str(self.port)) if self.port else ()),
            *(("-o", f"HostName={address}") if address else ()),
        )


@dataclass(frozen=True)
class Answer:
    """What ssh would do for a `Question`.

    Attributes:
        address: HostName, made canonical where the configuration asks for that.
        identities: files of keys, in ssh's order; ssh's usual ones where none is named.
        only: IdentitiesOnly.
        alias: HostKeyAlias; empty: none.
        own_known: UserKnownHostsFile; its first one takes new keys.
        shared_known: GlobalKnownHostsFile.
        agent: see `Destination`.
        jumps: ProxyJump, its tokens expanded; the last one is the nearest to the host.
        command: ProxyCommand; empty: none.
        control: ControlPath; None: none.
        strict: StrictHostKeyChecking, as `ssh -G` prints it.
        gssapi: GSSAPIAuthentication.
        certificates: CertificateFile, as it is written.
        token: PKCS11Provider; empty: none.
        keys_command: KnownHostsCommand; empty: none.
    """

    address: str
    port: int
    user: str
    identities: tuple[Path, ...]
    only: bool
    alias: str
    own_known: tuple[Path, ...]
    shared_known: tuple[Path, ...]
    agent: str | None
    jumps: tuple[str, ...]
    command: str
    control: Path | None
    strict: str
    gssapi: bool
    certificates: tuple[str, ...]
    token: str
    keys_command: str


def ask(question: Question, config: Path | None, until: float) -> Answer:
    """Ask ssh; raises `ToolkitError` (S100 where there is no ssh, else C104) where it gives no answer.

    Args:
        config: in place of the person's and the system's files, as `ssh -F`.
        until: on the clock of `time.monotonic`; an ssh that runs then (it may run a `Match exec`) is ended.
    """

    def expanded(text: str) -> str:
        if text.startswith("~/") and not set("%$") & set(text):
            return _below_home(text)
        return _first(_run(question, config, until, "-S", text), "controlpath") if set("%$~") & set(text) else text

    settings = _run(question, config, until)
    jumps = _first(settings, "proxyjump")
    return Answer(
        address=_first(settings, "hostname"),
        port=int(_first(settings, "port")),
        user=_first(settings, "user"),
        identities=tuple(Path(expanded(file)) for file in settings.get("identityfile", ()) if not _is_none(file)),
        only=_first(settings, "identitiesonly") == "yes",
        alias=_first(settings, "hostkeyalias"),
        own_known=tuple(Path(_below_home(file)) for file in _files(settings, "userknownhostsfile")),
        shared_known=tuple(map(Path, _files(settings, "globalknownhostsfile"))),
        agent=agent_socket(_first(settings, "identityagent"), os.environ),
        jumps=_jumps(expanded(_SHELL_VARIABLE.sub(r"${\1}", jumps))),
        command=_unless_none(settings, "proxycommand"),
        control=Path(path) if (path := _unless_none(settings, "controlpath")) else None,
        strict=_first(settings, "stricthostkeychecking"),
        gssapi=_first(settings, "gssapiauthentication") == "yes",
        certificates=tuple(file for file in settings.get("certificatefile", ()) if not _is_none(file)),
        token=_unless_none(settings, "pkcs11provider"),
        keys_command=_unless_none(settings, "knownhostscommand"),
    )


def home() -> str:
    """The folder that ssh takes for `~`: that of the account, whatever HOME says."""
    return pwd.getpwuid(os.getuid()).pw_dir


def _below_home(text: str) -> str:
    return home() + text[1:] if text.startswith("~/") else text


def read_settings(text: str) -> Settings:
    """The lines of `ssh -G`: a name, a blank, and the value, in which nothing is quoted."""
    settings: dict[str, tuple[str, ...]] = {}
    for line in text.split("\n"):
        name, blank, value = line.partition(" ")
        if blank:
            settings[name.lower()] = (*settings.get(name.lower(), ()), value)
    return settings


def split_files(text: str, exists: Callable[[str], bool]) -> Iterator[str]:
    """The files of a line of `ssh -G`, which puts blanks between them and quotes none that has blanks in its name.

    The longest that exists is meant; where none does, a file ends before the next absolute one.
    """
    words = text.split(" ")
    while words:
        ends = range(len(words), 0, -1)
        absolute = next((end for end in range(1, len(words)) if words[end].startswith("/")), len(words))
        end = next((end for end in ends if exists(" ".join(words[:end]))), absolute)
        yield " ".join(words[:end])
        words = words[end:]


def agent_socket(value: str, environment: Mapping[str, str]) -> str | None:
    """What IdentityAgent means, as a `Destination` has it; `value` is empty where it is not set."""
    if value in ("", "SSH_AUTH_SOCK"):
        return None
    if _is_none(value):
        return ""
    return environment.get(value[1:], "") if value.startswith("$") else value


def _run(question: Question, config: Path | None, until: float, *more: str) -> Settings:
    if shutil.which("ssh") is None:
        hint = "install OpenSSH's client: apt-get install openssh-client (Debian, Ubuntu), dnf install openssh-clients"
        raise ToolkitError(Code.RESOURCES, "this machine has no `ssh`, which is needed to read ssh_config", hint=hint)
    result = run(question.argv(config, *more), check=False, timeout=max(until - time.monotonic(), 0.1))
    if result.status == 124:
        what = f"host {question.name}: ssh took too long to read its configuration"
        hint = f"does a `Match exec` or a name server hang? Try: ssh -G {question.name}"
        raise ToolkitError(Code.RESOURCES_ASKED, what, evidence=result.errors, hint=hint)
    settings = read_settings(result.output)
    said = (result.errors or result.output).replace("\r\n", "\n")
    understood = {"hostname", "user"} <= settings.keys() and _first(settings, "port").isdecimal()
    if not result.ok or not understood:
        what = f"host {question.name}: ssh rejects its configuration"
        hint = f"fix what ssh reports, then check with: ssh -G {question.name}"
        raise ToolkitError(Code.RESOURCES_ASKED, what, evidence=said, hint=hint)
    if strange := [name for name in _TEXTS if any(_NOT_UTF8 in value for value in settings.get(name, ()))]:
        what = f"host {question.name}: ssh_config, {strange[0]}: not UTF-8"
        raise ToolkitError(Code.RESOURCES_ASKED, what, hint="save ssh_config as UTF-8")
    return settings


def _first(settings: Settings, name: str) -> str:
    return settings.get(name, ("",))[0]


def _unless_none(settings: Settings, name: str) -> str:
    return "" if _is_none(_first(settings, name)) else _first(settings, name)


def _is_none(value: str) -> bool:
    return value.lower() == "none"


def _files(settings: Settings, name: str) -> Sequence[str]:
    value = _first(settings, name)
    return [] if not value or _is_none(value) else list(split_files(value, os.path.exists))


def _jumps(text: str) -> tuple[str, ...]:
    return () if not text or _is_none(text) else tuple(text.split(","))
