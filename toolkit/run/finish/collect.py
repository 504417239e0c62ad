"""Collect a model: download it from the results bucket, verify checksums, load it and make predictions.

The check runs inside the image that trained the model, so this machine needs no TensorFlow. If the submitted code has a
`check_model.py`, it runs there too, with the model's folder as its argument and the training data in DATA_DIR; a status
other than 0 fails the collection, and its last line may be a JSON object of metrics.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from toolkit.agent.checksums import SUMS, plain
from toolkit.agent.metrics import Metric, read_metrics
from toolkit.containers.engine import LOCAL
from toolkit.errors import Code, ToolkitError
from toolkit.manifest.model import Manifest
from toolkit.run.finish.digests import by_listed_key, refuse_damaged, stored_digests
from toolkit.run.finish.fetch import Fetch, Named, OnBytes, is_bulk
from toolkit.run.finish.own_folder import MARKER, OwnFolder
from toolkit.run.follow.connect import results_host
from toolkit.run.plan.code_listing import load_listing, refuse_other_code
from toolkit.run.plan.make_plan import data_of
from toolkit.run.plan.run_plan import CODE_FOLDER, HostFolder, data_folder_of
from toolkit.run.plan.training_id import new_label
from toolkit.run.records.record import Record, plain_json
from toolkit.runtimes.specs import Bind
from toolkit.storage.bulk_download import BulkDownload
from toolkit.storage.client import Access
from toolkit.storage.examine import examined
from toolkit.storage.object_paths import file_names
from toolkit.storage.open_storage import Opened, open_access
from toolkit.storage.s3 import Store
from toolkit.storage.sidecar import Mount, SideContainer

CHECK_PROGRAM = "check_model.py"
_LOADER = Path(__file__).parents[1] / "in_container" / "load_model.py"
_FETCHED = {"model": "model", "_submitted_code": "code"}
"""Folders under the run's prefix, and their local names."""
_LOADING = "loading it in the image that trained it"
_BESIDES = "files"
"""The local folder for the manifest's additional files."""

Report = Callable[[str, int, int], None]
"""Gets the current file, bytes so far and total bytes."""


@dataclass(frozen=True)
class Collected:
    """A collected model: its folder, number of files and bytes, and the result of the check.

    `missing` are files to collect that the run did not write; `unchecked`, those that only the store has a checksum of.
    """

    folder: Path
    files: int
    size: int
    signatures: dict[str, Any]
    metrics: dict[str, Metric]
    said: str
    missing: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()


class _Answer(BaseModel):
    """The result of the check in the image. Untrusted: code and weights came from a bucket."""

    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False, defer_build=True)

    signatures: dict[str, Any]
    said: list[str]


class Collection:
    """Collects one run's model. `run` is the workflow."""

    def __init__(
        self, record: Record, manifest: Manifest, home: Path, target: Path, side_image: str, report: Report
    ) -> None:
        self._record, self._manifest, self._home = record, manifest, home
        self._own = OwnFolder(target.absolute() / record.training_id, record.training_id)
        self._folder = self._own.path
        self._side_image, self._report = side_image, report
        self._check_id = new_label(record.training_id)

    def run(self) -> Collected:
        """Fetch the model, unless it is here and complete; check it. Raises `ToolkitError`; keeps what was fetched."""
        with (
            results_host(self._record, self._manifest) as host,
            open_access(self._manifest, self._home, self._side_image, self._check_id, host=host) as opened,
            ExitStack() as stack,
            ThreadPoolExecutor(1) as pool,
        ):
            stack.callback(LOCAL.remove_run, self._check_id)  # no container or volume stays, interrupted or not
            try:
                answer, digests = self._fetched_and_checked(opened, pool)
            except BaseException:
                LOCAL.remove_run(self._check_id)  # else the pool would wait for a check that nobody needs
                raise
        files = [file for file in self._folder.rglob("*") if file.is_file() and file.name not in (SUMS, MARKER)]
        size = sum(file.stat().st_size for file in files)
        *said, last = answer.said or [""]
        metrics = read_metrics(last)
        report = "\n".join(said if metrics else answer.said)
        missing = tuple(path for path in self._manifest.collect if not (self._folder / _BESIDES / path).exists())
        names = sorted(file.relative_to(self._folder).as_posix() for file in files)
        plainly = {plain(key) for key in digests}
        unchecked = tuple(name for name in names if not self._has_digest(name, plainly))
        return Collected(self._folder, len(files), size, answer.signatures, metrics, report, missing, unchecked)

    def _has_digest(self, name: str, plainly: set[str]) -> bool:
        """Whether a collected file has a checksum other than the store's: from the run's agent or its launch."""
        folder, _, rest = name.partition("/")
        if folder == _FETCHED["_submitted_code"]:
            return bool(self._record.code_digest)
        return plain(f"{self._record.training_id}/{rest if folder == _BESIDES else name}") in plainly

    def _fetched_and_checked(self, opened: Opened, pool: ThreadPoolExecutor) -> tuple[_Answer, dict[str, str]]:
        access = examined(opened["results"], self._record.results_bucket)
        store = Store(access)
        digests = stored_digests(store, self._record)
        if not self._own.is_whole():
            self._own.refuse_foreign()
            checked, besides = self._wanted(store)
            wanted = [*checked, *besides]
            digests = by_listed_key(digests, (item.key for _, item in wanted))
            with self._own.replaced() as (folder, put), self._bulk(access, folder, (checked, besides), digests) as bulk:
                bucket, progress = self._record.results_bucket, self._progress(wanted)
                fetch = Fetch(store, bucket, folder, digests, progress, bulk)
                sums = self._verified(fetch, checked, list(_FETCHED))
                self._compare_code(folder, sums)
                if besides:
                    checking = pool.submit(self._check, opened.remotes, folder)  # while the rest arrives
                    sums |= self._verified(fetch, besides, list(self._manifest.collect))
                    try:
                        self._report(_LOADING, 0, 0)
                        return checking.result(), digests
                    finally:
                        put(sums)  # not before the engine has mounted it, and also if it failed its check
                put(sums)
        self._report(_LOADING, 0, 0)
        return self._check(opened.remotes, self._folder), digests

    @contextmanager
    def _bulk(
        self, access: Access, folder: Path, parts: Iterable[Sequence[Named]], digests: Mapping[str, str]
    ) -> Iterator[BulkDownload | None]:
        """What downloads faster, if one of the parts is large enough."""
        if not any(is_bulk(part, digests) for part in parts):
            yield None
            return
        name, place = f"toolkit-{self._check_id}-collect", (self._record.results_bucket, self._record.training_id)
        bulk = BulkDownload(LOCAL, name, *place, folder.parent / "downloads")
        with bulk.started(self._check_id, self._side_image, access):
            yield bulk

    def _verified(self, fetch: Fetch, wanted: Sequence[Named], places: Sequence[str]) -> dict[str, str]:
        """Fetch `wanted`, all that is in `places` below the run's prefix; returns each file's SHA-256 by its path.

        Raises `ToolkitError` (S302) if it is not what the run wrote.
        """
        sums, run = fetch.fetch(wanted, places), self._record.training_id
        keys = {item.key: sums[name] for name, item in wanted}
        refuse_damaged(self._record, fetch.digests, keys, [f"{run}/{place}" for place in places])
        return sums

    def _progress(self, wanted: Sequence[Named]) -> OnBytes:
        total, done = sum(item.size for _, item in wanted), 0

        def on_bytes(name: str, count: int) -> None:
            nonlocal done
            done += count
            self._report(name or f"{len(wanted)} files", min(done, total), total)

        return on_bytes

    def _compare_code(self, folder: Path, sums: Mapping[str, str]) -> None:
        """Raise if the code is not what was submitted, before it runs; set the modes, which buckets do not keep."""
        listing = load_listing(self._home, self._record.training_id, self._record.code_digest)
        if not listing:
            return
        found = {name.removeprefix("code/"): sha for name, sha in sums.items() if name.startswith("code/")}
        refuse_other_code(self._record.training_id, listing, found)
        for file in listing:
            (folder / "code" / file.name).chmod(0o755 if file.executable else 0o644)

    def _wanted(self, store: Store) -> tuple[list[Named], list[Named]]:
        """What the check needs, model and code, and what else the manifest wants."""
        besides = {path: f"{_BESIDES}/{path}" for path in self._manifest.collect}
        checked = list(self._named(store, _FETCHED))
        if not any(name.startswith("model/") for name, _ in checked):
            raise ToolkitError(
                Code.MODEL_CHECK,
                f"{self._record.results_bucket}/{self._record.training_id}/ has no folder model/",
                hint=f"the run ended as {self._record.state.value}; its program must write RESULT_DIR/model",
            )
        named = file_names([*checked, *self._named(store, besides)])
        return named[: len(checked)], named[len(checked) :]

    def _named(self, store: Store, places: Mapping[str, str]) -> Iterator[Named]:
        """The objects of folders and objects below the run's prefix, by their local path."""
        for remote, local in places.items():
            whole = f"{self._record.training_id}/{remote}"
            for item in store.objects(self._record.results_bucket, whole):
                if item.key == whole or item.key.startswith(f"{whole}/"):  # not one that merely shares the prefix
                    yield f"{local}{item.key.removeprefix(whole)}", item

    def _check(self, access: dict[str, Access], folder: Path) -> _Answer:
        """Load the model in the image that trained it, and run the user's own check; both are in `folder`."""
        code, own_check = folder / "code", folder / "code" / CHECK_PROGRAM
        binds = [Bind(str(folder / "model"), "/model", True), Bind(str(_LOADER), "/load_model.py", True)]
        command = ["python", "/load_model.py", "/model"]
        environment = {"HOME": "/tmp", "TF_CPP_MIN_LOG_LEVEL": "2"}
        if not own_check.is_file():
            return self._ask(binds, environment, command)
        binds.append(Bind(str(code), CODE_FOLDER, read_only=True))
        command.append(f"{CODE_FOLDER}/{CHECK_PROGRAM}")
        environment |= {"PYTHONPATH": CODE_FOLDER, "MODEL_DIR": CODE_FOLDER}
        data = data_of(self._manifest.training_data)
        if isinstance(data, HostFolder) and Path(data.path).is_dir():
            binds.append(Bind(data.path, data_folder_of(data), read_only=True))
            environment["DATA_DIR"] = data_folder_of(data)
        if not isinstance(data, Mount):  # if it is not on this machine, a check that needs it will say so
            return self._ask(binds, environment, command)
        with self._mounted_data(access, data) as volume:
            binds.append(Bind(f"{volume}/mnt", "/mnt", propagation="rslave"))
            return self._ask(binds, environment | {"DATA_DIR": data_folder_of(data)}, command)

    def _ask(self, binds: list[Bind], environment: dict[str, str], command: list[str]) -> _Answer:
        owner = f"{os.getuid()}:{os.getgid()}"
        names = (self._record.image_id, self._check_id, owner)
        argv = LOCAL.runtime.check_in_image(*names, binds, environment, command)
        result = LOCAL.run(argv, check=False, timeout=None)
        if not result.ok:
            raise ToolkitError(
                Code.MODEL_CHECK,
                f"the model of {self._record.training_id} failed its check (status {result.status})",
                evidence="\n".join([*result.output.splitlines(), *result.errors.splitlines()][-15:]),
                hint=f"it is in {self._folder / 'model'}",
            )
        try:
            return _Answer.model_validate_json(plain_json((result.output.splitlines() or [""])[-1]))
        except (ValueError, RecursionError):
            raise ToolkitError(
                Code.MODEL_CHECK,
                f"the check of {self._record.training_id}'s model exited with 0 but gave no result",
                evidence="\n".join(result.output.splitlines()[-15:]),
                hint=f"the model, or its {CHECK_PROGRAM}, ended the check; it is in {self._folder}",
            ) from None

    @contextmanager
    def _mounted_data(self, access: dict[str, Access], data: Mount) -> Iterator[str]:
        """The training data as a folder, mounted by a temporary side container."""
        name = f"toolkit-{self._check_id}"
        side = SideContainer(LOCAL, f"{name}-buckets", self._check_id, self._side_image, name)
        try:
            side.start()
            side.prepare({"data": examined(access["data"], data.bucket)}, [data])
            yield side.folder
        finally:
            side.unmount()


def with_result(record: Record, collected: Collected) -> Record:
    """The record with the model's folder and the metrics of its check."""
    return replace(record, collected=str(collected.folder), metrics=record.metrics | collected.metrics)
