"""A host's interfaces, addresses and firewall, from what it printed of `ip` or /proc/net. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence

from toolkit.doctor.facts import Interface

_LINK = re.compile(r"(\S+) ([0-9]{1,7}) (-?[0-9]{1,9})")
_ADDRESS = re.compile(r"[0-9]+:\s+(\S+?)(?:@\S+)?\s+inet6?\s+([0-9a-fA-F.:]+)")
_FIB_ADDRESS = re.compile(r"\|--\s+([0-9.]+)")
_CLOSED = re.compile(r"-P INPUT DROP|type filter hook input .*policy drop;.*")
_OPEN = re.compile(r"-P INPUT ACCEPT|type filter hook input .*policy accept;.*")
_HEX = re.compile(r"[0-9a-fA-F]{8}")
_IF_INET6 = re.compile(r"([0-9a-f]{32})\s+\S+\s+\S+\s+\S+\s+\S+\s+(\S+)")


def interfaces(sections: Mapping[str, str]) -> tuple[Interface, ...]:
    """Every interface of the host, by name; one that is known only from an address has no known MTU."""
    found: dict[str, Interface] = {}
    for line in sections.get("interfaces", "").splitlines():
        if match := _LINK.fullmatch(line.strip()):
            speed = int(match[3])
            found[match[1]] = Interface(match[1], int(match[2]), speed if speed > 0 else None)
    addresses: dict[str, list[str]] = {}
    for name, address in (*_from_ip(sections), *_from_proc(sections)):
        if address not in addresses.setdefault(name, []):
            addresses[name].append(address)
    for name, those in addresses.items():
        link = found.get(name, Interface(name))
        found[name] = Interface(name, link.mtu, link.speed, tuple(those))
    return tuple(found[name] for name in sorted(found))


def firewall(lines: Sequence[str]) -> str:
    """`closed`, `open` or empty, from what iptables and nft print of their input chains."""
    if any(map(_CLOSED.fullmatch, lines)):
        return "closed"
    return "open" if any(map(_OPEN.fullmatch, lines)) else ""


def _from_ip(sections: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    for match in _ADDRESS.finditer(sections.get("addresses", "")):
        if address := _address(match[2]):
            yield match[1], address


def _from_proc(sections: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """A local address belongs to the interface whose route covers it; IPv6 addresses come with their interface."""
    routes = list(_routes(sections.get("routes", "")))
    last = ""
    for line in sections.get("fib", "").splitlines():
        if match := _FIB_ADDRESS.search(line):
            last = match[1]
        elif "/32 host LOCAL" in line and (address := _address(last)):
            name = next((name for name, net in routes if ipaddress.ip_address(address) in net), "")
            name = "lo" if ipaddress.ip_address(address).is_loopback else name
            if name:
                yield name, address
    for match in map(_IF_INET6.match, sections.get("inet6", "").splitlines()):
        if match:
            yield match[2], str(ipaddress.IPv6Address(int(match[1], 16)))


def _routes(text: str) -> Iterable[tuple[str, ipaddress.IPv4Network]]:
    """/proc/net/route without its default route: numbers are in the machine's byte order, which is little-endian."""
    for line in text.splitlines():
        cells = line.split()
        if len(cells) >= 8 and _HEX.fullmatch(cells[1]) and _HEX.fullmatch(cells[7]) and int(cells[7], 16):
            target, mask = (int.from_bytes(bytes.fromhex(cells[at]), "little") for at in (1, 7))
            try:
                yield cells[0], ipaddress.IPv4Network((target, str(ipaddress.IPv4Address(mask))))
            except ValueError:
                continue


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return ""
