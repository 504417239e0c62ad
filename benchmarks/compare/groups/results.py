"""Results: written through the mount, stored, and collected; beside rclone, which does nothing but copy.

The program writes one gigabyte, or ten thousand files of ten kilobytes, of bytes that are different each time.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.compare.case import Case
from benchmarks.compare.store import RCLONE, S3, serving
from benchmarks.compare.workspace import PEERS, TOOLKIT, Workspace
from benchmarks.launched import ROOT, write_manifest
from toolkit.image.tool_images import buckets_reference

_ROUNDS = 3
_FOLDER = "written"
_MOUNTED = "toolkit-bench-mount"
CACHE = "/cache"
_AGAIN = (
    "rclone waits a second for the file to be opened again; afterwards the store is listed, for which it reads the "
    "object, and what was written is hashed; the peer trusts the store's answer."
)
_LATER = (
    "less is uploaded while the program writes, because that is over sooner; what is stored is compared with what was "
    "written; the peer trusts the store's answer."
)
_MODEL = "the model is loaded in its image, which takes longer than a small download; checksums are computed."
_MOUNT = "files are uploaded while the program writes, sooner than by the peer; docs/performance.md has the profile."


@dataclass(frozen=True)
class Amount:
    """How much a program writes, into a folder of RESULT_DIR."""

    name: str
    title: str
    files: int
    size: int


AMOUNTS = (Amount("1gb", "1 GB", 1, 1_000_000_000), Amount("10000", "10,000 × 10 kB", 10_000, 10_000))

WRITER = '''"""Writes FILES files of SIZE bytes below FOLDER; prints when it began and when it ended."""

import os, sys, time
folder, files, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
os.makedirs(folder)
began, block = time.time(), os.urandom(1 << 20)
for number in range(files):
    with open(f"{folder}/{number:05}", "wb") as file:
        file.write(number.to_bytes(8, "big") + os.urandom(8))
        for at in range(16, size, len(block)):
            file.write(block[: size - at])
print("wrote", began, time.time(), flush=True)
'''
_MODEL_PROGRAM = """import os, tensorflow as tf
class Double(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
    def __call__(self, x):
        return 2 * x
tf.saved_model.save(Double(), os.environ["RESULT_DIR"] + "/model")
"""


@contextmanager
def cases(space: Workspace) -> Iterator[list[Case]]:
    """For both amounts."""
    space.run([TOOLKIT, "build", ROOT / "examples" / "mnist" / "manifest.yml"])
    with serving(space, "127.0.0.1") as store:
        yield [case for amount in AMOUNTS for case in _cases(Results(space, store, amount))]


def _cases(results: Results) -> Iterator[Case]:
    amount = results.amount
    if amount.files > 1:
        title = f"writing {amount.title} into RESULT_DIR"
        yield Case(
            f"write-{amount.name}", title, "rclone mount", 0.33, results.write, results.write_to_mount, _MOUNT, _ROUNDS
        )
        title = f"writing {amount.title} into RESULT_DIR with `write: local`"
        name = f"write-{amount.name}-local"
        yield Case(name, title, "rclone mount", 0.33, results.write_locally, results.write_to_mount, "", _ROUNDS)
        title = f"last write to COMPLETED with `write: local`, {amount.title}"
        name = f"store-{amount.name}-local"
        yield Case(name, title, "rclone copy", 1.2, results.store_locally, results.copy_there, _LATER, _ROUNDS)
    title = f"last write to COMPLETED, {amount.title}"
    yield Case(f"store-{amount.name}", title, "rclone copy", 1.2, results.store, results.copy_there, _AGAIN, _ROUNDS)
    title = f"`toolkit collect`, {amount.title}"
    for peer, name, theirs in (("rclone copy", "", results.copy_back), ("aws s3 sync", "-aws", results.sync_back)):
        yield Case(f"collect-{amount.name}{name}", title, peer, 1.1, results.collect, theirs, _MODEL, _ROUNDS)


class Results:
    """Runs that write `amount`, and rclone for the same."""

    def __init__(self, space: Workspace, store: S3, amount: Amount) -> None:
        self.amount, self._space, self._store = amount, space, store
        self._folder = space.folder / amount.name
        self._folder.mkdir()
        (self._folder / "rclone.conf").write_text(store.rclone_config)
        self._writer = self._folder / "write.py"
        self._writer.write_text(WRITER)
        self._collected = ""

    def write(self) -> float:
        """Seconds that a run's program writes."""
        _, began, ended, _ = self._launch(model=False)
        return ended - began

    def store(self) -> float:
        """Seconds from a run's last write until its end."""
        _, _, ended, completed = self._launch(model=False)
        return completed - ended

    def write_locally(self) -> float:
        """Seconds that a run's program writes to the host's disk."""
        _, began, ended, _ = self._launch(model=False, write="local")
        return ended - began

    def store_locally(self) -> float:
        """Seconds from such a run's last write until its end."""
        _, _, ended, completed = self._launch(model=False, write="local")
        return completed - ended

    def collect(self) -> float:
        """Seconds that `toolkit collect` takes, for a run with a small model besides."""
        run = self._run_with_model()
        shutil.rmtree(self._folder / "models", ignore_errors=True)
        return self._space.timed(TOOLKIT, "collect", run, "--to", self._folder / "models", **self._store.keys)()

    def copy_back(self) -> float:
        """rclone, from the same folder in the bucket."""
        shutil.rmtree(self._folder / "copied", ignore_errors=True)
        return self._rclone(
            "copy", f"s:{self._store.bucket}/{self._run_with_model()}/{_FOLDER}", self._folder / "copied"
        )

    def sync_back(self) -> float:
        """AWS's own client, likewise."""
        shutil.rmtree(self._folder / "synced", ignore_errors=True)
        place = f"s3://{self._store.bucket}/{self._run_with_model()}/{_FOLDER}"
        argv = [PEERS / "aws", "--endpoint-url", self._store.url, "s3", "sync", "--only-show-errors", place]
        keys = {"AWS_ACCESS_KEY_ID": self._store.key, "AWS_SECRET_ACCESS_KEY": self._store.secret}
        return self._space.timed(*argv, self._folder / "synced", AWS_DEFAULT_REGION="us-east-1", **keys)()

    def copy_there(self) -> float:
        """rclone, of the same amount that a program has just written."""
        folder = self._folder / "local"
        shutil.rmtree(folder, ignore_errors=True)
        self._space.run([sys.executable, self._writer, folder, self.amount.files, self.amount.size])
        return self._rclone("copy", folder, f"s:{self._store.bucket}/copied-{time.time_ns()}")

    def write_to_mount(self) -> float:
        """The same program, into an `rclone mount` with its cache for writes."""
        with self.mounted("--vfs-cache-mode", "writes") as write:
            return write()

    @contextmanager
    def mounted(self, *options: str) -> Iterator[Callable[[], float]]:
        """An `rclone mount` with `options` in a container of the image that a run's is in; what is yielded runs the
        program in it and returns its seconds. `CACHE` is a volume, as a run's cache is in one."""
        argv = ["docker", "run", "--detach", "--rm", "--init", "--name", _MOUNTED, "--network", "host"]
        argv += ["--volume", f"{self._folder}:/peer:ro", "--cap-add", "SYS_ADMIN", "--device", "/dev/fuse"]
        argv += ["--security-opt", "apparmor=unconfined", "--volume", CACHE]
        mount = (
            f"mkdir /m && exec rclone --config /peer/rclone.conf mount s:{self._store.bucket} /m {' '.join(options)}"
        )
        self._space.run([*argv, buckets_reference(), "sh", "-c", mount])
        try:
            self.in_mount("sh", "-c", "until grep -q ' /m fuse' /proc/mounts; do sleep 0.02; done")
            yield lambda: self._written_in(f"/m/mounted-{time.time_ns()}")
        finally:
            self._space.run(["docker", "rm", "--force", "--volumes", _MOUNTED])

    def in_mount(self, *words: object) -> str:
        """A command's output, in the container of `mounted`."""
        return self._space.run(["docker", "exec", _MOUNTED, *words])

    def _written_in(self, folder: str) -> float:
        words = ["python3", "/peer/write.py", folder, self.amount.files, self.amount.size]
        _, began, ended = self.in_mount(*words).split()
        return float(ended) - float(began)

    def _run_with_model(self) -> str:
        if not self._collected:
            self._collected = self._launch(model=True)[0]
        return self._collected

    def _launch(self, *, model: bool, write: str = "mount") -> tuple[str, float, float, float]:
        """A run's ID; when its program began and ended to write; when the launch said that it was COMPLETED."""
        code = self._folder / ("code-model" if model else "code")
        code.mkdir(exist_ok=True)
        shutil.copy(self._writer, code)
        (code / "model.py").write_text(_MODEL_PROGRAM if model else "")
        command = f"python model.py; python write.py $RESULT_DIR/{_FOLDER} {self.amount.files} {self.amount.size}"
        steps = {"steps": [{"command": command, "ranks": "one"}]}
        manifest = write_manifest(code, steps, "cpu", 1, **self._store.references)
        document = json.loads(manifest.read_text())
        document["training_results_reference"] |= {"collect": [_FOLDER], "write": write}
        manifest.write_text(json.dumps(document))
        identity = self._folder / "id"
        argv = [TOOLKIT, "launch", "--id-file", identity, manifest]
        environment = {**os.environ, **self._space.variables, **self._store.keys}
        with subprocess.Popen(
            [str(word) for word in argv], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            printed = [(time.time(), line) for line in process.stdout or ()]
        wrote = [line.split() for _, line in printed if " wrote " in line]
        completed = [at for at, line in printed if "COMPLETED" in line]
        if process.returncode or not wrote or not completed:
            sys.exit(f"{argv}: status {process.returncode}\n{''.join(line for _, line in printed)[-3000:]}")
        return identity.read_text().strip(), float(wrote[0][-2]), float(wrote[0][-1]), completed[0]

    def _rclone(self, *words: object) -> float:
        return self._space.timed(RCLONE, "--config", self._folder / "rclone.conf", *words)()
