"""All ranks start from rank 0's weights, however and whenever the script made its variables.

A script's own `ddl.py` loads `ddl_MDR.so` and gives a broadcast to those variables alone that are made after its import
and with ``trainable=True, initial_value=...`` by name, as `tf.get_variable` does. All others start from each rank's own
random numbers, and averaged gradients never bring them together. So the operation that initialises variables is made to
end with a broadcast of those that are trained. It is made after the graph of the model, so a graph that is exported
before ``import ddl``, to be loaded elsewhere, has no operation of the library in it.
"""

import os

from tf1_compat.said import say

LIBRARY = "ddl_MDR.so"
_TYPES = ("float16", "bfloat16", "float32", "float64", "int32", "int64")


def mend(tf):
    """Watch for the library; where it is loaded, have initialisers broadcast."""
    from tensorflow.python.ops import variables

    load, initialise = tf.load_op_library, variables.variables_initializer
    loaded = []
    early = []

    def load_and_note(library_filename):
        library = load(library_filename)
        if os.path.basename(library_filename) == LIBRARY and _is_asked_for():
            loaded[:] = [library]
            if early:
                say("variables were initialised before %s was loaded: ranks may start from different weights" % LIBRARY)
        return library

    def initialise_and_broadcast(var_list, name="init"):
        trained = {variable.name for variable in tf.trainable_variables()}
        chosen = [v for v in var_list or () if v.name in trained and v.dtype.base_dtype.name in _TYPES]
        if not loaded:
            early.extend(chosen)
        if not loaded or not chosen:
            return initialise(var_list, name)
        say("the initialiser gives every rank rank 0's values of the %d trained variables" % len(chosen))
        done = initialise(var_list, name + "_on_each_rank")
        # One after the other, in the order of names. The library knows a tensor on other ranks by its node's name.
        for variable in sorted(chosen, key=lambda variable: variable.name):
            with tf.control_dependencies([done]):
                value = loaded[0].bcast(variable.read_value(), name=variable.op.name + "/of_rank_0")
                done = tf.assign(variable, value)
        return tf.group(done, name=name)

    tf.load_op_library = load_and_note
    variables.variables_initializer = tf.variables_initializer = initialise_and_broadcast
    if hasattr(getattr(tf, "initializers", None), "variables"):
        tf.initializers.variables = initialise_and_broadcast


def _is_asked_for():
    """Whether this is one of many ranks of one training; where DDL_OPTIONS is not set the script does all itself."""
    return bool(os.environ.get("DDL_OPTIONS")) and os.environ.get("OMPI_COMM_WORLD_SIZE", "1") != "1"
