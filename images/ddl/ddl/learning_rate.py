"""The learning rate of a job with many ranks: scaling, warm-up, and a warning if scaling was forgotten.

With n ranks a step averages over n times as many examples, and an epoch has 1/n of the steps. To train in the same
number of epochs, the rate must be n times as high, reached gradually over the first epochs (Goyal and others,
"Accurate, Large Minibatch SGD", arXiv 1706.02677).
"""

from __future__ import annotations

import os
import sys

from ddl.environment import ScalingState, place, scaling_state

_SILENT = "DDL_LEARNING_RATE_WARNING"


def scale_learning_rate(rate: float) -> float:
    """The rate times the number of ranks."""
    scaling_state.scaled = True
    return rate * place().size


def warmup_factor(epochs_done: float, warmup_epochs: float, ranks: int) -> float:
    """The factor of a scaled rate: from 1/ranks at the start, linearly, to 1 after the warm-up.

    Args:
        epochs_done: since the start of training, including the fraction of the current one.
        warmup_epochs: length of the warm-up; 0 for none.
    """
    progress = min(1.0, epochs_done / warmup_epochs) if warmup_epochs > 0 else 1.0
    return (1 + progress * (ranks - 1)) / ranks


def looks_unscaled(rate: float | None, default: float | None, program: ScalingState) -> bool:
    """Whether a rate cannot have been scaled: it is the optimizer's default, or the program never read the size."""
    if program.scaled:
        return False
    return not program.size or (rate is not None and default is not None and abs(rate - default) <= 1e-6 * default)


def warn_if_unscaled(rate: float | None, default: float | None) -> None:
    """Warn once, on rank 0; ``DDL_LEARNING_RATE_WARNING=0`` disables it. None: not known."""
    here = place()
    if here.rank != 0 or here.size == 1 or os.environ.get(_SILENT) == "0" or _warned:
        return
    _warned.append(True)
    if looks_unscaled(rate, default, scaling_state):
        number = "" if rate is None else f" ({rate:g})"
        print(
            f"ddl: the learning rate{number} does not look scaled for {here.size} ranks: "
            "ddl.scale_learning_rate(rate) does that, ddl.DDLWarmupCallback() warms it up; "
            f"{_SILENT}=0 silences this",
            file=sys.stderr,
            flush=True,
        )


_warned: list[bool] = []
