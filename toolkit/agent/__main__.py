"""Commands of a run's two side containers: `keep` is the agent's main process, `buckets` that of the container with the
keys; operators execute the others in these containers.

In the agent's container:
keep RUN VOLUME      supervise a run on this host
rescue RUN VOLUME    the same, for what an ended run left in its volume
go                   read the job from standard input
unpack               unpack files of the run, a tar file on standard input
heartbeat            the operator is alive; prints this host's time, and who wants the run to stop, if anyone does
follow OFFSET        print events until the run has ended
state                print the current record
samples              print the samples of this host so far
stop WHO             ask the run to stop; prints who asked first

In the container with the keys:
buckets RUN FILESYSTEM FOLDER [local]
                     hold the mounts and answer the agent, as long as there is a heartbeat; `local`: RUN's own results
                     are in a folder on the host's disk
submit RUN FILESYSTEM FOLDER
                     store the code of the run
discard RUN FILESYSTEM FOLDER
                     remove it from the bucket: the run does not start
recover FILESYSTEM [RUN]
                     before a rescue mounts: store cached files that an earlier mount left without metadata; not those
                     of RUN, whose folder is not mounted
prepare              take the keys, mount buckets, create folders: a JSON object from standard input
unmount              remove the mounts of a container that was killed
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

from toolkit.agent import requests
from toolkit.agent.paths import STATE, STOP


def main(words: list[str]) -> int:
    """Run one command. Its imports are local, see `toolkit.agent.requests`."""
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
        case ["samples"]:
            requests.print_samples()
        case ["stop", who]:
            print(requests.ask_to_stop(who, Path(STOP)))
        case _:
            return with_keys(words)
    return 0


def with_keys(words: list[str]) -> int:
    """Run one of the commands of the container with the keys."""
    match words:
        case ["prepare"]:
            from toolkit.agent.preparation import prepare

            return with_status(lambda: prepare(json.load(sys.stdin)))
        case ["recover", filesystem, *local]:
            from toolkit.agent.cache_recovery import recover

            return with_status(lambda: recover(filesystem, local=tuple(local)))
        case ["buckets", run, filesystem, folder, *local]:
            from toolkit.agent.holding import hold_buckets

            hold_buckets(run, filesystem, folder, local=local == ["local"])
        case ["submit" | "discard" as word, run, filesystem, folder]:
            from toolkit.agent.results_bucket import Bucket

            bucket = Bucket(run, filesystem, folder)
            return with_status(bucket.submit_code if word == "submit" else bucket.discard_code)
        case ["unmount"]:
            from toolkit.agent.results_bucket import Bucket

            Bucket.unmount()
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


def with_status(act: Callable[[], object]) -> int:
    """An exit status; prints the store's message if it refuses."""
    from toolkit.agent.flush import NotStored

    try:
        act()
    except (OSError, NotStored) as error:
        print(getattr(error, "evidence", "") or error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
