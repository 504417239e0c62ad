"""Keras's own progress lines, of its versions 2 and 3, with a bar or without (`verbose=2`).

    Epoch 3/8
    12/100 ━━━━━━━━━━━━━━━━━━━━ 1s 20ms/step - accuracy: 0.9101 - loss: 0.3004
    100/100 - 1s - 10ms/step - accuracy: 0.8500 - loss: 0.3000 - val_loss: 0.4000

Keras writes a bar over itself; the run's log has each line's last state.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from toolkit.metrics.source import NUMBER, Measured, without_colours

_EPOCH = re.compile(r"\s*Epoch (\d{1,9})(?:/\d{1,9})?\s*")
_BAR = re.compile(r"\s*(\d{1,12})/(?:\d{1,12}|Unknown)\s(.*)", re.DOTALL)
_VALUE = re.compile(rf"(?:.*\s)?([A-Za-z_][\w./-]{{0,100}}):\s*({NUMBER})\s*", re.DOTALL)
_STEP_TIME = re.compile(rf"(?:^|\s)({NUMBER})(s|ms|us|µs|μs|ns)/step(?:\s|$)")
_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ns": 1e-9}
EVALUATED = "evaluate"
STEP_TIME = "step_time"


class KerasLines:
    """One rank's `fit` and `evaluate`. A step is a batch, counted over all epochs.

    A bar that begins again without a new epoch is an evaluation's: its series are called `evaluate.loss`.
    """

    def __init__(self) -> None:
        self._before, self._batch = 0, 0
        self._in_epoch: bool | None = None
        """None until an epoch is named: `fit` of one epoch names none."""

    def read(self, text: str) -> Iterator[Measured]:
        """See `LineSource`."""
        line = without_colours(text)
        if _EPOCH.fullmatch(line):
            self._before, self._batch, self._in_epoch = self._before + self._batch, 0, True
            return
        match = _BAR.match(line)
        if not match:
            return
        values = [found for part in match[2].split(" - ") if (found := _VALUE.fullmatch(part))]
        took = _STEP_TIME.search(match[2])
        if not values and not took:
            return
        batch = int(match[1])
        if self._in_epoch and batch < self._batch:
            self._in_epoch = False
        prefix = f"{EVALUATED}." if self._in_epoch is False else ""
        if not prefix:
            self._batch = batch
        step = self._before + self._batch
        for found in values:
            yield Measured(prefix + found[1], float(found[2]), step)
        if took:
            yield Measured(prefix + STEP_TIME, float(took[1]) * _SECONDS[took[2]], step, "seconds")
