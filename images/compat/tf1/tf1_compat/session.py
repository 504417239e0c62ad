"""Sessions: operations for ``/gpu:0`` run if there is none; prints the trained weights' checksum on request."""

import hashlib
import os
import sys

from tf1_compat.messages import notice

SHOW_WEIGHTS = "TF1_SHOW_WEIGHTS"
"""If set to 1, each session that ends prints the SHA-256 of the trainable variables' values, on every rank."""


def patch(tf):
    """Patch the base class of all of TensorFlow's sessions, below what a script's modules may have replaced."""
    from tensorflow.python.client.session import BaseSession

    original_init, close = BaseSession.__init__, BaseSession.close

    def init_with_soft_placement(self, target="", graph=None, config=None):
        if config is None or isinstance(config, tf.ConfigProto):
            soft_config = tf.ConfigProto()
            soft_config.CopyFrom(config or soft_config)
            if not soft_config.allow_soft_placement:
                notice("operations for a GPU that is not there run on the CPU (allow_soft_placement)")
            soft_config.allow_soft_placement = True
            config = soft_config
        original_init(self, target, graph, config)

    def show_and_close(self):
        _show_weights(tf, self)
        close(self)

    BaseSession.__init__ = init_with_soft_placement
    if os.environ.get(SHOW_WEIGHTS) == "1":
        BaseSession.close = show_and_close


def _show_weights(tf, session):
    variables = session.graph.get_collection(tf.GraphKeys.TRAINABLE_VARIABLES)
    if not variables or session._closed:
        return
    try:
        values = session.run({variable.name: variable for variable in variables})
    except tf.errors.FailedPreconditionError:  # a session that initialised nothing, such as a library's own
        return
    digest = hashlib.sha256()
    for name in sorted(values):
        digest.update(("%s %s %s " % (name, values[name].dtype, values[name].shape)).encode("utf-8"))
        digest.update(values[name].tobytes())
    sys.stderr.write("weights sha256 %s\n" % digest.hexdigest())
    sys.stderr.flush()
