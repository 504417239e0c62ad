"""Lets scripts of 2018 run as they are: they get TensorFlow's 1.x face, on 1.5 and on today's, and agree on many ranks.

It is in an image only where the recipe's row or the manifest says `compat: tf1`. Python reads `tf1.pth` at its start,
which installs this; from then on a script's own ``import tensorflow`` is answered by `face`, and libraries get
TensorFlow as it is. What it changes it says on standard error, once in a job.

* `face` is what the script sees as ``tf``; on TensorFlow 2 with `variable` (``tf.Variable.__init__ = f`` has an effect
  again) and `added` (the MNIST tutorial's `input_data`).
* `session` lets ``/gpu:0`` be a CPU where there is no GPU, and shows the trained weights' checksum if asked to.
* `broadcast` gives all ranks rank 0's initial weights where the script's own `ddl.py` does not.
* `gradients` keeps a missing gradient from such a `ddl.py`, which cannot bear it.

Everything but `variable` and `added` is read by Python 2.7, too. Nothing is imported here but what every Python has
loaded already: most programs of an image never ask for TensorFlow.
"""

try:
    import builtins
except ImportError:  # Python 2
    import __builtin__ as builtins  # type: ignore[import-not-found,no-redef]

TENSORFLOW = "tensorflow"
_as_it_is = builtins.__import__


def _import(name, *rest, **named):
    """What every import statement calls (``builtins.__import__``), here told who asks."""
    if name.partition(".")[0] != TENSORFLOW:
        found = _as_it_is(name, *rest, **named)
        _look_again()
        return found
    from tf1_compat import asking, face

    whose = rest[0] if rest else named.get("globals")
    if not asking.is_the_scripts(whose):
        return _as_it_is(name, *rest, **named)
    shown = face.shown(_as_it_is(TENSORFLOW))
    found = _as_it_is(name, *rest, **named)
    return shown if found.__name__ == TENSORFLOW else found


def _nothing():
    """There is no TensorFlow yet, so nothing to look at."""


_look_again = _nothing


def after_each_import(look):
    """Have ``look()`` called after every import statement: a script's modules change TensorFlow while they load."""
    global _look_again  # noqa: PLW0603
    _look_again = look


def install():
    """Answer import statements from here on."""
    builtins.__import__ = _import
