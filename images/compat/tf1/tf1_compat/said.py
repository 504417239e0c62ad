"""What was changed, said where the person sees it and a program's output is not disturbed: on standard error."""

import os
import sys

_said = set()


def say(what):
    """Say it once, by one rank: a job of 256 would say it 256 times."""
    if os.environ.get("OMPI_COMM_WORLD_RANK", "0") == "0" and what not in _said:
        _said.add(what)
        sys.stderr.write("compat tf1: %s\n" % what)
        sys.stderr.flush()
