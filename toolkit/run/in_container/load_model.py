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
    print(json.dumps({"signatures": signatures, "said": said}, sort_keys=True))


def ask(folder):
    """Ask every signature for a prediction on zeros of its inputs' shapes; what goes in and comes out, by name."""
    import tensorflow as tf

    # TensorFlow 2 under its 1.x names has sessions, too.
    answers = ask_in_a_session(tf, folder) if hasattr(tf, "Session") else ask_functions(tf, folder)
    found = {}
    for name, inputs, outputs, answer in answers:
        for key, value in answer.items():
            refuse_not_finite(name, key, value)
        found[name] = {"inputs": described(tf, inputs), "outputs": described(tf, outputs)}
    return found


def described(tf, tensors):
    """Each tensor's dtype and shape, from what has a `dtype` and a `TensorShape`; open sizes are -1."""
    return {
        key: {"dtype": tf.as_dtype(dtype).name, "shape": None if shape.ndims is None else sizes(shape)}
        for key, (dtype, shape) in tensors.items()
    }


def sizes(shape):
    """A `TensorShape` as a list."""
    return [-1 if size is None else size for size in shape.as_list()]


def ask_functions(tf, folder):
    """TensorFlow 2: each signature is a function."""
    for name, function in tf.saved_model.load(folder).signatures.items():
        specs = function.structured_input_signature[1]
        inputs = {key: tf.zeros(least(spec.shape), spec.dtype) for key, spec in specs.items()}
        answer = {key: value.numpy() for key, value in function(**inputs).items()}
        yield name, types_of(specs), types_of(function.structured_outputs), answer


def types_of(specs):
    """The dtype and shape of each spec."""
    return {key: (spec.dtype, spec.shape) for key, spec in specs.items()}


def least(shape):
    """The smallest sizes that a `TensorShape` allows: none for one of any rank, 1 where one is open."""
    return [] if shape.ndims is None else [1 if size < 0 else size for size in sizes(shape)]


def ask_in_a_session(tf, folder):
    """TensorFlow 1: each signature names tensors of a graph."""
    with tf.Session(graph=tf.Graph()) as session:
        model = tf.saved_model.loader.load(session, ["serve"], folder)
        for name, signature in sorted(model.signature_def.items()):
            inputs = {info.name: zeros(tf, info) for info in signature.inputs.values()}
            outputs = {key: info.name for key, info in signature.outputs.items()}
            types = [
                {key: (info.dtype, tf.TensorShape(info.tensor_shape)) for key, info in infos.items()}
                for infos in (signature.inputs, signature.outputs)
            ]
            yield name, types[0], types[1], session.run(outputs, inputs)


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
