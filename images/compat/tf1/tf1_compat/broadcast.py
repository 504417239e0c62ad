"""All ranks start from rank 0's weights, however and whenever the script creates its variables.

A script's own `ddl.py` loads `ddl_MDR.so` and broadcasts only variables that are created after its import and with
``trainable=True, initial_value=...`` as keywords, as `tf.get_variable` does. All others start from each rank's own
random numbers, and averaging gradients never makes them equal. So the operation that initialises variables is extended
by a broadcast of those that are trained. It is created after the graph of the model, so a graph that is exported before
``import ddl``, to be loaded elsewhere, contains no operation of the library.
"""

import os

from tf1_compat.messages import notice

LIBRARY = "ddl_MDR.so"
_TYPES = ("float16", "bfloat16", "float32", "float64", "int32", "int64")


def patch(tf):
    """Watch for the library; once it is loaded, make initialisers broadcast."""
    from tensorflow.python.ops import variables

    original_load, original_initialiser = tf.load_op_library, variables.variables_initializer
    loaded = []
    initialised_early = []

    def load_and_record(library_filename):
        library = original_load(library_filename)
        if os.path.basename(library_filename) == LIBRARY and _is_enabled():
            loaded[:] = [library]
            if initialised_early:
                text = "variables were initialised before %s was loaded: ranks may start from different weights"
                notice(text % LIBRARY)
        return library

    def initialise_and_broadcast(var_list, name="init"):
        trained = {variable.name for variable in tf.trainable_variables()}
        trained_here = [v for v in var_list or () if v.name in trained and v.dtype.base_dtype.name in _TYPES]
        if not loaded:
            initialised_early.extend(trained_here)
        if not loaded or not trained_here:
            return original_initialiser(var_list, name)
        notice("variables_initializer broadcasts rank 0's values of the %d trained variables" % len(trained_here))
        initialised = original_initialiser(var_list, name + "_on_each_rank")
        # One after the other, sorted by name. The library identifies a tensor across ranks by its node's name.
        for variable in sorted(trained_here, key=lambda variable: variable.name):
            with tf.control_dependencies([initialised]):
                value = loaded[0].bcast(variable.read_value(), name=variable.op.name + "/of_rank_0")
                initialised = tf.assign(variable, value)
        return tf.group(initialised, name=name)

    tf.load_op_library = load_and_record
    variables.variables_initializer = tf.variables_initializer = initialise_and_broadcast
    if hasattr(getattr(tf, "initializers", None), "variables"):
        tf.initializers.variables = initialise_and_broadcast


def _is_enabled():
    """Whether this is one of several ranks of one training; if DDL_OPTIONS is not set the script does everything
    itself.
    """
    return bool(os.environ.get("DDL_OPTIONS")) and os.environ.get("OMPI_COMM_WORLD_SIZE", "1") != "1"
