"""What runs of a soak are like: of different sizes, ended in different ways. Pure, but for the chance that chooses."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import yaml

from ..real.bench import Bench

PROGRAM = """
import hashlib, os, sys, time
from pathlib import Path
rank, folder = os.environ["OMPI_COMM_WORLD_RANK"], Path(os.environ["RESULT_DIR"], "model")
folder.mkdir(exist_ok=True)
for number in range(int(sys.argv[1])):
    data, name = os.urandom(int(sys.argv[3])), "part-%s-%d" % (rank, number)
    (folder / name).write_bytes(data)
    print("CLOSED", hashlib.sha256(data).hexdigest(), "model/" + name, flush=True)
    time.sleep(float(sys.argv[2]))
"""
_START_SECONDS, _END_SECONDS, _BYTES_A_SECOND = 5.0, 2.0, 50e6
WAYS = ("to its end", "stopped", "launcher killed", "detached")


@dataclass(frozen=True)
class Shape:
    """A run: on each of `nodes` hosts `ranks` ranks, each of which closes `files` files of `size` bytes, one after
    another with `pause` seconds between them. `way` is what is done to it besides any fault.
    """

    nodes: int
    ranks: int
    files: int
    pause: float
    size: int
    way: str

    @property
    def total(self) -> int:
        """Files of all ranks."""
        return self.nodes * self.ranks * self.files

    @property
    def seconds(self) -> float:
        """About how long it takes, from the launch to its end."""
        return _START_SECONDS + self.files * (self.pause + self.ranks * self.size / _BYTES_A_SECOND) + _END_SECONDS

    def manifest(self, bench: Bench, folder: Path) -> Path:
        """The manifest, with its program."""
        command = f"python program.py {self.files} {self.pause} {self.size}"
        manifest = bench.manifest(folder, command, PROGRAM, self.nodes)
        compute = "cpu" if self.ranks == 1 else f"cpux{self.ranks}"
        document = yaml.safe_load(manifest.read_text())
        document["model_definition"]["execution"]["compute_configuration"]["name"] = compute
        manifest.write_text(yaml.safe_dump(document))
        return manifest


def choose(chance: random.Random, hosts: int) -> Shape:
    """Any shape that fits `hosts` hosts."""
    return Shape(
        nodes=chance.randint(1, hosts),
        ranks=chance.choice((1, 1, 2)),
        files=chance.choice((5, 20, 60)),
        pause=chance.choice((0.0, 0.2, 0.5)),
        size=chance.choice((1_000, 200_000, 5_000_000)),
        way=chance.choice((*WAYS, "to its end")),
    )
