"""Puts the image's `ddl` package on the path: it is not installed where the tests run, and needs not to be."""

import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "images" / "ddl"

sys.path.insert(0, str(PACKAGE))
sys.path.insert(0, str(Path(__file__).parent))  # for what several tests use
