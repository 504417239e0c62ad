"""A variable without a gradient (None) is kept from a script's own `apply_gradients`, which would ask for its shape.

TensorFlow itself leaves such a variable as it is, so leaving out the pair changes nothing.
"""

from tf1_compat.said import say


class Watch(object):
    """Sees when a script's module has replaced `Optimizer.apply_gradients`, and wraps what it put there."""

    def __init__(self, tf):
        self._optimizer = tf.train.Optimizer
        self._known = vars(self._optimizer)["apply_gradients"]

    def look(self):
        """Look once."""
        now = vars(self._optimizer)["apply_gradients"]
        if now is not self._known:
            self._known = self._optimizer.apply_gradients = _without_none(now)


def _without_none(apply):
    def apply_those_that_are(self, grads_and_vars, *args, **kwargs):
        pairs = list(grads_and_vars)
        there = [pair for pair in pairs if pair[0] is not None]
        lacking = [variable.name for gradient, variable in pairs if gradient is None]
        if lacking:
            say("no gradient, so left as they are: %s" % ", ".join(lacking))
        return apply(self, there, *args, **kwargs)

    return apply_those_that_are
