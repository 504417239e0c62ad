"""What a script gets for ``import tensorflow``."""

import types

from tf1_compat import after_each_import, broadcast, gradients, session
from tf1_compat.said import say

_shown = []


class Face(types.ModuleType):
    """TensorFlow 2 under its 1.x names (`tensorflow.compat.v1`); what these lack is looked for in TensorFlow itself.

    It calls itself `tensorflow`, so that ``import tensorflow.python.ops.math_ops as m`` finds its way from here.
    """

    def __init__(self, today, old):
        types.ModuleType.__init__(self, today.__name__, today.__doc__)
        self.__dict__.update(old.__dict__)  # for `from tensorflow import *`; TensorFlow loads the rest when asked
        self.__dict__.update(
            {name: getattr(today, name) for name in ("__name__", "__file__", "__path__", "__spec__")},
            _today=today,
            _old=old,
        )

    def __getattr__(self, name):
        try:
            return getattr(self._old, name)
        except AttributeError:
            return getattr(self._today, name)

    def __dir__(self):
        return sorted(set(dir(self._old)) | set(self.__dict__))


def shown(today):
    """The face of ``today``, TensorFlow as it is; on 1.x that is TensorFlow itself, mended in place."""
    if not _shown:
        _shown.append(_made(today))
    return _shown[0]


def _made(today):
    tf = today if today.__version__.startswith("1.") else _of_2(today)
    session.mend(tf)
    broadcast.mend(tf)
    after_each_import(gradients.Watch(tf).look)
    return tf


def _of_2(today):
    from tf1_compat import variable
    from tf1_compat.added import FOLDER

    old = today.compat.v1
    words = old.logging.get_verbosity()
    old.logging.set_verbosity(old.logging.ERROR)  # it would warn that what is asked for is old
    old.disable_v2_behavior()
    old.logging.set_verbosity(words)
    variable.heed_init(old.Variable)
    today.__path__.append(FOLDER)
    say("`import tensorflow` in scripts gives TensorFlow %s under its 1.x names (no tf.contrib)" % today.__version__)
    return Face(today, old)
