"""Makes ``tf.Variable.__init__ = f`` effective again.

Until 1.10 `tf.Variable` was an ordinary class. Since 1.11 calling it goes through creator functions to another class,
and its own ``__init__`` is never run (`VariableMetaclass.__call__` in tensorflow/python/ops/variables.py). Older
scripts put a function there that changes the initial value and then calls the original ``__init__``.
"""

import inspect

from tf1_compat.messages import notice


class VariablePlaceholder:
    """Stands in for a variable while a script's ``__init__`` runs: TensorFlow's creators make the variable itself.

    Once it is created, attributes are read from and set on the variable.
    """

    def __getattr__(self, name):
        if name == "created":
            raise AttributeError("the script's own tf.Variable.__init__ did not call the one that it replaced")
        return getattr(self.created, name)

    def __setattr__(self, name, value):
        setattr(self.created, name, value)


def honour_init(cls):
    """Make ``cls``, which is `tf.compat.v1.Variable`, honour an assignment to its ``__init__``."""
    create = cls._variable_call.__func__  # without the classmethod
    names = list(inspect.signature(cls.__init__).parameters)[1:]

    def original_init(self, *args, **kwargs):
        named = dict(
            zip(names, args, strict=False)
        )  # `create` has another order of positional arguments than the old `__init__`
        vars(self)["created"] = create(cls, **named, **kwargs)

    def call(kind, *args, **kwargs):
        init = vars(cls)["__init__"]
        if kind is not cls or init is original_init:
            return create(kind, *args, **kwargs)
        notice(
            "tf.Variable.__init__ was replaced by %s.%s, which now creates the variables"
            % (init.__module__, init.__name__)
        )
        placeholder = VariablePlaceholder()
        init(placeholder, *args, **kwargs)
        return placeholder.created

    cls.__init__ = original_init
    cls._variable_call = classmethod(call)
