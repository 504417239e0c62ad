"""Where the time of a launch goes: its lines and the engine's commands, each with its start and duration in seconds.

    python -m benchmarks.trace [--cluster FILE]

Launches `echo` on two learners, with the images built before, and prints what the command printed and the `docker`
commands that it ran on this machine, in order. Those on hosts of a cluster run there, and are not listed. In the folder
of another checkout, it traces that one.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.launched import EMBEDDED, load, own_home, s3_reference, write_manifest

TOOLKIT = [sys.executable, "-m", "toolkit"]
_SHIM = """#!/bin/sh
start=$(date +%s.%N)
{docker} "$@"; status=$?
printf '%s %s %s\\n' "$start" "$(date +%s.%N)" "$(printf '%s ' "$@" | tr '\\n' ' ')" >>{log}
exit $status
"""


def manifest(code: Path) -> Path:
    """A run of two learners that prints a line."""
    code.mkdir()
    (code / "program.py").write_text("print('not used')\n")
    data, results = (s3_reference(EMBEDDED, *one) for one in (("source", "trace-data"), ("target", "trace-results")))
    return write_manifest(code, {"command": "echo the first line"}, "p100", 2, data=data, results=results)


def main() -> None:
    """Build, launch once to fill the caches, launch once more and print."""
    docker = shutil.which("docker") or sys.exit("no docker on the PATH")
    with tempfile.TemporaryDirectory(prefix="toolkit-trace-") as name:
        folder = Path(name)
        file, log = manifest(folder / "code"), folder / "log"
        environment = {**os.environ, **own_home(folder / "home")}
        for bucket in ("trace-data", "trace-results"):
            (folder / "home" / "buckets" / bucket).mkdir(mode=0o700, parents=True)
        subprocess.run([*TOOLKIT, "build", file], env=environment, check=True, capture_output=True)
        launch = [*TOOLKIT, "launch", *sys.argv[1:], file]
        subprocess.run(launch, env=environment, check=True, capture_output=True)
        shim = folder / "bin" / "docker"
        shim.parent.mkdir()
        shim.write_text(_SHIM.format(docker=shlex.quote(docker), log=shlex.quote(str(log))))
        shim.chmod(0o755)
        environment["PATH"] = f"{shim.parent}:{environment['PATH']}"
        start = time.time()
        with subprocess.Popen(
            launch, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            assert process.stdout is not None
            events = [(time.time() - start, "", line.rstrip()) for line in process.stdout]
        for line in log.read_text().splitlines():
            began, ended, words = line.split(" ", 2)
            events.append((float(began) - start, f"{float(ended) - float(began):.2f}", f"docker {words}"))
    for at, took, text in sorted(events):
        print(f"{at:6.2f} {took:>5}  {text[:130]}")
    print(load(0))


if __name__ == "__main__":
    main()
