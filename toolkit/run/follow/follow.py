"""Follow a run: its agents' reports, on the screen and in the records. The run does not depend on it.

A follower may leave at any time. It learns the outcome from learner 1's agent; if that is gone, from the bucket; if its
host is lost, from the other hosts' agents.
"""

from __future__ import annotations

import getpass
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from toolkit import interrupts
from toolkit.errors import Code, ToolkitError
from toolkit.run.follow.agent_client import AgentClient, Presence
from toolkit.run.follow.events import Beat, Event, Events, Gone, Line, Over, Reported, Silence
from toolkit.run.follow.reported import read_report
from toolkit.run.follow.view import Choice, Unbreakable, View
from toolkit.run.launch.launcher_process import lives
from toolkit.run.records.reconcile import from_volume, host_lost, never_began
from toolkit.run.records.record import Record
from toolkit.run.records.record_store import Records
from toolkit.run.records.stored_run import StoredRun

_AGAIN_SECONDS = 2.0
_GONE_SECONDS = 20.0
_POLL_SECONDS = 0.2


class Detached(Exception):
    """The user stopped following; the run continues."""


@dataclass(frozen=True)
class Watched:
    """The run to follow.

    Attributes:
        clients: the run's agents by host, learner 1's first.
        stored: opens the run as stored in its bucket.
        lost: seconds of silence until a host counts as lost.
    """

    record: Record
    clients: Mapping[str, AgentClient]
    stored: Callable[[], AbstractContextManager[StoredRun]]
    lost: int = 15


class Watch:
    """Follows one run; `run` returns when it has ended."""

    def __init__(self, watched: Watched, records: Records, view: View) -> None:
        self._watched, self._records, self._view = watched, records, Unbreakable(view)
        self._record = watched.record
        self._offset = 0
        self._states = len(watched.record.states)
        self._stopping = False
        self._silent = self._asked = 0.0
        self._unheard: tuple[str, ...] = ()
        self._refused = False

    def run(self) -> Record:
        """Follow to the end; returns the final record. Raises `Detached` if following stops earlier."""
        events = self._events()
        while not self._record.final:
            try:
                event = next(events, None)
                if event is None:
                    break
                self._take(event)
                interrupts.check()
            except KeyboardInterrupt:
                interrupts.answered()
                self._interrupted()
                events = self._events()  # an interrupted generator is finished
        self._wait_until_gone()
        return self._record

    def _wait_until_gone(self) -> None:
        """Wait until the agents have cleaned up after the end, unless it takes long."""
        until = time.monotonic() + _GONE_SECONDS
        waiting = dict(self._watched.clients)
        while waiting and time.monotonic() < until:
            waiting = {host: one for host, one in waiting.items() if one.presence() is Presence.THERE}
            if waiting:
                time.sleep(_POLL_SECONDS)
        if waiting:
            hosts = ", ".join(host or "this machine" for host in waiting)
            self._view.note(f"still active on {hosts}: its containers are being removed")

    def _events(self) -> Iterator[Event]:
        return iter(Events(next(iter(self._watched.clients.values())), self._offset))

    def _take(self, event: Event) -> None:
        if not isinstance(event, Silence):
            self._silent = 0.0
        match event:
            case Line():
                self._view.line(event)
                self._offset = event.following
            case Reported(data):
                self._on_report(data)
            case Silence(seconds, why):
                self._silence(seconds, why)
            case Gone(offset):
                self._from_bucket(offset)
            case Beat():
                self._view.beat()
            case Over():
                pass

    def _on_report(self, data: Mapping[str, Any]) -> None:
        """Apply a report of learner 1's agent. An invalid one is noted once and ignored."""
        try:
            report = read_report(data, self._watched.record)
        except ValueError as error:
            if not self._refused:
                self._view.note(f"invalid report from the run's agent: {error}")
            self._refused = True
            return
        self._update(report.record, report.note)
        if new := [host for host in report.silent if host not in self._unheard]:
            self._view.note(f"{', '.join(new)} does not respond and holds unsaved results; waiting for it")
        self._unheard = report.silent
        if report.waiting:
            self._view.storing(*report.waiting)

    def _update(self, record: Record, note: str) -> None:
        """Take a new record; show and save its new states."""
        new = record.states[self._states :]
        self._record, self._states = record, max(len(record.states), self._states)
        if new:
            self._records.save(record)
            self._view.state(record, record.reason if record.final else note)

    def _from_bucket(self, offset: int) -> None:
        """The agent is gone and has not reported the end to us: it exited between two polls, or was killed."""
        if self._stored_end(offset):
            return
        if ended := self._launchers_word() or self._left_behind():
            self._update(ended, ended.reason)
            return
        host = next(iter(self._watched.clients)) or "this machine"
        self._lost(f"the run's agent on {host} is gone: it was killed, or the host's engine was stopped", host)

    def _left_behind(self) -> Record | None:
        """The outcome as saved in the run's volume, which stays if the record could not be published."""
        try:
            found = from_volume(self._record, next(iter(self._watched.clients.values())).engine)
        except ToolkitError:
            return None
        return found if found and found.final else None

    def _stored_end(self, offset: int) -> bool:
        """Show the run's last lines and outcome as the bucket has them; false if it has no outcome."""
        record = None
        try:
            with self._watched.stored() as stored:
                record = stored.record()
                for line in stored.lines(offset) if record else ():
                    self._view.line(line)
        except ToolkitError as error:
            missing = "the run's last lines" if record else "how the run ended"
            self._view.note(f"the bucket could not be read for {missing}: {error.what}")
        if record:
            self._update(record, record.reason)
        return record is not None

    def _launchers_word(self) -> Record | None:
        """The outcome of a run that never started, which its launcher here is about to record. None if it has started,
        or if the launcher is elsewhere."""
        until = time.monotonic() + _GONE_SECONDS
        while time.monotonic() < until:
            try:
                known = self._records.find(self._record.training_id)
            except ToolkitError:
                return None
            if known.final or known.launcher is None:
                return known if known.final else None
            if not lives(known.launcher):
                known = self._records.find(known.training_id)  # saved just before it exited
                return known if known.final else never_began(known)
            time.sleep(_POLL_SECONDS)
        return None

    def _silence(self, seconds: float, why: str) -> None:
        """No response from learner 1's host: is it lost, or are we disconnected? The other hosts know."""
        hosts = [name or "this machine" for name in self._watched.clients]
        if not self._silent:
            self._view.note(f"no response from {hosts[0]} for {seconds:.0f} s ({why}); retrying, the run continues")
        self._silent = seconds
        now = time.monotonic()
        if now - self._asked < _AGAIN_SECONDS:
            return
        self._asked = now
        others = list(self._watched.clients.values())[1:]
        if others:
            presences = [(client, client.presence()) for client in others]
            unheard = any(client.state().get("unheard") for client, there in presences if there is Presence.THERE)
            ended = seconds > self._watched.lost and any(there is Presence.GONE for _, there in presences)
            if (unheard or ended) and not self._stored_end(self._offset):
                self._lost(f"{hosts[0]} is lost: neither the other hosts nor this machine can reach it", hosts[0])
        elif seconds > self._watched.lost and not self._watched.record.hosts:
            self._lost(f"the engine of {hosts[0]} has not answered for {seconds:.0f} s", hosts[0])

    def _lost(self, what: str, host: str) -> None:
        """No agent is left to determine the outcome, so it is determined here."""
        hint = f"check the host (toolkit doctor); recover its results with: toolkit rescue {self._record.training_id}"
        self._update(host_lost(self._record, what, hint, host), what)

    def _interrupted(self) -> None:
        """Ctrl-C prompts; a closed terminal or a `kill` only detaches."""
        if interrupts.number() in (signal.SIGHUP, signal.SIGTERM) or self._stopping:
            raise Detached
        choice = self._view.interrupted()
        if choice is Choice.DETACH:
            raise Detached
        if choice is Choice.STOP:
            self._stopping = True
            self._view.note("stopping; the run's results are stored first (Ctrl-C again: do not wait for it)")
            stop(self._watched.clients)


def this_person() -> str:
    """The requesting user, as recorded: `ada@desk`."""
    return f"{getpass.getuser()}@{socket.gethostname()}"


def stop(clients: Mapping[str, AgentClient]) -> str:
    """Ask learner 1's agent to stop the run or, if it does not answer, the others in turn; returns who asked first.

    Raises `ToolkitError` (S100) if none of them answers.
    """
    who = this_person()
    errors = []
    for client in clients.values():
        try:
            if asked := client.stop(who):
                return asked
        except ToolkitError as error:
            errors.append(error.what)
    raise ToolkitError(
        Code.RESOURCES,
        "no agent of the run responds",
        evidence="\n".join(errors),
        hint="see toolkit show; toolkit stop --force ends a run whose agents hang",
    )
