"""What has to be tried on a host to be known: reaching the others, a container with GPUs, the buckets. Decides nothing.

Nothing is brought to a host for it: where what is needed is not there, that is what is reported.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from toolkit.agent.s3_refusals import DENIAL
from toolkit.containers.engine import Engine
from toolkit.doctor.checks_gpu import gpu_container
from toolkit.doctor.checks_network import Probes, Target, is_reached
from toolkit.doctor.facts import HostFacts
from toolkit.doctor.finding import Finding, fail, ok, skipped
from toolkit.errors import ToolkitError
from toolkit.hosts.shell import Shell
from toolkit.manifest.results import ServedFolder
from toolkit.process import Result
from toolkit.runtimes.docker_run import confined
from toolkit.runtimes.specs import Argv
from toolkit.storage.client import Access
from toolkit.storage.results_folder import FolderServer
from toolkit.storage.sidecar import rclone_config
from toolkit.storage.store_server import store_container

RESULTS_FOLDER = "results folder"
"""The name of the check."""
_QUICK = ("quick", "1")
_EACH = ("each", "3")
"""How probes are made, and for how many seconds at most."""
_ALL_PROBES_SECONDS = 20.0
_CONTAINER_SECONDS = 30.0
_NOT_HERE = re.compile(r"no such image|unable to find image|image not known|does not exist", re.IGNORECASE)
_NO_TOOL = "no tool"
_ANSWER = re.compile(r"(\S+) ([0-9]{1,5}) (.+)|.*/dev/tcp/(\S+)/([0-9]{1,5}): (.+)")
# bash connects without any program of its own. `quick` is one process that tries one after the other, for all that
# answer at once; `each` tries all at the same time, for the few that do not. `set -m` puts what runs into a group of
# its own, that can be ended as a whole.
_BASH = r"""
set -m
how=$1 seconds=$2; shift 2
try() { exec 2>&1; exec 3<>"/dev/tcp/$1/$2" && { echo "$1 $2 open"; exec 3>&-; }; }
quick() { while [ $# -gt 1 ]; do try "$1" "$2"; shift 2; done; }
tell() { said=$(try "$1" "$2" | tail -n 1) && printf '%s\n' "$said"; }
if [ "$how" = quick ]; then quick "$@" & else while [ $# -gt 1 ]; do tell "$1" "$2" & shift 2; done; fi
for ((i = 0; i < seconds * 20; i++)); do [ -z "$(jobs -rp)" ] && exit; sleep 0.05; done
for pid in $(jobs -rp); do kill -KILL -- "-$pid"; done
"""
_PROBE = r"""
bash=$1; shift
LC_ALL=C; export LC_ALL
exec 2>/dev/null </dev/null
if command -v bash >/dev/null; then exec bash -c "$bash" bash "$@"; fi
if ! command -v nc >/dev/null; then echo 'no tool'; exit; fi
seconds=$2; shift 2
# Only some know -z (connect, say nothing, hang up), and those need -v to tell why not; sshd hangs up itself.
flags='-z -v'
case $(nc -z -v -w 1 127.0.0.1 1 2>&1) in *sage:*|*ption*) flags= ;; esac
probe() {
  if said=$(nc $flags -w "$seconds" "$1" "$2" 2>&1); then said=open; fi
  said=$(printf '%s\n' "$said" | tail -n 1); said=${said##*: }
  printf '%s %s %s\n' "$1" "$2" "${said:-no answer}"
}
while [ $# -gt 1 ]; do probe "$1" "$2" & shift 2; done
wait
"""
# The keys come by standard input into a file in memory. A folder that is not there is asked for: the answer, that it
# is not there, says that the store was reached and the keys are good, and no bucket's long list is read.
_BUCKETS = r"""
umask 077; cd /run/private && cat >rclone.conf
while [ $# -gt 1 ]; do
  timeout 12 rclone --config rclone.conf --cache-dir /run/private/cache --contimeout 4s --timeout 8s --retries 1 \
    --low-level-retries 1 lsf "$1:$2/.toolkit-doctor" >said 2>&1
  printf '%s %s %s\n' "$1" "$?" "$(tail -n 1 said)"
  shift 2
done
"""
_NO_SUCH_FOLDER = 3


@dataclass(frozen=True)
class Buckets:
    """What each host is to reach: by `data` and `results` the bucket's name and the access to it; `folder` where the
    results go to no bucket.

    `image` is the side container's; a host that lacks it cannot try.
    """

    image: str
    names: Mapping[str, str]
    access: Mapping[str, Access]
    folder: ServedFolder | None = None


def probe(shell: Shell, targets: Sequence[Target]) -> Probes:
    """Connect from the host to a run's port of every target; what is silent is tried longer, and its sshd, too."""
    first = _connect(shell, _QUICK, [(one.address, one.run_port) for one in targets])
    said = first.answers
    rest = [one for one in targets if not is_reached(said.get((one.address, one.run_port), ""))]
    if first.trouble or not rest:
        return first
    ports = [(one.address, port) for one in rest for port in (one.run_port, one.open_port)]
    second = _connect(shell, _EACH, ports)
    return Probes({**said, **second.answers}, second.trouble)


def _connect(shell: Shell, how: Sequence[str], ports: Sequence[tuple[str, int]]) -> Probes:
    if not ports:
        return Probes({})
    words = [word for address, port in ports for word in (address, str(port))]
    done = shell.run(["sh", "-c", _PROBE, "sh", _BASH, *how, *words], timeout=_ALL_PROBES_SECONDS)
    if _NO_TOOL in done.output.splitlines():
        return Probes({}, "the host has neither bash nor nc to try it with")
    answers = heard(done.output)
    if not answers and done.status not in (0, 124):
        return Probes({}, f"trying it ended with status {done.status}: {done.errors.strip()[-200:]}")
    return Probes(answers)


def heard(output: str) -> dict[tuple[str, int], str]:
    """`ADDRESS PORT WORDS`, or bash's own `…/dev/tcp/ADDRESS/PORT: WORDS`, line by line."""
    found: dict[tuple[str, int], str] = {}
    for match in filter(None, map(_ANSWER.fullmatch, output.splitlines())):
        address, port, words = match.groups()[:3] if match[1] else match.groups()[3:]
        found[address, int(port)] = words
    return found


def start_with_gpus(image: str, uuids: Sequence[str]) -> Argv:
    """A container that lists the GPUs it sees, and ends; the container toolkit gives it nvidia-smi."""
    return [
        *("docker", "run", "--rm", "--pull", "never", "--network", "none", "--cap-drop", "ALL"),
        *(*confined(), "--gpus", f'"device={",".join(uuids)}"'),
        *("--env", "NVIDIA_DRIVER_CAPABILITIES=utility", "--entrypoint", "nvidia-smi", image, "-L"),
    ]


def try_gpus(engine: Engine, facts: HostFacts, images: Sequence[str]) -> Finding:
    """Start a container of the first of `images` that is on the host, with all of its GPUs."""
    if not facts.gpus:
        return skipped(facts.name, "gpu container", "no GPU was found")
    for image in images:
        argv = start_with_gpus(image, [one.uuid for one in facts.gpus])
        done = engine.run(argv, check=False, timeout=_CONTAINER_SECONDS)
        if done.ok:
            return gpu_container(facts, done.output)
        if not _NOT_HERE.search(done.errors):
            return gpu_container(facts, done.output, _last(done))
    return gpu_container(facts, None, "no image of the tool's is there to start one of; a launch brings it")


def list_buckets(buckets: Buckets) -> Argv:
    """A container of the side image that asks for each bucket, with keys that it reads from its standard input."""
    words = [word for remote, bucket in buckets.names.items() for word in (remote, bucket)]
    return [
        *("docker", "run", "--rm", "--interactive", "--pull", "never", "--network", "host", "--cap-drop", "ALL"),
        *(*confined(), "--read-only", "--tmpfs", "/run/private:mode=0700"),
        *(buckets.image, "sh", "-c", _BUCKETS, "sh", *words),
    ]


def try_buckets(engine: Engine, host: str, buckets: Buckets) -> Finding:
    """Ask for the buckets from the host, with the keys that a run would have there."""
    config = rclone_config(dict(buckets.access)).encode()
    done = engine.run(list_buckets(buckets), data=config, check=False, timeout=_CONTAINER_SECONDS)
    if not done.ok and _NOT_HERE.search(done.errors):
        why = "the image that reaches buckets is not on the host yet; a launch brings it"
        return skipped(host, "bucket", why)
    if not done.ok:
        what = f"the container that reaches buckets does not start: {_last(done)}"
        return fail(host, "bucket", what, "start any container there by hand: what the engine says is what to fix")
    return bucket_finding(host, buckets, done.output)


def try_results_folder(engine: Engine, host: str, buckets: Buckets) -> Finding:
    """Serve the folder for the results as a run does."""
    assert buckets.folder is not None
    label = f"doctor-{secrets.token_hex(4)}"
    server = FolderServer(engine, buckets.folder, store_container(label), label, buckets.image)
    try:
        server.start()
    except ToolkitError as error:
        if _NOT_HERE.search(error.evidence):
            return skipped(host, RESULTS_FOLDER, "the image that serves it is not on the host yet; a launch brings it")
        return fail(host, RESULTS_FOLDER, error.what.removeprefix(f"{host}: "), error.hint)
    finally:
        server.remove()
    return ok(host, RESULTS_FOLDER, f"{buckets.folder.place} is there, and its owner may write to it")


def bucket_finding(host: str, buckets: Buckets, output: str) -> Finding:
    """`REMOTE STATUS WORDS`, line by line."""
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
    hint = "is endpoint_url right as this host sees it: its name service, its routes, a proxy, a firewall?"
    if denied:
        hint = "look at the keys in the manifest and at the bucket's policy: does it let this host's address in?"
    return fail(host, "bucket", "; ".join(wrong), hint)


def _last(done: Result) -> str:
    lines = (done.errors or done.output).strip().splitlines()
    return next((line for line in lines if "rror" in line), lines[-1] if lines else f"status {done.status}")[:300]
