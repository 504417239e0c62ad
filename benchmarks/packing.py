"""What it costs to send an image: how long this machine's engine computes before it sends the first byte, and gzip.

python -m benchmarks.packing IMAGE
"""

from __future__ import annotations

import subprocess
import sys
import time

from benchmarks.launched import load
from toolkit.shipping.hosts.layer_filter import compressed

_PIECE = 1 << 20


def main(image: str) -> None:
    """Save the image three times: twice to discard it, then through gzip as the tool calls it."""
    for _ in range(2):
        start, first, size = time.perf_counter(), 0.0, 0
        with subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as saved:
            assert saved.stdout is not None
            while piece := saved.stdout.read(_PIECE):
                first, size = first or time.perf_counter() - start, size + len(piece)
        seconds = time.perf_counter() - start
        print(f"docker save: {size / 1e9:.2f} GB, first byte after {first:.1f} s, all after {seconds:.1f} s")
    with subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as saved:
        assert saved.stdout is not None
        start, packed = time.process_time(), 0
        for piece in compressed(iter(lambda: saved.stdout.read(_PIECE), b"")):
            packed += len(piece)
        seconds = time.process_time() - start
    print(f"gzip: {seconds:.1f} s of a core, {size / seconds / 1e6:.0f} MB/s, to {packed / size:.0%}")
    print(load(0))


if __name__ == "__main__":
    main(sys.argv[1])
