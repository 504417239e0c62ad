"""What a script's own `apply_gradients` cannot bear, as it asks every gradient for its size.

A variable without a gradient (None) TensorFlow leaves as it is, so leaving out the pair changes nothing. A sparse
gradient (`tf.IndexedSlices`) is made dense, as the library would have it; every gradient has its variable's shape.
"""

from tf1_compat.said import say


class Watch(object):
    """Sees when a script's module has replaced `Optimizer.apply_gradients`, and wraps what it put there."""

    def __init__(self, tf):
        self._tf = tf
        self._optimizer = tf.train.Optimizer
        self._known = vars(self._optimizer)["apply_gradients"]

    def look(self):
        """Look once."""
        now = vars(self._optimizer)["apply_gradients"]
        if now is not self._known:
            self._known = self._optimizer.apply_gradients = self._sparing(now)

    def _sparing(self, apply):
        def apply_what_it_bears(optimizer, grads_and_vars, *args, **kwargs):
            pairs = list(grads_and_vars)
            lacking = [variable.name for gradient, variable in pairs if gradient is None]
            if lacking:
                say("no gradient, so left as they are: %s" % ", ".join(lacking))
            there = [
                (self._whole(gradient, variable), variable) for gradient, variable in pairs if gradient is not None
            ]
            return apply(optimizer, there, *args, **kwargs)

        return apply_what_it_bears

    def _whole(self, gradient, variable):
        if isinstance(gradient, self._tf.IndexedSlices):
            gradient = self._tf.convert_to_tensor(gradient)
        gradient.set_shape(variable.get_shape())
        return gradient
