"""One interactive login; all commands then use it until it is closed or idle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from toolkit.errors import ToolkitError
from toolkit.hosts.openssh.control import control_path, end
from toolkit.hosts.openssh.masters import Masters
from toolkit.hosts.parallel import Answer, Job, do_all
from toolkit.hosts.ssh.destination import Destination
from toolkit.hosts.ssh.trust import stages

IDLE_SECONDS = 8 * 3600
"""A working day: so long after its last command a login ends by itself."""
_AT_ONCE = 64
_MOST = 64
_NO_TERMINAL = "ssh needs to ask for a password or a second factor: run this in a terminal"

Ask = Callable[[Destination], None]


def connect(ways: Sequence[Destination], masters: Masters, before_asking: Ask | None) -> tuple[Answer[bool], ...]:
    """Log in to each of `ways` and to the jump hosts before them; whether a login is new, or why there is none.

    First all that need no person, at the same time; then the others one after the other, at the terminal.

    Args:
        masters: opens the logins, with the idle time that they shall have.
        before_asking: called before ssh may ask a person to log in. None: there is no terminal; who would be asked is
            not logged in.
    """
    answers: list[Answer[bool]] = []
    for stage in stages(ways):
        jobs = [Job(to.host, partial(masters.log_in, to)) for to in stage]
        for to, answer in zip(stage, do_all(jobs, at_once=_AT_ONCE), strict=True):
            answers.append(_ask(to, answer, masters, before_asking) if _wants_a_person(to, answer) else answer)
    return tuple(answers)


def disconnect(ways: Sequence[Destination]) -> tuple[str, ...]:
    """Close the tool's logins to `ways` and their jump hosts; returns the hosts that had one."""
    ended = []
    for stage in reversed(stages(ways)):
        for to in stage:
            if [number for number in range(_MOST) if end(control_path(to, number))]:
                ended.append(to.host)
    return tuple(ended)


def _wants_a_person(to: Destination, answer: Answer[bool]) -> bool:
    """Not if the failed login was the jump host's."""
    context = answer.error.context if isinstance(answer.error, ToolkitError) else {}
    return context.get("reason") == "authentication" and context.get("host") == to.host


def _ask(to: Destination, answer: Answer[bool], masters: Masters, before_asking: Ask | None) -> Answer[bool]:
    if before_asking is None:
        assert isinstance(answer.error, ToolkitError)
        return Answer(to.host, error=replace(answer.error, hint=_NO_TERMINAL))
    before_asking(to)
    try:
        return Answer(to.host, masters.log_in(to, person=True))
    except ToolkitError as error:
        return Answer(to.host, error=error)
