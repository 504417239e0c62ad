"""Modules that TensorFlow 1.x had and 2.x does not have: this folder is appended to the package's path."""

import os

FOLDER = os.path.dirname(os.path.abspath(__file__))
