"""Inside the image that trained it: load a SavedModel, ask every signature for a prediction, then the user's check.

    load_model.py MODEL_FOLDER [CHECK_PROGRAM]

The last line that it prints is a JSON object: the signatures, and the lines that the user's check printed.
"""

import contextlib
import io
import json
import runpy
import sys
from typing import Any


def ask(name: str, function: Any) -> dict[str, Any]:
    """Call one signature with zeros of its shape; raises where an output is no finite number."""
    import numpy as np
    import tensorflow as tf

    inputs = {
        key: tf.zeros([size or 1 for size in spec.shape], spec.dtype)
        for key, spec in function.structured_input_signature[1].items()
    }
    outputs = function(**inputs)
    for key, value in outputs.items():
        if value.dtype.is_floating and not np.isfinite(value.numpy()).all():
            raise SystemExit(f"signature {name}: output {key} is not finite")
    return {"inputs": sorted(inputs), "outputs": sorted(outputs)}


def main() -> None:
    """Load, ask, check."""
    import tensorflow as tf

    folder = sys.argv[1]
    model = tf.saved_model.load(folder)
    signatures = {name: ask(name, function) for name, function in model.signatures.items()}
    if not signatures:
        raise SystemExit(f"{folder} has no signature: nothing can be asked of it")
    result: dict[str, Any] = {"signatures": signatures, "said": []}
    if len(sys.argv) > 2:
        sys.argv = [sys.argv[2], folder]
        said = io.StringIO()
        try:
            with contextlib.redirect_stdout(said):
                runpy.run_path(sys.argv[0], run_name="__main__")
        except BaseException as end:
            if not isinstance(end, SystemExit) or end.code not in (None, 0):  # sys.exit(0) ends well
                print(said.getvalue(), end="", flush=True)
                raise
        result["said"] = said.getvalue().strip().splitlines()
    print(json.dumps(result))


if __name__ == "__main__":
    main()
