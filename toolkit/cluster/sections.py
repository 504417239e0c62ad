"""The fields of a cluster file, as validated by pydantic."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from toolkit.cluster.jump import parse_hop
from toolkit.cluster.kinds import KINDS
from toolkit.cluster.model import DEFAULT_BINDING, DEFAULT_PROCESSES, Binding
from toolkit.cluster.ranges import expand
from toolkit.runtimes.registry import RUNTIMES
from toolkit.yaml.validate import Section

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@\\-]*\$?")
_SIX_IN_BRACKETS = re.compile(r"\[([0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(?:%[^]]*)?)\](:[0-9]+)?")
_WITH_MORE = re.compile(r"(?P<scheme>ssh://)?(?P<user>[^@/]+@)?[^@:/]+(?P<port>:[0-9]+)?/?")
_REGISTRY = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*")


def _one_text(value: Any) -> Any:
    if isinstance(value, list):
        what = 'brackets make it a list: quote a range, "node[1-8]"; write an IPv6 address without brackets'
        raise ValueError(what)
    return value


def _names(text: str) -> str:
    for name in expand(text):
        if not _NAME.fullmatch(name):
            what = f"{name!r} is not a host name: letters, digits, dots and dashes, starting with a letter or digit"
            raise ValueError(what + _own_fields(name))
    return text


def _addresses(text: str) -> str:
    _without_brackets(text)
    for address in expand(text):
        try:
            ipaddress.ip_address(address)
        except ValueError:
            if not _NAME.fullmatch(address):
                what = f"{address!r} is neither an IP address nor a host name"
                raise ValueError(what + _own_fields(address)) from None
    return text


def _without_brackets(text: str) -> None:
    """Refuse brackets: as in ssh's HostName, they only separate an address from a port in the same text."""
    if six := _SIX_IN_BRACKETS.search(text):
        port = "; the port is a separate field: `port`" if six[2] else ""
        raise ValueError(f"{text!r}: write an IPv6 address without brackets here: {six[1]}{port}")


def _own_fields(text: str) -> str:
    """If `text` contains more than a host, which fields the rest belongs in."""
    match = _WITH_MORE.fullmatch(text)
    parts = (("scheme", "without ssh://"), ("user", "the account is `user`"), ("port", "the port is `port`"))
    hints = [hint for part, hint in parts if match and match[part]]
    return f"; {', '.join(hints)}" if hints else ""


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        pass
    try:
        meant = str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        raise ValueError(f"expected a network such as 10.0.0.0/16, found {text!r}") from None
    raise ValueError(f"{text} is an address in a network; write the network: {meant}")


def _ip_address(text: str) -> str:
    _without_brackets(text)
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError(f"expected an IP address, found {text!r}") from None


def _absolute(text: str) -> str:
    path = PurePosixPath(text)
    if not path.is_absolute() or ".." in path.parts or len(path.parts) < 2 or not text.isprintable():
        raise ValueError(f"expected an absolute folder such as /var/tmp/toolkit, found {text!r}")
    return str(path)


def _user(text: str) -> str:
    if not _USER.fullmatch(text):
        raise ValueError(f"{text!r} is not a user name")
    return text


def _jump(text: str) -> str:
    parse_hop(text)
    return text


def _registry(text: str) -> str:
    if not _REGISTRY.fullmatch(text):
        raise ValueError(f"expected host:port/name, found {text!r}")
    return text


def _one_of(names: Collection[str]) -> AfterValidator:
    """One of `names`, with pydantic's message for a `Literal`."""

    def check(name: str) -> str:
        if name not in names:
            *others, last = map(repr, names)
            raise ValueError("input should be " + (f"{', '.join(others)} or {last}" if others else last))
        return name

    return AfterValidator(check)


def _gpu(value: Any) -> Any:
    if value == "none":
        return None
    if not isinstance(value, dict):
        raise ValueError(f"expected `none` or {{kind: p100, count: 4}}, found {value!r}")
    return value


class GpuSection(Section):
    kind: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    count: int = Field(ge=1, le=64)


class DeadlinesSection(Section):
    start: int = Field(default=60, ge=1)
    stop: int = Field(default=10, ge=1)
    store: int = Field(default=600, ge=1)
    quiet: int = Field(default=0, ge=0)


class SshDeadlinesSection(DeadlinesSection):
    connect: int = Field(default=10, ge=1)
    lost: int = Field(default=15, ge=3)


class LocalLimitsSection(Section):
    processes: int = Field(default=DEFAULT_PROCESSES, ge=64, le=1 << 22)


class LimitsSection(LocalLimitsSection):
    connections: int = Field(default=8, ge=1, le=64)


_Port = Annotated[int, Field(ge=1, le=65535)]
_UserName = Annotated[str, AfterValidator(_user)]
_Gpu = Annotated[GpuSection | None, BeforeValidator(_gpu)]


class HostSection(Section):
    name: Annotated[str, BeforeValidator(_one_text), AfterValidator(_names)]
    address: Annotated[str, BeforeValidator(_one_text), AfterValidator(_addresses)] = ""
    user: _UserName = ""
    port: _Port = 0
    gpu: _Gpu = None


class LocalFile(Section):
    """A file with `engine: local`, or with an unknown engine."""

    name: str
    engine: Annotated[str, _one_of(KINDS)]
    gpu: Literal["none"]
    binding: Binding = DEFAULT_BINDING
    limits: LocalLimitsSection = LocalLimitsSection()
    deadlines: DeadlinesSection = DeadlinesSection()


class SshFile(Section):
    """A file with `engine: ssh`."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    engine: Literal["ssh"]
    user: _UserName = ""
    port: _Port = 0
    identity: Annotated[str, Field(min_length=1)] = ""
    known_hosts: Annotated[str, Field(min_length=1)] = ""
    jump: Annotated[str, AfterValidator(_jump)] = ""
    ssh: Literal["auto", "fabric", "openssh"] = "auto"
    network: Annotated[str, AfterValidator(_network)]
    operator: Annotated[str, AfterValidator(_ip_address)] = ""
    container_engine: Annotated[str, _one_of(RUNTIMES)]
    scratch: Annotated[str, AfterValidator(_absolute)] = ""
    registry: Annotated[str, AfterValidator(_registry)] = ""
    gpu: _Gpu
    binding: Binding = DEFAULT_BINDING
    limits: LimitsSection = LimitsSection()
    deadlines: SshDeadlinesSection = SshDeadlinesSection()
    hosts: list[HostSection] = Field(min_length=1)
