"""Sessions: operations placed on ``/gpu:0`` run where there is none; the trained weights' checksum, if asked for."""

import hashlib
import os
import sys

from tf1_compat.said import say

SHOW = "TF1_SHOW_WEIGHTS"
"""Set to 1, each session that ends shows the SHA-256 of the trainable variables' values, on every rank."""


def mend(tf):
    """Change what all of TensorFlow's sessions are made from, below what a script's modules may have put on top."""
    from tensorflow.python.client.session import BaseSession

    start, close = BaseSession.__init__, BaseSession.close

    def start_softly(self, target="", graph=None, config=None):
        if config is None or isinstance(config, tf.ConfigProto):
            softer = tf.ConfigProto()
            softer.CopyFrom(config or softer)
            if not softer.allow_soft_placement:
                say("sessions place on the CPU what is asked for on a GPU that is not there (allow_soft_placement)")
            softer.allow_soft_placement = True
            config = softer
        start(self, target, graph, config)

    def show_and_close(self):
        _show_weights(tf, self)
        close(self)

    BaseSession.__init__ = start_softly
    if os.environ.get(SHOW) == "1":
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
