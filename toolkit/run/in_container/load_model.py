"""Inside the image that trained it: load a SavedModel, ask every signature for a prediction, then the user's check.

    load_model.py MODEL_FOLDER [CHECK_PROGRAM]

The last line that it prints is a JSON object: the signatures, and the lines that the user's check printed. It is one
file and needs nothing but Python 2.7: the image is old where the framework is.
"""

import json
import runpy
import sys

if sys.version_info >= (3,):
    from io import StringIO
else:
    from StringIO import StringIO  # what Python 2 prints is bytes, which io.StringIO refuses


def main():
    """Load, ask, check."""
    folder = sys.argv[1]
    signatures = ask(folder)
    if not signatures:
        raise SystemExit("%s has no signature: it cannot make predictions" % folder)
    said = check(sys.argv[2], folder) if len(sys.argv) > 2 else []
    print(json.dumps({"signatures": signatures, "said": said}))


def ask(folder):
    """Ask every signature for a prediction on zeros of its inputs' shapes; what goes in and comes out, by name."""
    import tensorflow as tf

    # TensorFlow 2 under its 1.x names has sessions, too.
    answers = ask_in_a_session(tf, folder) if hasattr(tf, "Session") else ask_functions(tf, folder)
    found = {}
    for name, inputs, outputs in answers:
        for key, value in outputs.items():
            refuse_not_finite(name, key, value)
        found[name] = {"inputs": sorted(inputs), "outputs": sorted(outputs)}
    return found


def ask_functions(tf, folder):
    """TensorFlow 2: each signature is a function."""
    for name, function in tf.saved_model.load(folder).signatures.items():
        inputs = {
            key: tf.zeros([size or 1 for size in spec.shape], spec.dtype)
            for key, spec in function.structured_input_signature[1].items()
        }
        yield name, inputs, {key: value.numpy() for key, value in function(**inputs).items()}


def ask_in_a_session(tf, folder):
    """TensorFlow 1: each signature names tensors of a graph."""
    with tf.Session(graph=tf.Graph()) as session:
        model = tf.saved_model.loader.load(session, ["serve"], folder)
        for name, signature in sorted(model.signature_def.items()):
            inputs = {info.name: zeros(tf, info) for info in signature.inputs.values()}
            outputs = {key: info.name for key, info in signature.outputs.items()}
            yield name, list(signature.inputs), session.run(outputs, inputs)


def zeros(tf, info):
    """An array for the input that a `TensorInfo` describes; sizes that are open are 1."""
    import numpy as np

    shape = [1 if dimension.size < 0 else dimension.size for dimension in info.tensor_shape.dim]
    dtype = tf.as_dtype(info.dtype)
    return np.full(shape, b"", object) if dtype == tf.string else np.zeros(shape, dtype.as_numpy_dtype)


def refuse_not_finite(name, key, value):
    """End the program where an output of floats has one that is no finite number."""
    import numpy as np

    if np.asarray(value).dtype.kind == "f" and not np.isfinite(value).all():
        raise SystemExit("signature %s: output %s is not finite" % (name, key))


def check(program, folder):
    """Run the user's check with the model's folder as its argument; the lines that it prints."""
    sys.argv = [program, folder]
    screen, said = sys.stdout, StringIO()
    sys.stdout = said
    try:
        runpy.run_path(program, run_name="__main__")
    except BaseException as end:
        if not isinstance(end, SystemExit) or end.code not in (None, 0):  # sys.exit(0) ends well
            screen.write(said.getvalue())
            screen.flush()
            raise
    finally:
        sys.stdout = screen
    return said.getvalue().strip().splitlines()


if __name__ == "__main__":
    main()
