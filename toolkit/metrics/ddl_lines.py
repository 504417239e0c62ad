"""What `ddl.log_metric` writes (`images/ddl/ddl/metrics.py`): `ddl: metric loss 0.25 step 100`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from toolkit.metrics.source import NUMBER, Measured

_LINE = re.compile(rf"ddl: metric (\S{{1,80}}) ({NUMBER})(?: step (-?\d{{1,18}}))?\s*")


class DdlLines:
    """One rank's `ddl.log_metric`."""

    def read(self, text: str) -> Iterator[Measured]:
        """See `LineSource`."""
        if match := _LINE.fullmatch(text):
            yield Measured(match[1], float(match[2]), int(match[3]) if match[3] else None)
