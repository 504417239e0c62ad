"""Builds, launches and collects a training: python examples/train_and_collect.py MANIFEST FOLDER"""

import sys

from toolkit import api
from toolkit.errors import ToolkitError

manifest, folder = sys.argv[1:]
try:
    built = api.build(manifest)
    run = api.launch(manifest)
    model = api.collect(run, to=folder)
except ToolkitError as error:
    sys.exit(f"error {error}")
print(built.image.image_id, run.training_id, run.state.value, model.folder, model.metrics, sep="\n")
