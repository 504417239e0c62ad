"""The ways to the hosts of a cluster: what its file says first, then ssh_config as ssh itself reads it.

Jump hosts are followed as ssh follows them: of `ProxyJump a,b`, b is reached through a, and a by its own ProxyJump.
A way on which there is something that only ssh itself can do, such as a ProxyCommand, is for the system's ssh.
"""

from __future__ import annotations

import stat
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from toolkit.cluster.jump import parse_hop
from toolkit.cluster.model import Access, Host
from toolkit.errors import Code, ToolkitError
from toolkit.hosts.openssh.arguments import quoted
from toolkit.hosts.parallel import Job, do_all
from toolkit.hosts.ssh.choice import AUTO, FABRIC, OPENSSH, own_login, why_openssh
from toolkit.hosts.ssh.destination import Destination, SystemSsh
from toolkit.hosts.ssh.known_hosts import known_as
from toolkit.hosts.ssh.openssh import Answer, Question, ask

_AT_ONCE = 16
_DEEPEST = 8
_SECONDS = 30
"""For all hosts together. One host takes milliseconds, except for the user's `Match exec`."""


def destinations(hosts: Sequence[Host], access: Access, config: Path | None = None) -> tuple[Destination, ...]:
    """The way to each of `hosts`, in their order.

    Args:
        config: in place of the person's and the system's ssh_config, as `ssh -F`. Default: these two.

    Raises `ToolkitError`: S100 where there is no ssh; C104, with ssh's own words, where it cannot follow its
    configuration, for a ProxyCommand where the cluster file wants Fabric, and for jump hosts that lead to each other.
    """
    questions = [_question(host, access) for host in hosts]
    until = time.monotonic() + _SECONDS
    answers: dict[Question, Answer] = {}
    waiting = set(questions)
    for _ in range(_DEEPEST + 1):
        answers |= _ask_all(waiting, config, until)
        jumps = {_jump_host(one, answers[one]) for one in waiting}
        waiting = {jump for jump in jumps if jump is not None and jump not in answers}
    if waiting:
        raise _circle(min(question.name for question in waiting))
    return tuple(_way(question, answers, access, config) for question in questions)


def _question(host: Host, access: Access) -> Question:
    jumps = str(parse_hop(access.jump)) if access.jump else ""
    return Question(host.name, host.address, host.user or access.user, host.port or access.port, jumps)


def _ask_all(questions: Iterable[Question], config: Path | None, until: float) -> dict[Question, Answer]:
    """Each once, however many hosts are behind the same jump host."""
    ordered = sorted(questions, key=lambda question: question.name)
    jobs = [Job(question.name, partial(ask, question, config, until)) for question in ordered]
    return {one: answer.get() for one, answer in zip(ordered, do_all(jobs, at_once=_AT_ONCE), strict=True)}


def _jump_host(question: Question, answer: Answer) -> Question | None:
    """The last of the jump hosts, reached through those before it; with none before it, by its own ProxyJump."""
    if not answer.jumps:
        return None
    try:
        hop = parse_hop(answer.jumps[-1])
    except ValueError as error:
        raise ToolkitError(Code.RESOURCES_ASKED, f"host {question.name}: ssh_config, ProxyJump: {error}") from None
    return Question(hop.name, user=hop.user, port=hop.port, jumps=",".join(answer.jumps[:-1]))


def _way(question: Question, answers: Mapping[Question, Answer], access: Access, config: Path | None) -> Destination:
    chain = _chain(question, answers)
    why = next(filter(None, (why_openssh(answers[one], access) for one in chain)), "")
    transport = access.ssh if access.ssh != AUTO else OPENSSH if why else FABRIC
    why = why or ("the cluster file" if transport == OPENSSH else "")
    way: Destination | None = None
    for one in reversed(chain):
        if answers[one].command and transport == FABRIC:
            what = f"host {one.name}: its ssh_config has a ProxyCommand, which `ssh: fabric` does not support"
            hint = "remove `ssh: fabric` from the cluster file"
            raise ToolkitError(Code.RESOURCES_ASKED, what, hint=hint)
        system = None if access.ssh == FABRIC else _system_ssh(one, answers[one], access, config, why)
        way = replace(_destination(one, answers[one], access, way), transport=transport, system=system)
    assert way is not None
    return way


def _chain(question: Question, answers: Mapping[Question, Answer]) -> list[Question]:
    """The host, and the jump hosts from it to here."""
    chain = [question]
    while (jump := _jump_host(chain[-1], answers[chain[-1]])) is not None:
        if jump in chain:
            raise _circle(jump.name)
        chain.append(jump)
    return chain


def _destination(question: Question, answer: Answer, access: Access, through: Destination | None) -> Destination:
    own = (access.known_hosts,) if access.known_hosts else answer.own_known
    return Destination(
        host=question.name,
        address=answer.address,
        port=answer.port,
        user=answer.user,
        identities=(access.identity,) if access.identity else answer.identities,
        any_key=not (access.identity or answer.only),
        known_as=answer.alias or known_as(answer.address, answer.port),
        known_hosts=own if access.known_hosts else (*own, *answer.shared_known),
        through=through,
        new_keys=own[0] if own and _keeps_keys(own[0]) else None,
        agent=answer.agent,
    )


def _system_ssh(question: Question, answer: Answer, access: Access, config: Path | None, why: str) -> SystemSsh:
    options = list(question.options(config))
    if question.jumps and not answer.jumps:
        options += ["-J", question.jumps]  # `none`: whatever ssh_config has
    if access.identity:
        options += ["-o", f"IdentityFile={quoted(access.identity)}", "-o", "IdentitiesOnly=yes"]
    if access.known_hosts:
        options += ["-o", f"UserKnownHostsFile={quoted(access.known_hosts)}", "-o", "GlobalKnownHostsFile=none"]
        options += ["-o", "KnownHostsCommand=none"] if answer.keys_command else []
    own = own_login(answer, access) if why else None
    return SystemSsh(why, tuple(options), own, keys_command=bool(answer.keys_command))


def _keeps_keys(file: Path) -> bool:
    """Whether `file` keeps keys that are appended to it: /dev/null does not."""
    try:
        return stat.S_ISREG(file.stat().st_mode)
    except OSError:
        return True  # it is created, or what stands in the way is reported then


def _circle(name: str) -> ToolkitError:
    return ToolkitError(Code.RESOURCES_ASKED, f"host {name}: its jump hosts form a loop (ssh_config)")
