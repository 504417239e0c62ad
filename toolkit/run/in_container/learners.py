"""The other learners, seen from learner 1: do they answer? Python 3.5.

Each gets a heartbeat request every second over an ssh connection, and answers with what it was sent. That also tells
it that learner 1 lives (`beat.sh` there). One that is silent for too long is lost, whatever TCP or mpirun believe: Open
MPI 4.1 was measured to notice after eight minutes, 5.0 to notice and to exit with 0.

The connections are opened while the run is prepared, and mpirun of Open MPI 4.1 starts its daemons over them: a new
connection costs both sides a key exchange. Those daemons detach, so a connection that is cut later takes nothing with
it; those of 5 do not, and get connections of their own (`learner.ssh_config.j2`).
"""

import socket
import subprocess
import threading
import time
from typing import Any, Dict, List

_BEAT_SECONDS = 1.0
_FAREWELL_SECONDS = 3.0
_LOOK_SECONDS = 0.1


def wait_for_learners(learners: List[Dict[str, Any]], port: int, seconds: float) -> List[str]:
    """Wait until sshd answers on every other learner; the names of those that did not in time."""
    deadline = time.monotonic() + seconds
    waiting = [learner["hostname"] for learner in learners if learner["number"] != 1]
    while waiting and time.monotonic() < deadline:
        waiting = [hostname for hostname in waiting if not answers(hostname, port)]
        if waiting:
            time.sleep(_LOOK_SECONDS)
    return waiting


def answers(hostname: str, port: int) -> bool:
    """Whether a connection to `hostname` is taken and the first bytes are ssh's."""
    try:
        with socket.create_connection((hostname, port), timeout=2) as connection:
            connection.settimeout(2)
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


class Beats:
    """Heartbeats from each other learner, every second, from the moment its sshd listens on `port`."""

    def __init__(self, learners: List[Dict[str, Any]], port: int, agent: List[str], lost: float) -> None:
        self._port, self._lost = port, lost
        self._over = threading.Event()
        names = [learner["hostname"] for learner in learners if learner["number"] != 1]
        self._answered = {name: time.monotonic() for name in names}
        self._threads = [threading.Thread(target=self._keep_asking, args=(name, agent), daemon=True) for name in names]
        for thread in self._threads:
            thread.start()

    def begin(self) -> None:
        """All should answer from now on: no silence before this moment counts."""
        for name in self._answered:
            self._answered[name] = time.monotonic()

    def lost(self) -> List[str]:
        """The learners that have been silent for too long."""
        return self.silent_since(time.monotonic() - self._lost)

    def silent_since(self, moment: float) -> List[str]:
        """The learners that have not answered after `moment`, by the monotonic clock."""
        return sorted(name for name, at in self._answered.items() if at <= moment)

    def end(self) -> None:
        """Tell every learner that the run is over, and wait a little until they have it."""
        self._over.set()
        until = time.monotonic() + _FAREWELL_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _keep_asking(self, name: str, agent: List[str]) -> None:
        """Ask over one connection after the other: one that is cut is no proof that the learner is gone."""
        while not self._over.is_set() and not answers(name, self._port):
            time.sleep(_LOOK_SECONDS)
        answered = False
        while not answered:
            process = subprocess.Popen(
                agent + ["-o", "ControlMaster=auto", name, "/bin/sh", "/run/learner/beat.sh"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # a signal to the supervisor's group is none to its connections
            )
            threading.Thread(target=self._listen, args=(name, process), daemon=True).start()
            answered = self._ask(process)
            process.kill()
            process.wait()
            if self._over.is_set():
                return
            time.sleep(_BEAT_SECONDS)

    def _ask(self, process: Any) -> bool:
        """Send beats until the connection is cut; true once the learner knows that the run is over."""
        beat = 0
        try:
            while process.poll() is None:
                beat += 1
                over = self._over.is_set()  # once: it may become true between two looks
                process.stdin.write(b"end\n" if over else b"%d\n" % beat)
                process.stdin.flush()
                if over:
                    process.wait(timeout=2)
                    return True
                self._over.wait(_BEAT_SECONDS)
        except (OSError, subprocess.TimeoutExpired):
            pass
        return self._over.is_set()

    def _listen(self, name: str, process: Any) -> None:
        while process.stdout.readline():
            self._answered[name] = time.monotonic()
