"""Create and remove a lab, step by step. Partial results are removed again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from toolkit import interrupts
from toolkit.containers.engine import LOCAL
from toolkit.errors import Code, ToolkitError
from toolkit.file_lock import lock
from toolkit.lab import lab_argv
from toolkit.lab.files import cluster_file, public_key, remove_files, write_files
from toolkit.lab.host import Answering, GivenUp, switch_off, switch_on, wait_for
from toolkit.lab.inspect import folders_of, hosts_of, names_of, net_of
from toolkit.lab.model import Change, Lab, Net, changes, foreign_folder, wanted_hosts
from toolkit.paths import private_folder
from toolkit.progress import Progress, Report

_AT_ONCE = 8
"""Hosts that start in parallel: each runs an engine, and all share this machine's cores."""


@dataclass(frozen=True)
class LabUp:
    """A lab that is up: its hosts, its network, its cluster file, and what was changed to get there."""

    lab: Lab
    hosts: tuple[Answering, ...]
    net: Net
    cluster_file: Path
    change: Change


class BringUp:
    """One `toolkit lab up`. `run` is the workflow."""

    def __init__(self, lab: Lab, hosts: int | None, image: str, report: Report) -> None:
        self._lab, self._hosts, self._image, self._report = lab, hosts, image, report
        self._stop = Event()

    def run(self) -> LabUp:
        """Create or resize the lab; raises `ToolkitError` (S100) with the last lines of a host that does not answer."""
        lab = self._lab
        with alone(lab, self._report):
            refuse_foreign(lab)
            cluster_file(lab)
            found = hosts_of(lab.name)
            wanted = wanted_hosts(self._hosts, len(found))
            change = changes(found, wanted, self._image, key_is_here=lab.identity.is_file())
            try:
                return self._carry_out(change)
            except BaseException:
                with interrupts.ignored():
                    self._take_back(change)
                raise

    def _carry_out(self, change: Change) -> LabUp:
        lab = self._lab
        for number in change.remove:
            switch_off(lab, number)
        key = public_key(lab)
        if not names_of("network", lab.name):
            LOCAL.run(lab_argv.create_network(lab))

        def bring(number: int) -> Answering:
            if number in change.make:
                switch_on(lab, number, self._image, key)
            return wait_for(lab, number, self._stop)

        answering = self._at_once(bring, sorted((*change.make, *change.keep)))
        return self._written(answering, change)

    def _at_once(self, bring: Callable[[int], Answering], numbers: Sequence[int]) -> tuple[Answering, ...]:
        """Call `bring` for every host, some in parallel; the first error ends the others."""
        pool = ThreadPoolExecutor(_AT_ONCE)
        try:
            futures: list[Future[Answering]] = [pool.submit(bring, number) for number in numbers]
            for done, future in enumerate(as_completed(futures), 1):
                name = future.result().host.name
                self._report(Progress(self._lab.name, f"{name} answers", done, len(numbers)))
            return tuple(future.result() for future in futures)
        finally:
            self._stop.set()
            with interrupts.ignored():  # what is being started can be removed only once it exists
                pool.shutdown(cancel_futures=True)

    def _written(self, answering: Sequence[Answering], change: Change) -> LabUp:
        net = net_of(self._lab)
        keys = {one.host.container: one.key for one in answering}
        file = write_files(self._lab, [one.host for one in answering], keys, net)
        return LabUp(self._lab, tuple(answering), net, file, change)

    def _take_back(self, change: Change) -> None:
        """Remove what this run created; hosts that were up before stay, and the files list only them."""
        if not change.keep:
            take_down(self._lab)
            return
        for number in change.make:
            switch_off(self._lab, number)
        try:
            kept = [wait_for(self._lab, number, self._stop) for number in change.keep]
        except (ToolkitError, GivenUp):
            return  # they do not answer either: the error being raised says so
        self._written(kept, change)


def take_down(lab: Lab) -> list[str]:
    """Remove every container, network, volume and file of `lab`, whoever owns it; returns what was removed, by name.

    It checks more than once: after an interrupted client, the engine may still finish its request. Raises
    `ToolkitError` (S100) if something could not be removed.
    """
    labs = [lab, *(Lab(lab.name, folder) for folder in sorted(folders_of(lab.name) - {lab.folder}))]
    removed = LOCAL.remove_all(lambda noun: names_of(noun, lab.name))
    if removed.left:
        evidence = "\n".join(removed.left.values())
        raise ToolkitError(Code.RESOURCES, f"lab {lab.name} could not be removed", evidence=evidence)
    return [*removed.gone, *(str(file) for one in labs for file in remove_files(one))]


def refuse_foreign(lab: Lab) -> None:
    """Raise `ToolkitError` (C104) if hosts of this lab use a key from another folder."""
    if folder := foreign_folder(lab, folders_of(lab.name)):
        raise ToolkitError(
            Code.RESOURCES_ASKED,
            f"lab `{lab.name}` is already up; its key is in {folder}",
            hint=f"choose another --name, or remove that lab: toolkit lab down --name {lab.name}",
        )


@contextmanager
def alone(lab: Lab, report: Report) -> Iterator[None]:
    """Only one `toolkit lab` at a time changes a user's labs; others wait."""
    handle = os.open(private_folder(lab.folder.parent.parent), os.O_RDONLY | os.O_DIRECTORY)
    try:
        lock(handle, lambda: report(Progress(lab.name, "another `toolkit lab` is running: waiting")))
        yield
    finally:
        os.close(handle)
