"""Many jobs at once."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from toolkit.cluster.model import Cluster, Deadlines
from toolkit.errors import Code, ToolkitError
from toolkit.hosts.cluster_hosts import Hosts
from toolkit.hosts.parallel import Answer, Job, do_all
from toolkit.process import CommandFailed, Result

BROKEN = ToolkitError(Code.RESOURCES, "broken")
FAILED = CommandFailed(Result(("x",), 1, "", ""))


def fail(error: Exception) -> int:
    raise error


def test_answers_come_in_order_and_one_failure_stops_no_other() -> None:
    def late() -> int:
        time.sleep(0.1)
        return 1

    jobs = [Job("a", late), Job("b", lambda: fail(BROKEN)), Job("c", lambda: fail(FAILED)), Job("d", lambda: 4)]
    answers = do_all(jobs, at_once=4)
    assert answers == (Answer("a", 1), Answer("b", error=BROKEN), Answer("c", error=FAILED), Answer("d", 4))
    assert answers[0].get() == 1
    with pytest.raises(ToolkitError, match="broken"):
        answers[1].get()
    assert do_all([], at_once=4) == ()


def test_no_more_than_so_many_run_at_the_same_time() -> None:
    lock, running, most = threading.Lock(), 0, 0

    def act() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.01)
        with lock:
            running -= 1

    do_all([Job(str(index), act) for index in range(20)], at_once=3)
    assert most == 3


def test_a_mistake_of_ours_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        do_all([Job("a", lambda: 1 // 0), Job("b", lambda: 2)], at_once=1)


def test_a_ctrl_c_hurries_what_runs_and_starts_nothing_more() -> None:
    stop, hurried, started = threading.Event(), threading.Event(), []

    def act() -> None:
        started.append(1)
        hurried.wait(10)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    timer = threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            do_all([Job(str(index), act) for index in range(5)], at_once=2, stop=stop, hurry=hurried.set)
    finally:
        signal.signal(signal.SIGINT, before)
    assert stop.is_set()
    assert len(started) == 2


def test_this_machine_is_the_one_host_of_a_local_cluster() -> None:
    with Hosts(Cluster("local", "local", "none", Deadlines(60, 10, 600))) as hosts:
        answers = hosts.each(lambda shell: shell.run(["echo", shell.name]).output)
        assert answers == (Answer("this machine", "this machine\n"),)
        assert hosts.shell("this machine").run(["true"]).ok
        with pytest.raises(KeyError):
            hosts.shell("other")
