"""What TensorFlow 1.x had and 2.x has not, as modules: this folder is added to the package's path."""

import os

FOLDER = os.path.dirname(os.path.abspath(__file__))
