"""How long the worst files take to read or refuse, and the memory, beside PyYAML alone. A minute; needs nothing.

    python benchmarks/manifest.py

Each file is read in a process of its own by `read_manifest`, and by `yaml.safe_load`, which only parses it. Prints a
table: seconds of reading (without Python's start and imports), and the largest resident memory of the process.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KIB = 1 << 10
OURS = r"""
import re, sys, time
from pathlib import Path
from toolkit.errors import ToolkitError
from toolkit.manifest.reader import read_manifest
started = time.perf_counter()
try:
    read_manifest(Path(sys.argv[1])); said = "read"
except ToolkitError as error:
    said = f"refused, {len(error.problems)} problems"
print(time.perf_counter() - started, re.search(r'VmHWM:\s+(\d+)', open('/proc/self/status').read())[1], said, sep=";")
"""
PEER = r"""
import re, sys, time, yaml
from pathlib import Path
started = time.perf_counter()
try:
    yaml.safe_load(Path(sys.argv[1]).read_text()); said = "parsed"
except (yaml.YAMLError, RecursionError, ValueError) as error:
    said = type(error).__name__
print(time.perf_counter() - started, re.search(r'VmHWM:\s+(\d+)', open('/proc/self/status').read())[1], said, sep=";")
"""
SECONDS = 20


def files() -> dict[str, str]:
    """What an attacker or an accident may make of a file, each just below the limits where there are some."""
    bomb = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 150))
    wml = (ROOT / "tests" / "manifest" / "corpus" / "good" / "wml.yml").read_text()
    return {
        "a good manifest": wml,
        "100 MB of comments": "#" * 100_000_000,
        "64 KiB of names": "".join(f"k{number}: 1\n" for number in range(7000))[: 64 * KIB],
        "990 unknown names": "".join(f"model_definitio{number}: 1\n" for number in range(990)),
        "990 placeholders": "".join(f"k{number}: <x>\n" for number in range(990)),
        "990 keys and placeholders": "connection:\n"
        + "".join(f"  k{number}: <x{number}> s\n" for number in range(990)),
        "the same name 990 times": "a: 1\n" * 990,
        "an alias bomb": f"a0: &a0 [x, x]\n{bomb}",
        "60,000 levels": "a: " + "[" * 60_000,
        "60,000 digits": "a: " + "9" * 60_000,
        "a line of 60,000": f"a: {'x' * 60_000}",
        "4,900 commands": wml.replace("python fit.py --epochs 4 ; python export.py", "a;" * 4900),
        "a bucket of 60,000": wml.replace("aerial-tiles", "a.-" * 20_000),
        "a prefix of 60,000": wml.replace(
            "bucket: aerial-tiles", f"bucket: aerial-tiles\n    prefix: {'a/' * 30_000}!"
        ),
    }


def main() -> None:
    """Read each file twice; print the table and the worst of it."""
    print(f"{'':28} {'toolkit':>10} {'':>8}  {'yaml.safe_load':>14}")
    worst = [0.0, 0.0]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "manifest.yml"
        for name, text in files().items():
            file.write_text(text)
            seconds, memory, said = measured(OURS, file)
            peer_seconds, peer_memory, peer_said = measured(PEER, file)
            worst = [max(worst[0], seconds), max(worst[1], memory)]
            ours, theirs = f"{seconds:8.3f} s {memory:5.0f} MB", f"{peer_seconds:8.3f} s {peer_memory:5.0f} MB"
            print(f"{name:28} {ours}  {theirs}  {said} / {peer_said}")
    print(f"the worst: {worst[0]:.3f} s, {worst[1]:.0f} MB")


def measured(program: str, file: Path) -> tuple[float, float, str]:
    """Seconds, MB and what came of it."""
    argv = [sys.executable, "-c", program, file]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=True, cwd=ROOT, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return float("inf"), float("nan"), f"not done in {SECONDS} s"
    seconds, kilobytes, said = done.stdout.strip().split(";")
    return float(seconds), int(kilobytes) / 1000, said


if __name__ == "__main__":
    main()
