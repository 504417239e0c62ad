"""python -m serving MODEL_FOLDER NAME SECONDS BYTES"""

import sys

if sys.version_info < (3, 5):
    sys.exit("serving a model needs Python 3.5 or newer, and this image has %d.%d" % sys.version_info[:2])

from .program import main

main()
