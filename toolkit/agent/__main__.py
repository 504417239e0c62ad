"""The words of a run's two side containers: `keep` is what the agent's runs, `buckets` the one's with the keys; the
others are run beside them by an operator.

In the agent's container:
keep RUN VOLUME      see a run through on this host
rescue RUN VOLUME    likewise, with what a run that has ended left in its volume
go                   the job comes on standard input
unpack               files of the run come on standard input, as a tar file
heartbeat                say that the operator lives; prints who wants the run to stop, if anyone does
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
recover FILESYSTEM   before a rescue mounts: store what an earlier mount has left without a word about it
mount                mount buckets; rclone's requests come on standard input
unmount              take down what a container that was killed has left mounted
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

from toolkit.agent import requests
from toolkit.agent.paths import STATE, STOP


def main(words: list[str]) -> int:
    """Carry out one word. What it needs is imported then, see `toolkit.agent.requests`."""
    match words:
        case ["keep" | "rescue" as word, run, volume]:
            from toolkit.agent.lifetime import keep

            keep(run, volume, holds=word == "rescue")
        case ["go"]:
            requests.go(sys.stdin.read())
        case ["unpack"]:
            requests.unpack()
        case ["heartbeat"]:
            print(requests.heartbeat_of_operator())
        case ["follow", offset]:
            from toolkit.agent.event_stream import follow

            follow(int(offset))
        case ["state"]:
            print(Path(STATE).read_text() if Path(STATE).exists() else "{}")
        case ["stop", who]:
            print(requests.ask_to_stop(who, Path(STOP)))
        case _:
            return with_keys(words)
    return 0


def with_keys(words: list[str]) -> int:
    """Carry out one of those words that the container with the keys knows."""
    match words:
        case ["mount"]:
            from toolkit.agent.rc import mount

            return with_status(lambda: mount(json.load(sys.stdin)))
        case ["recover", filesystem]:
            from toolkit.agent.cache_recovery import recover

            return with_status(lambda: recover(filesystem))
        case ["buckets" | "submit" | "discard" as word, run, filesystem, folder]:
            return of_bucket(word, run, filesystem, folder)
        case ["unmount"]:
            from toolkit.agent.results_bucket import Bucket

            Bucket.unmount()
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


def of_bucket(word: str, run: str, filesystem: str, folder: str) -> int:
    """Carry out one of the words about a run's bucket."""
    if word == "buckets":
        from toolkit.agent.holding import hold_buckets

        hold_buckets(run, filesystem, folder)
        return 0
    from toolkit.agent.results_bucket import Bucket

    bucket = Bucket(run, filesystem, folder)
    return with_status(bucket.submit_code if word == "submit" else bucket.discard_code)


def with_status(act: Callable[[], object]) -> int:
    """An exit status; the store's own words where it does not take what it is given."""
    from toolkit.agent.flush import NotStored

    try:
        act()
    except (OSError, NotStored) as error:
        print(getattr(error, "evidence", "") or error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
