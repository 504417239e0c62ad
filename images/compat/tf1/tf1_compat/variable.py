"""``tf.Variable.__init__ = f`` decides again how variables are made.

Until 1.10 it did: `tf.Variable` was an ordinary class. Since 1.11 calling it goes through creator functions to another
class, and its own ``__init__`` is never run (`VariableMetaclass.__call__` in tensorflow/python/ops/variables.py).
Scripts of before put a function there that changes the initial value and passes on to the ``__init__`` that they found.
"""

import inspect

from tf1_compat.said import say


class Unmade:
    """Stands for a variable while a script's ``__init__`` runs: the variable itself comes from TensorFlow's creators.

    Once it is made, what is asked of this or set on it is asked of or set on the variable.
    """

    def __getattr__(self, name):
        if name == "made":
            raise AttributeError("the script's own tf.Variable.__init__ did not call the one that it took the place of")
        return getattr(self.made, name)

    def __setattr__(self, name, value):
        setattr(self.made, name, value)


def heed_init(cls):
    """Have ``cls``, which is `tf.compat.v1.Variable`, heed an assignment to its ``__init__``."""
    create = cls._variable_call.__func__  # below the classmethod
    names = list(inspect.signature(cls.__init__).parameters)[1:]

    def original_init(self, *args, **kwargs):
        named = dict(zip(names, args, strict=False))  # positions mean in `create` something else than of old
        vars(self)["made"] = create(cls, **named, **kwargs)

    def call(kind, *args, **kwargs):
        init = vars(cls)["__init__"]
        if kind is not cls or init is original_init:
            return create(kind, *args, **kwargs)
        say("tf.Variable.__init__ was replaced by %s.%s, which makes the variables" % (init.__module__, init.__name__))
        unmade = Unmade()
        init(unmade, *args, **kwargs)
        return unmade.made

    cls.__init__ = original_init
    cls._variable_call = classmethod(call)
