"""The manifest's buckets, and the folder for its results, as each host sees them."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from toolkit.agent.s3_refusals import DENIAL
from toolkit.containers.engine import Engine
from toolkit.doctor.finding import Finding, fail, ok, skipped
from toolkit.doctor.probes import CONTAINER_SECONDS, NOT_HERE, Buckets, Trial, last_line
from toolkit.doctor.topic import Topic
from toolkit.errors import ToolkitError
from toolkit.runtimes.docker_run import confined
from toolkit.runtimes.specs import Argv
from toolkit.shell_files import shell_program
from toolkit.storage.results_folder import FolderServer
from toolkit.storage.sidecar import rclone_config
from toolkit.storage.store_server import store_container

RESULTS_FOLDER = "results folder"
"""The name of the check."""
_BUCKETS = shell_program("toolkit.doctor.topics", "storage_buckets.sh")
_NO_SUCH_FOLDER = 3


def list_buckets(buckets: Buckets) -> Argv:
    """A container of the side image that queries each bucket, with keys that it reads from its standard input."""
    words = [word for remote, bucket in buckets.names.items() for word in (remote, bucket)]
    return [
        *("docker", "run", "--rm", "--interactive", "--pull", "never", "--network", "host", *confined()),
        *("--read-only", "--tmpfs", "/run/private:mode=0700"),
        *(buckets.image, "sh", "-c", _BUCKETS, "sh", *words),
    ]


def try_buckets(engine: Engine, host: str, buckets: Buckets) -> Finding:
    """Query the buckets from the host, with the keys that a run would have there."""
    config = rclone_config(dict(buckets.access)).encode()
    done = engine.run(list_buckets(buckets), data=config, check=False, timeout=CONTAINER_SECONDS)
    if not done.ok and NOT_HERE.search(done.errors):
        why = "the bucket image is not on the host yet; a launch transfers it"
        return skipped(host, "bucket", why)
    if not done.ok:
        what = f"the bucket container does not start: {last_line(done)}"
        return fail(host, "bucket", what, "start a container there by hand to see the engine's error")
    return bucket_finding(host, buckets, done.output)


def try_results_folder(engine: Engine, host: str, buckets: Buckets) -> Finding:
    """Serve the results folder as a run does."""
    assert buckets.folder is not None
    label = f"doctor-{secrets.token_hex(4)}"
    server = FolderServer(engine, buckets.folder, store_container(label), label, buckets.image)
    try:
        server.start()
    except ToolkitError as error:
        if NOT_HERE.search(error.evidence):
            return skipped(
                host, RESULTS_FOLDER, "the image that serves it is not on the host yet; a launch transfers it"
            )
        return fail(host, RESULTS_FOLDER, error.what.removeprefix(f"{host}: "), error.hint)
    finally:
        server.remove()
    return ok(host, RESULTS_FOLDER, f"{buckets.folder.place} exists and its owner can write to it")


def bucket_finding(host: str, buckets: Buckets, output: str) -> Finding:
    """Parse `REMOTE STATUS MESSAGE`, line by line."""
    said = {line.partition(" ")[0]: line.partition(" ")[2] for line in output.splitlines()}
    wrong: list[str] = []
    denied = False
    for remote, bucket in buckets.names.items():
        status, _, words = said.get(remote, " no answer").partition(" ")
        if status not in ("0", str(_NO_SUCH_FOLDER)):
            denied = denied or DENIAL.search(words) is not None
            wrong.append(f"{bucket} at {buckets.access[remote].endpoint_url}: {words or f'status {status}'}")
    if not wrong:
        return ok(host, "bucket", f"{' and '.join(dict.fromkeys(buckets.names.values()))} answer")
    hint = "is endpoint_url right for this host? Check DNS, routes, proxy, firewall"
    if denied:
        hint = "check the keys in the manifest and the bucket's policy: does it allow this host's address?"
    return fail(host, "bucket", "; ".join(wrong), hint)


def _tried_buckets(trial: Trial) -> Sequence[Finding]:
    buckets = trial.buckets
    if buckets is None:
        return trial.on_engines("bucket", lambda facts, _: skipped(facts.name, "bucket", trial.why_no_buckets))
    return trial.on_engines("bucket", lambda facts, engine: try_buckets(engine, facts.name, buckets))


def _tried_results_folder(trial: Trial) -> Sequence[Finding]:
    """Only if the manifest's results go to a folder."""
    buckets = trial.buckets
    if buckets is None or buckets.folder is None:
        return []
    return trial.on_engines(RESULTS_FOLDER, lambda facts, engine: try_results_folder(engine, facts.name, buckets))


TOPIC = Topic(tried={"bucket": _tried_buckets}, tried_where_asked={RESULTS_FOLDER: _tried_results_folder})
