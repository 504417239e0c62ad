"""The run's learners on this host: wait for, stop and inspect them, and monitor the store meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from toolkit.agent.docker_api import ContainerState, DockerApi, EngineRefused, Usage
from toolkit.agent.facts import LearnerEnd
from toolkit.agent.flush import NotStored
from toolkit.agent.job_spec import Job
from toolkit.agent.own_files import look
from toolkit.agent.paths import LOGS, STOP
from toolkit.agent.process_limit import ProcessLimits
from toolkit.agent.service import BucketClient
from toolkit.agent.untrusted import Replacements
from toolkit.agent.upload_progress import Progress, Waiting

_POLL_SECONDS = 0.25
_STORE_SECONDS = 2.0
_TELL_SECONDS = 8.0
"""After so long without an upload, followers see how many files are waiting."""
_FRESH_SECONDS = 15.0
_OWN_SECONDS = 2
"""Time for a learner's supervisor to record how its command ended, after the time to stop."""


class Learners:
    """The learners of `job` on this host. `gave_up` says why they were stopped, if because of the store."""

    def __init__(
        self, job: Job, engine: DockerApi, bucket: BucketClient, tell: Callable[[Waiting], None], found: Replacements
    ) -> None:
        self._job, self._engine, self._bucket, self._tell, self._found = job, engine, bucket, tell, found
        self._began = time.time()
        self._progress, self._asked = Progress(time.monotonic()), time.monotonic()
        self.gave_up: NotStored | None = None
        self._limits = ProcessLimits({one.number: one.container for one in job.here}, engine)

    def wait(self) -> None:
        """Wait until learner 1 has ended (elsewhere: this host's learners). Forwards a stop request."""
        first = self._job.here[:1] if self._job.leads else self._job.here
        stopping = False
        with self._limits.watched():
            while any(self._look(learner.container).running for learner in first):
                if not stopping and (Path(STOP).exists() or self._limits.met or self._must_end(time.monotonic())):
                    stopping = True
                    self._stop()
                time.sleep(_POLL_SECONDS)
        self._stop()

    def usage(self) -> dict[int, Usage]:
        """What each of them uses, by its number."""
        oldest = time.monotonic() - _FRESH_SECONDS
        return {number: one for number, one in dict(self._limits.usage).items() if one.at > oldest}

    def ends(self) -> tuple[LearnerEnd, ...]:
        """How each of them ended."""
        found = []
        for learner in self._job.here:
            state = self._look(learner.container)
            oom = state.oom
            with suppress(EngineRefused):
                oom = oom or (state.there and self._engine.oom_since(learner.container, self._began, time.time()))
            met = self._limits.met.get(learner.number, 0)
            found.append(LearnerEnd(learner.number, state.exit_status, oom, met))
        return tuple(found)

    def _stop(self) -> None:
        """Stop all of them; a process waiting for a store that does not answer can only be ended without its mount."""
        for learner in self._job.here:
            self._ask(learner.container, self._job.stop + _OWN_SECONDS)
            if self._look(learner.container).running:
                with suppress(NotStored):  # then there is no mount to wait for
                    self._bucket.abort()
                self._ask(learner.container, 0)

    def _ask(self, container: str, seconds: int) -> None:
        """Ask it to exit; retry once if the engine did not answer, which says nothing about the learner."""
        for _ in range(2):
            try:
                return self._engine.stop(container, seconds)
            except EngineRefused:
                if not self._look(container).running:  # waits for the engine
                    return None
        return None

    def _must_end(self, now: float) -> bool:
        """Whether the commands must end: the program has replaced the run's own files, or nothing can be stored."""
        if now - self._asked < _STORE_SECONDS:
            return False
        self._asked = now
        look(Path(LOGS), self._found)
        return bool(self._found.what) or self._must_give_up(now)

    def _must_give_up(self, now: float) -> bool:
        """Whether no upload has succeeded for so long that the run must end."""
        try:
            waiting = self._bucket.waiting()
        except NotStored as error:
            self.gave_up = error
            return True
        if self._progress.moved(now, waiting):
            self._tell(Waiting())
            return False
        silent = self._progress.silent(now)
        if silent > _TELL_SECONDS:
            self._tell(waiting)
        if silent > self._job.store:
            reason, said = self._bucket.refusal()
            what = f"no upload has succeeded for {silent:.0f} s, {waiting.count} files are waiting ({reason})"
            self.gave_up = NotStored(reason, what, f"{said}\n{waiting.named}")
        return self.gave_up is not None

    def _look(self, container: str) -> ContainerState:
        """A container's state; retries if the engine does not answer, because it may be restarting."""
        until = time.monotonic() + self._job.lost
        while True:
            try:
                return self._engine.state(container)
            except EngineRefused:
                if time.monotonic() > until:
                    return ContainerState(there=False)
                time.sleep(_POLL_SECONDS)
