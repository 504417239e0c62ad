"""Puts the example's folder on the path, as it is on a rank's."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "mnist"))
