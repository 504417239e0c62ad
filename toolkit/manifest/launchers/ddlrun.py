"""PowerAI DDL's `ddlrun`: its options as read by this project's own `ddlrun` (images/ddl/ddl/launcher/options.py), and
Open MPI's, which it passed on.
"""

from __future__ import annotations

import math
import re

from toolkit.manifest.launchers import mpirun
from toolkit.manifest.launchers.model import (
    STARTS_NOTHING,
    Count,
    Front,
    Launcher,
    Style,
    Value,
    counts,
    each,
    left_out,
    refused,
)
from toolkit.manifest.launchers.read import OptionReader
from toolkit.manifest.model import Compute
from toolkit.manifest.words import WordReader

_OPTIONS = refused("set DDL_OPTIONS whole: -x DDL_OPTIONS='-mode p:2x2 …'")
_MODE = re.compile(r"([bnrmp])(?::([1-9]\d{0,3}(?:x[1-9]\d{0,3}){0,3}))?")


def _mode(front: Front, shown: str, values: tuple[Value, ...]) -> None:
    """`b`, for which ddlrun computed the rest, or `b:2x4`."""
    match = _MODE.fullmatch(values[0].known)
    if not match:
        raise ValueError(f"`{shown}`: expected a mode, one of b, n, r, m, p")
    front.ddl_mode = match[0]
    if match[2]:
        ranks = math.prod(map(int, match[2].split("x")))
        front.counts.append(Count(shown, "ranks", ranks, ranks))


def ddl_options(mode: str, compute: Compute) -> str:
    """DDL_OPTIONS for a `mode`; DDL would not start if its number of ranks were not the run's."""
    letter, _, dims = mode.partition(":")
    if not dims or math.prod(map(int, dims.split("x"))) != compute.ranks:
        dims = f"{compute.ranks_per_node}x{compute.nodes}"
    return f"-mode {letter}:{dims}"


def mpi_arguments(front: Front, _shown: str, values: tuple[Value, ...]) -> None:
    """Arguments for mpirun in one word, as if given on its own command line."""
    reader, words = WordReader(f"{values[0].known} program"), []
    while reader.at < len(reader.text):
        if reader.text[reader.at].isspace():
            reader.at += 1
        else:
            words.append(reader.word())
    OptionReader(reader.text, words, 0, mpirun.LAUNCHER, front).read()


LAUNCHER = Launcher(
    programs=(("ddlrun",),),
    options=(
        *each(_mode, 1, "-m --mode"),
        *each(mpi_arguments, 1, "--mpiarg"),
        *each(counts("per node"), 1, "--accelerators --gpus"),
        *each(left_out, 1, "--nodes, --racks, --aisles, -r --rf --rankfile, -H --host --hosts, --hostfile"),
        *each(left_out, 0, "-t --tcp, --skipchecks, -v --verbose"),
        *each(_OPTIONS, 1, "--ddlarg --ddloption --ddl_options"),
        *each(refused("set DDL_OPTIONS in the program, or with -x"), 0, "--no_ddloptions"),
        *each(STARTS_NOTHING, 0, "--dry_run --dry-run, -h --help"),
        *mpirun.OPTIONS,
    ),
    style=Style.OPEN_MPI,
)
