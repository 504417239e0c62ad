from pathlib import Path
from ..real.conftest import Bench
from .shell import Shell, docker, record_of
from .program import WRITER, closed, stored
import time, json

def test_x(bench: Bench, tmp_path: Path):
    shell = Shell(bench, "launch", bench.manifest(tmp_path, "python program.py 200 0.2 20000", WRITER))
    shell.until("part-1-5")
    t = time.monotonic()
    docker("kill", f"toolkit-{shell.run}-learner-2")
    s = shell.end()
    r = record_of(bench, shell.run)
    print(shell.said[-3000:]); print(json.dumps(r, indent=1)); print(s, time.monotonic()-t)
