"""Adapts gradients to a script's own `apply_gradients`, which asks every gradient for its size.

TensorFlow leaves a variable without a gradient (None) unchanged, so omitting the pair has the same effect. A sparse
gradient (`tf.IndexedSlices`) is made dense, as the library requires; every gradient has its variable's shape.
"""

from tf1_compat.messages import notice


class OptimizerWatch(object):
    """Detects that a script's module has replaced `Optimizer.apply_gradients`, and wraps the replacement."""

    def __init__(self, tf):
        self._tf = tf
        self._optimizer = tf.train.Optimizer
        self._last_seen = vars(self._optimizer)["apply_gradients"]

    def check(self):
        """Check once."""
        current = vars(self._optimizer)["apply_gradients"]
        if current is not self._last_seen:
            self._last_seen = self._optimizer.apply_gradients = self._filtering(current)

    def _filtering(self, apply):
        def filter_and_apply(optimizer, grads_and_vars, *args, **kwargs):
            pairs = list(grads_and_vars)
            missing = [variable.name for gradient, variable in pairs if gradient is None]
            if missing:
                notice("no gradient, so left unchanged: %s" % ", ".join(missing))
            present = [
                (self._dense(gradient, variable), variable) for gradient, variable in pairs if gradient is not None
            ]
            return apply(optimizer, present, *args, **kwargs)

        return filter_and_apply

    def _dense(self, gradient, variable):
        if isinstance(gradient, self._tf.IndexedSlices):
            gradient = self._tf.convert_to_tensor(gradient)
        gradient.set_shape(variable.get_shape())
        return gradient
