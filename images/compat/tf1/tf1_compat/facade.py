"""The module that a script gets for ``import tensorflow``."""

import types

from tf1_compat import after_each_import, broadcast, gradients, session
from tf1_compat.messages import notice

_facade = []


class Facade(types.ModuleType):
    """TensorFlow 2 under its 1.x names (`tensorflow.compat.v1`); anything missing there is looked up in TensorFlow
    itself.

    Its name is `tensorflow`, so that ``import tensorflow.python.ops.math_ops as m`` works from here.
    """

    def __init__(self, tensorflow, v1):
        types.ModuleType.__init__(self, tensorflow.__name__, tensorflow.__doc__)
        self.__dict__.update(v1.__dict__)  # for `from tensorflow import *`; TensorFlow loads the rest on demand
        self.__dict__.update(
            {name: getattr(tensorflow, name) for name in ("__name__", "__file__", "__path__", "__spec__")},
            _tensorflow=tensorflow,
            _v1=v1,
        )

    def __getattr__(self, name):
        try:
            return getattr(self._v1, name)
        except AttributeError:
            return getattr(self._tensorflow, name)

    def __dir__(self):
        return sorted(set(dir(self._v1)) | set(self.__dict__))


def facade_for(tensorflow):
    """The facade of ``tensorflow``; on 1.x that is TensorFlow itself, patched in place."""
    if not _facade:
        _facade.append(_create(tensorflow))
    return _facade[0]


def _create(tensorflow):
    tf = tensorflow if tensorflow.__version__.startswith("1.") else _for_version_2(tensorflow)
    session.patch(tf)
    broadcast.patch(tf)
    after_each_import(gradients.OptimizerWatch(tf).check)
    return tf


def _for_version_2(tensorflow):
    from tf1_compat import variable
    from tf1_compat.backports import FOLDER

    v1 = tensorflow.compat.v1
    verbosity = v1.logging.get_verbosity()
    v1.logging.set_verbosity(v1.logging.ERROR)  # it would warn about deprecation
    v1.disable_v2_behavior()
    v1.logging.set_verbosity(verbosity)
    variable.honour_init(v1.Variable)
    tensorflow.__path__.append(FOLDER)
    version = tensorflow.__version__
    notice("`import tensorflow` in scripts gives TensorFlow %s under its 1.x names (no tf.contrib)" % version)
    return Facade(tensorflow, v1)
