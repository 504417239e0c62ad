"""Collect a model: download it from the results bucket, verify checksums, load it and make predictions.

The check runs inside the image that trained the model, so this machine needs no TensorFlow. If the submitted code has a
`check_model.py`, it runs there too, with the model's folder as its argument and the training data in DATA_DIR; a status
other than 0 fails the collection, and its last line may be a JSON object of metrics.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from toolkit.agent.checksums import SUMS, plain
from toolkit.agent.metrics import Metric, read_metrics
from toolkit.containers.engine import LOCAL
from toolkit.errors import ToolkitError
from toolkit.manifest.model import Manifest
from toolkit.run.finish.digests import refuse_damaged, stored_digests
from toolkit.run.finish.fetch import Fetch, Named, OnBytes, is_bulk
from toolkit.run.finish.model_check import Answer, ModelCheck
from toolkit.run.finish.own_folder import MARKER, OwnFolder
from toolkit.run.finish.selection import BESIDES, CODE, MODEL, Selection
from toolkit.run.finish.staging import Staging, staged, staging_path
from toolkit.run.finish.wanted import Wanted, read_wanted
from toolkit.run.follow.connect import results_host
from toolkit.run.plan.code_listing import load_listing, refuse_other_code
from toolkit.run.plan.training_id import new_label
from toolkit.run.records.record import Record
from toolkit.run.serving.signatures import Signatures
from toolkit.storage.bulk_download import BulkDownload
from toolkit.storage.client import Access
from toolkit.storage.examine import examined
from toolkit.storage.open_storage import Opened, open_access
from toolkit.storage.s3 import Store

_LOADING = "loading it in the image that trained it"
_KEPT = "comparing what is here already"
_WAITING = "waiting for another collection of this run"

Report = Callable[[str, int, int], None]
"""Gets the current file, bytes so far and total bytes."""


@dataclass(frozen=True)
class Collected:
    """A collected model: its folder, number of files and bytes, and the result of the check.

    `missing` are files to collect that the run did not write; `unchecked`, those that only the store has a checksum of;
    `unloaded` is why no model was loaded, empty if it was.
    """

    folder: Path
    files: int
    size: int
    signatures: Signatures
    metrics: dict[str, Metric]
    said: str
    missing: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()
    unloaded: str = ""


class Collection:
    """Collects one run's model. `run` is the workflow."""

    def __init__(
        self,
        record: Record,
        manifest: Manifest,
        home: Path,
        target: Path,
        side_image: str,
        report: Report,
        what: Sequence[str] = (MODEL,),
    ) -> None:
        """`what` are the words of a `Selection`."""
        self._record, self._manifest, self._home = record, manifest, home
        self._own = OwnFolder(target.absolute() / record.training_id, record.training_id)
        self._folder = self._own.path
        self._side_image, self._report = side_image, report
        self._check_id = new_label(record.training_id)
        self._selection = Selection(tuple(what), manifest.collect, self._own.listed().keys())

    @property
    def loads_model(self) -> bool:
        """Whether it needs the image that trained the model."""
        return self._selection.with_model

    @property
    def kept(self) -> Path | None:
        """The folder with what arrived of a collection that did not end; None if there is none."""
        path = staging_path(self._own)
        return path if path.is_dir() else None

    def run(self) -> Collected:
        """Fetch what is wanted, unless it is here and complete; check the model. Raises `ToolkitError`; what arrived is
        kept, and the next collection continues with it."""
        with (
            results_host(self._record, self._manifest) as host,
            open_access(self._manifest, self._home, self._side_image, self._check_id, host=host) as opened,
            ExitStack() as stack,
            ThreadPoolExecutor(1) as pool,
        ):
            stack.callback(LOCAL.remove_run, self._check_id)  # no container or volume stays, interrupted or not
            try:
                answer, wanted = self._fetched_and_checked(opened, pool)
            except BaseException:
                LOCAL.remove_run(self._check_id)  # else the pool would wait for a check that nobody needs
                raise
        own = {self._folder / SUMS, self._folder / MARKER}
        files = [file for file in self._folder.rglob("*") if file.is_file() and file not in own]
        size = sum(file.stat().st_size for file in files)
        *said, last = answer.said or [""]
        metrics = read_metrics(last)
        report = "\n".join(said if metrics else answer.said)
        asked = self._manifest.collect if MODEL in self._selection.words else ()
        missing = tuple(path for path in asked if not (self._folder / BESIDES / path).exists())
        names = sorted(file.relative_to(self._folder).as_posix() for file in files)
        plainly = {plain(key) for key in wanted.digests}
        unchecked = tuple(name for name in names if not self._has_digest(name, plainly))
        facts = (answer.signatures, metrics, report, missing, unchecked, wanted.unloaded)
        return Collected(self._folder, len(files), size, *facts)

    def _has_digest(self, name: str, plainly: set[str]) -> bool:
        """Whether a collected file has a checksum other than the store's: from the run's agent or its launch."""
        folder, _, rest = name.partition("/")
        if folder == CODE:
            return bool(self._record.code_digest)
        return plain(f"{self._record.training_id}/{rest if folder == BESIDES else name}") in plainly

    def _fetched_and_checked(self, opened: Opened, pool: ThreadPoolExecutor) -> tuple[Answer, Wanted]:
        access = examined(opened["results"], self._record.results_bucket)
        store = Store(access)
        digests = stored_digests(store, self._record)
        self._own.refuse_foreign()
        wanted = read_wanted(store, self._record, self._selection, digests)
        if not self._is_here(wanted):
            with staged(self._own, lambda: self._report(_WAITING, 0, 0)) as staging:
                if (earlier := self._own.listed().keys()) != self._selection.earlier:  # of one that we waited for
                    self._selection = replace(self._selection, earlier=earlier)
                    wanted = read_wanted(store, self._record, self._selection, digests)
                if not self._is_here(wanted):
                    return self._fetched(opened, access, staging, wanted, pool), wanted
        self._say_that_it_loads(wanted)
        return self._checked(opened, self._folder, wanted), wanted

    def _is_here(self, wanted: Wanted) -> bool:
        listed = self._own.listed()
        return all(listed.get(name) == sha256 for name, sha256 in wanted.sums(listed)) and self._own.holds(listed)

    def _fetched(
        self, opened: Opened, access: Access, staging: Staging, wanted: Wanted, pool: ThreadPoolExecutor
    ) -> Answer:
        """Fetch what is not here, check it, and put all of it in its place."""
        for label in staging.earlier_labels():
            LOCAL.remove_run(label)
        if self._own.listed() or any(staging.new.iterdir()):
            self._report(_KEPT, 0, 0)
        sums, folder = staging.kept(wanted.all, wanted.digests), staging.new
        left = [[named for named in part if named[0] not in sums] for part in (wanted.checked, wanted.besides)]
        on_bytes = self._progress(wanted.all, sum(item.size for name, item in wanted.all if name in sums))
        with self._bulk(access, staging.downloads(self._check_id), left, wanted.digests) as bulk:
            fetch = Fetch(Store(access), self._record.results_bucket, folder, wanted.digests, on_bytes, bulk)
            sums |= fetch.fetch(left[0])
            self._refuse_damaged(wanted, wanted.checked, sums)
            if self._selection.with_model:
                self._compare_code(folder, sums)
            if wanted.besides:
                checking = pool.submit(self._checked, opened, folder, wanted)  # while the rest arrives
                sums |= fetch.fetch(left[1])
                self._refuse_damaged(wanted, wanted.besides, sums)
                try:
                    self._say_that_it_loads(wanted)
                    return checking.result()
                finally:
                    staging.finish(sums)  # not before the engine has mounted it, and also if it failed its check
            staging.finish(sums)
        self._say_that_it_loads(wanted)
        return self._checked(opened, self._folder, wanted)

    def _say_that_it_loads(self, wanted: Wanted) -> None:
        if not wanted.unloaded:
            self._report(_LOADING, 0, 0)

    def _checked(self, opened: Opened, folder: Path, wanted: Wanted) -> Answer:
        if wanted.unloaded:
            return Answer(signatures={}, said=[])
        check = ModelCheck(self._record, self._manifest, self._check_id, self._side_image, self._folder)
        return check.run(opened.remotes, folder)

    @contextmanager
    def _bulk(
        self, access: Access, folder: Path, parts: Iterable[Sequence[Named]], digests: Mapping[str, str]
    ) -> Iterator[BulkDownload | None]:
        """What downloads faster into `folder`, if one of the parts is large enough."""
        if not any(is_bulk(part, digests) for part in parts):
            yield None
            return
        name, place = f"toolkit-{self._check_id}-collect", (self._record.results_bucket, self._record.training_id)
        bulk = BulkDownload(LOCAL, name, *place, folder)
        with bulk.started(self._check_id, self._side_image, access):
            yield bulk

    def _refuse_damaged(self, wanted: Wanted, part: Sequence[Named], sums: Mapping[str, str]) -> None:
        """Raise `ToolkitError` (S302) if what was fetched of a part is not all that the run wrote."""
        refuse_damaged(self._record, wanted.written(part), {item.key: sums[name] for name, item in part})

    def _progress(self, wanted: Sequence[Named], done: int) -> OnBytes:
        total = sum(item.size for _, item in wanted)

        def on_bytes(name: str, count: int) -> None:
            nonlocal done
            done += count
            self._report(name or f"{len(wanted)} files", min(done, total), total)

        return on_bytes

    def _compare_code(self, folder: Path, sums: Mapping[str, str]) -> None:
        """Raise if the code is not what was submitted, before it runs: it is not kept. Set the modes, which buckets do
        not keep."""
        listing = load_listing(self._home, self._record.training_id, self._record.code_digest)
        if not listing:
            return
        found = {name.removeprefix("code/"): sha for name, sha in sums.items() if name.startswith("code/")}
        try:
            refuse_other_code(self._record.training_id, listing, found)
        except ToolkitError:
            shutil.rmtree(folder / "code")
            raise
        for file in listing:
            (folder / "code" / file.name).chmod(0o755 if file.executable else 0o644)


def with_result(record: Record, collected: Collected) -> Record:
    """The record with the model's folder and the metrics of its check."""
    return replace(record, collected=str(collected.folder), metrics=record.metrics | collected.metrics)
