"""What an agent's samples of its host cost: processor time of a sample, as a share of one core.

    python -m benchmarks.sampling [--samples N]

Takes samples one after the other, as an agent does, and asks the container with the keys, which is a thread here, for
the network's bytes. Each counts as one in `EVERY` seconds. GPUs are not included: nvidia-smi reads those, in one
process for the whole run. A few seconds.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from pathlib import Path

from benchmarks.launched import load
from toolkit.agent import host_samples
from toolkit.agent.docker_api import DockerApi, Usage
from toolkit.agent.gpu_readings import GpuReadings
from toolkit.agent.host_samples import EVERY, HostSamples
from toolkit.agent.job_spec import Job
from toolkit.agent.results_bucket import Bucket
from toolkit.agent.service import BucketClient, Service, serve


def milliseconds(folder: Path, samples: int) -> float:
    """Processor time of one sample, both containers' share together."""
    run = "training-00000000"
    server = serve(Service(run, Bucket(run, "results:bucket", str(folder))), str(folder / "buckets.sock"))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    host_samples.CONTROL = host_samples.HOST = str(folder)
    host_samples._LEAST_SECONDS = 0.0
    job = Job(run, 0, ("",), (), (), "", "", "", 0, 0, 0)
    gpus = GpuReadings((), DockerApi(), EVERY)
    sampler = HostSamples(job, BucketClient(str(folder / "buckets.sock")).traffic, lambda: {1: Usage()}, gpus)
    sampler.take()
    began = time.process_time()
    for _ in range(samples):
        sampler.take()
    return (time.process_time() - began) * 1000 / samples


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=5000, help="how many (default 5000)")
    count = parser.parse_args().samples
    with tempfile.TemporaryDirectory(prefix="toolkit-sampling-") as folder:
        each = milliseconds(Path(folder), count)
    print(f"a sample takes {each:.2f} ms of processor time: one in {EVERY} s is {each / EVERY / 10:.3f} % of a core")
    print(load(0))


if __name__ == "__main__":
    main()
