"""Where the time of a launch goes: its lines and the engine's commands, each with its start and duration in seconds.

    python benchmarks/trace.py [--cluster FILE]

Launches `echo` on two learners, with the images built before, and prints what the command printed and the `docker`
commands that it ran on this machine, in order. Those on hosts of a cluster run there, and are not listed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOOLKIT = [sys.executable, "-m", "toolkit"]
_SHIM = """#!/bin/sh
start=$(date +%s.%N)
{docker} "$@"; status=$?
printf '%s %s %s\\n' "$start" "$(date +%s.%N)" "$(printf '%s ' "$@" | tr '\\n' ' ')" >>{log}
exit $status
"""


def manifest(folder: Path) -> Path:
    """A run of two learners that prints a line."""
    (folder / "program.py").write_text("print('not used')\n")
    keys = {name: f"${{embedded:{name}}}" for name in ("access_key_id", "secret_access_key")}
    connection = {"endpoint_url": "embedded", **keys}
    file = folder / "manifest.yml"
    runtimes = {"name": "python", "version": "3.11"}
    text = {
        "model_definition": {
            "name": "trace",
            "framework": {"name": "tensorflow-ddl", "version": "2.19", "runtimes": runtimes},
            "execution": {
                "command": "echo the first line",
                "compute_configuration": {"name": "p100", "nodes": 2},
            },
        },
        "training_data_reference": {"connection": connection, "source": {"bucket": "trace-data"}, "type": "s3"},
        "training_results_reference": {"connection": connection, "target": {"bucket": "trace-results"}, "type": "s3"},
    }
    file.write_text(json.dumps(text, indent=1))
    return file


def main() -> None:
    """Build, launch once to fill the caches, launch once more and print."""
    docker = shutil.which("docker") or sys.exit("no docker on the PATH")
    with tempfile.TemporaryDirectory(prefix="toolkit-trace-") as name:
        folder = Path(name)
        (folder / "code").mkdir()
        file, log = manifest(folder / "code"), folder / "log"
        cache = os.environ.get("TOOLKIT_CACHE") or str(Path.home() / ".toolkit" / "cache")
        environment = {**os.environ, "TOOLKIT_HOME": str(folder / "home"), "TOOLKIT_CACHE": cache}
        for bucket in ("trace-data", "trace-results"):
            (folder / "home" / "buckets" / bucket).mkdir(mode=0o700, parents=True)
        subprocess.run([*TOOLKIT, "build", file], env=environment, check=True, capture_output=True)
        launch = [*TOOLKIT, "launch", *sys.argv[1:], file]
        subprocess.run(launch, env=environment, check=True, capture_output=True)
        shim = folder / "bin" / "docker"
        shim.parent.mkdir()
        shim.write_text(_SHIM.format(docker=docker, log=log))
        shim.chmod(0o755)
        environment["PATH"] = f"{shim.parent}:{environment['PATH']}"
        start = time.time()
        events = []
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
    print(f"load of the machine meanwhile: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")


if __name__ == "__main__":
    main()
