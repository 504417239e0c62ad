"""The words of a run's two side containers: `keep` is what the agent's runs, `buckets` the one's with the keys; the
others are run beside them by an operator.

In the agent's container:
keep RUN VOLUME      the story of a run on this host
go                   the job comes on standard input
unpack               files of the run come on standard input, as a tar file
leash                say that the operator lives; prints who wants the run to stop, if anyone does
follow OFFSET        events, until the run has ended
state                the record as it is now
stop WHO             ask the run to stop; prints who had asked first

In the container with the keys:
buckets RUN FILESYSTEM FOLDER
                     hold the mounts and answer the agent, for as long as its heartbeat is heard
submit RUN FILESYSTEM FOLDER
                     store the code of the run
discard RUN FILESYSTEM FOLDER
                     remove it from the bucket: the run does not begin
salvage FILESYSTEM   before a rescue mounts: store what an earlier mount has left without a word about it
mount                mount buckets; rclone's requests come on standard input
unmount              take down what a container that was killed has left mounted
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from toolkit.keeper.bucket import Bucket
from toolkit.keeper.engine import EngineRefused, KeeperEngine
from toolkit.keeper.flush import NotStored
from toolkit.keeper.follow import follow
from toolkit.keeper.heartbeat import Silence, heartbeat
from toolkit.keeper.job import read_job
from toolkit.keeper.keep import Keep, buckets_container, own_container, read_json, stopped_by
from toolkit.keeper.lease import give_back_lease
from toolkit.keeper.places import AGENT, BEAT, CONFIG, CONTROL, HOST, JOB, LEASH, SOCKET, STATE, STOP
from toolkit.keeper.rc import mount
from toolkit.keeper.salvage import salvage
from toolkit.keeper.service import BucketClient, Service, serve
from toolkit.keeper.strike import Things, strike
from toolkit.keeper.uploads import LOG_OPTIONS, watch
from toolkit.keeper.wait import wait_for_word

_RETRIES = 60
"""Of each call to the store, with up to 2 s between them: a program waits while a store is away for a minute or two,
and sees no error. The keeper decides when that has lasted too long (`toolkit.keeper.learners`)."""
_SILENT_SECONDS, _LOOK_SECONDS = 30.0, 1.0
_MOUNT_DAEMON = (
    f"umask 077; until [ -s {CONFIG} ]; do sleep 0.05; done; exec rclone rcd --rc-addr unix://{SOCKET} --rc-no-auth "
    f"--config {CONFIG} --cache-dir {HOST}/cache --use-server-modtime {LOG_OPTIONS} "
    f"--low-level-retries {_RETRIES} --contimeout 10s"
)


def main(words: list[str]) -> int:
    """Carry out one word."""
    match words:
        case ["keep", run, volume]:
            keep(run, volume)
        case ["go"]:
            go(sys.stdin.read())
        case ["unpack"]:
            unpack()
        case ["leash"]:
            Path(LEASH).touch()
            print(stopped_by(Path(STOP)))
        case ["follow", offset]:
            follow(int(offset))
        case ["state"]:
            print(Path(STATE).read_text() if Path(STATE).exists() else "{}")
        case ["stop", who]:
            print(ask_to_stop(who, Path(STOP)))
        case _:
            return with_keys(words)
    return 0


def with_keys(words: list[str]) -> int:
    """Carry out one of those words that the container with the keys knows."""
    match words:
        case ["buckets", run, filesystem, folder]:
            hold_buckets(run, Bucket(run, filesystem, folder))
        case ["submit", run, filesystem, folder]:
            return told(lambda: Bucket(run, filesystem, folder).submit_code())
        case ["discard", run, filesystem, folder]:
            Bucket(run, filesystem, folder).discard_code()
        case ["salvage", filesystem]:
            return told(lambda: salvage(filesystem))
        case ["mount"]:
            return told(lambda: mount(json.load(sys.stdin)))
        case ["unmount"]:
            Bucket.unmount()
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


def keep(run: str, volume: str) -> None:
    """Own the run on this host from before its first file to after its last.

    Its folder is bound into this container before the volume is one: so there is never anything of a run that no one
    takes away.
    """
    engine = KeeperEngine()
    holds = any(Path(HOST).iterdir())  # a rescue that ends before its word to go must take nothing away
    engine.create_volume(volume, run)
    make_own_folders()
    things = Things(run, own_container(run), buckets_container(run), volume)
    with heartbeat(Path(BEAT)):
        Path(LEASH).touch()
        job = wait_for_word()
        with suppress(EngineRefused):
            things = replace(things, settings=engine.settings(things.buckets))
        if job is None and not holds:
            with suppress(NotStored):
                BucketClient().discard_code()
        kept = Keep(job, engine).run() if job else holds
        strike(engine, things, keep_volume=kept)
    give_back_lease(engine, run)


def make_own_folders() -> None:
    """Make the agent's own folders in the volume. Who is first does: a learner's container needs one of them."""
    Path(AGENT).mkdir(mode=0o755, exist_ok=True)
    Path(CONTROL).mkdir(mode=0o700, exist_ok=True)


def unpack() -> NoReturn:
    """Become the program that unpacks a tar file from standard input into the volume."""
    make_own_folders()
    os.execvp("tar", ("tar", "--extract", "--directory", HOST))  # noqa: S606


def hold_buckets(run: str, bucket: Bucket) -> None:
    """Hold the mounts and answer the agent. Without its heartbeat nobody would end this, which holds keys: it ends."""
    bucket.unmount()  # what one that was killed has left: it would keep the folder from being mounted again
    daemon = subprocess.Popen(("sh", "-c", _MOUNT_DAEMON), stderr=subprocess.PIPE)
    threading.Thread(target=watch, args=(daemon.stderr,), daemon=True).start()
    server = serve(Service(run, bucket))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    silence = Silence(Path(BEAT))
    while silence.seconds() < _SILENT_SECONDS:
        time.sleep(_LOOK_SECONDS)
    bucket.unmount()
    daemon.kill()


def go(text: str) -> None:
    """Take the job; from now on the operator is not needed."""
    job = read_job(text)
    new = Path(f"{JOB}.new")
    new.write_text(job.to_json())
    new.rename(JOB)


def told(act: Callable[[], object]) -> int:
    """An exit status; the store's own words where it does not take what it is given."""
    try:
        act()
    except (OSError, NotStored) as error:
        print(getattr(error, "evidence", "") or error, file=sys.stderr)
        return 1
    return 0


def ask_to_stop(who: str, file: Path) -> str:
    """Write down who wants the run to stop, unless someone has before; the first one's name."""
    new = file.with_name(f".stop.{os.getpid()}")
    new.write_text(json.dumps({"by": who}))
    try:
        os.link(new, file)  # fails where it is there: the first one is who stopped the run
    except FileExistsError:
        pass
    finally:
        new.unlink()
    return str(read_json(file).get("by", who))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
