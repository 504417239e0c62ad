"""Puts `tf1_compat` on the path: it lies in images, is not installed here, and its import alone changes nothing."""

import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "images" / "compat" / "tf1"

sys.path.insert(0, str(PACKAGE))
