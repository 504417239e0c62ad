"""The keeper's words: `keep` is what the side container runs, the others are run beside it by an operator.

keep RUN VOLUME [SCRATCH TOKEN]
                     the story of a run on this host, whose lease is in the folder SCRATCH
go                   the job comes on standard input
leash                say that the operator lives; prints who wants the run to stop, if anyone does
follow OFFSET        events, until the run has ended
state                the record as it is now
stop WHO             ask the run to stop; prints who had asked first
salvage FILESYSTEM   before a rescue mounts: store what an earlier mount has left without a word about it
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

from toolkit.keeper.bucket import Bucket
from toolkit.keeper.engine import KeeperEngine
from toolkit.keeper.follow import follow
from toolkit.keeper.job import read_job
from toolkit.keeper.keep import Keep, own_container, read_json, stopped_by
from toolkit.keeper.places import CONFIG, HOST, JOB, LEASH, SOCKET, STATE, STOP, VOLUMES
from toolkit.keeper.salvage import salvage
from toolkit.keeper.strike import give_back_lease, strike
from toolkit.keeper.uploads import LOG_OPTIONS, watch
from toolkit.keeper.wait import wait_for_word

_RETRIES = 60
"""Of each call to the store, with up to 2 s between them: a program waits while a store is away for a minute or two,
and sees no error. The keeper decides when that has lasted too long (`toolkit.keeper.learners`)."""
_MOUNT_DAEMON = (
    f"umask 077; until [ -s {CONFIG} ]; do sleep 0.05; done; exec rclone rcd --rc-addr unix://{SOCKET} --rc-no-auth "
    f"--config {CONFIG} --cache-dir {HOST}/cache --use-server-modtime {LOG_OPTIONS} "
    f"--low-level-retries {_RETRIES} --contimeout 10s"
)


def main(words: list[str]) -> int:
    """Carry out one word."""
    match words:
        case ["keep", run, volume, *held]:
            keep(run, volume, *held)
        case ["go"]:
            go(sys.stdin.read())
        case ["leash"]:
            Path(LEASH).touch()
            print(stopped_by(Path(STOP)))
        case ["follow", offset]:
            follow(int(offset))
        case ["state"]:
            print(Path(STATE).read_text() if Path(STATE).exists() else "{}")
        case ["stop", who]:
            print(ask_to_stop(who, Path(STOP)))
        case ["salvage", filesystem]:
            return salvage_for_rescue(filesystem)
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


def keep(run: str, volume: str, scratch: str = "", token: str = "") -> None:
    """Own the run on this host from before its first file to after its last."""
    engine = KeeperEngine()
    engine.create_volume(volume, run)
    Path(HOST).symlink_to(f"{VOLUMES}/{volume}/_data")
    Bucket.unmount()  # what a keeper that was killed has left: it would keep the folder from being mounted again
    holds = any(Path(HOST).iterdir())  # a rescue that ends before its word to go must take nothing away
    Path(LEASH).touch()
    daemon = subprocess.Popen(("sh", "-c", _MOUNT_DAEMON), stderr=subprocess.PIPE)
    threading.Thread(target=watch, args=(daemon.stderr,), daemon=True).start()
    job = wait_for_word()
    kept = Keep(job, engine).run() if job else holds
    strike(engine, run, own_container(run), volume, keep_volume=kept)
    give_back_lease(scratch, token)
    daemon.kill()  # nothing is mounted any more; what waits for a store that is away would be waited for


def go(text: str) -> None:
    """Take the job; from now on the operator is not needed."""
    job = read_job(text)
    new = Path(f"{JOB}.new")
    new.write_text(job.to_json())
    new.rename(JOB)


def salvage_for_rescue(filesystem: str) -> int:
    """An exit status; the store's own words where it does not take them."""
    try:
        salvage(filesystem)
    except OSError as error:
        print(error, file=sys.stderr)
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
