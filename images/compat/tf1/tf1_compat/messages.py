"""Reports what was changed, on standard error, so that a program's output is not disturbed."""

import os
import sys

_printed = set()


def notice(text):
    """Print it once, on one rank: a job of 256 would print it 256 times."""
    if os.environ.get("OMPI_COMM_WORLD_RANK", "0") == "0" and text not in _printed:
        _printed.add(text)
        sys.stderr.write("compat tf1: %s\n" % text)
        sys.stderr.flush()
