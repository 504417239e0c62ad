"""Lines that programs print themselves: a counter first, then names with values.

epoch 1/8  loss 1.9002  accuracy 0.458
[step 1200] loss=0.312 lr=1e-3
Iteration 40: train_loss: 0.25, time: 3.1
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from toolkit.metrics.source import NUMBER, Measured, without_colours

_COUNTER = re.compile(
    r"\b(epoch|step|iter|iteration|batch|global_step)\b[\s:=#\[]{0,4}(\d{1,12})(?:\s?/\s?\d{1,12})?", re.IGNORECASE
)
_BEFORE_COUNTER = 40
"""Characters before the first counter: a time, a logger's name."""
_LIKE_A_METRIC = (
    r"(?:[\w.-]{0,60}(?:loss|acc|accuracy|error|perplexity|ppl|auc|f1|precision|recall|mse|mae|rmse)|lr|learning_rate)"
)
_PAIR = re.compile(
    rf"(?<![\w.-])(?:([A-Za-z_][\w./-]{{0,100}})\s?[:=]\s{{0,2}}|({_LIKE_A_METRIC})\s{{1,3}})({NUMBER})(?![\w.])",
    re.IGNORECASE,
)
_COUNTERS = {"epoch", "step", "iter", "iteration", "batch", "global_step"}


class PlainLines:
    """One rank's own lines. A step is the counter, if the line has one alone: of `epoch 2 step 10`, neither says where
    the run is."""

    def read(self, text: str) -> Iterator[Measured]:
        """See `LineSource`."""
        line = without_colours(text)
        counters = list(_COUNTER.finditer(line))
        if not counters or counters[0].start() > _BEFORE_COUNTER:
            return
        step = int(counters[0][2]) if len(counters) == 1 else None
        for match in _PAIR.finditer(line, counters[0].end()):
            name = match[1] or match[2]
            if name.lower() not in _COUNTERS:
                yield Measured(name, float(match[3]), step)
