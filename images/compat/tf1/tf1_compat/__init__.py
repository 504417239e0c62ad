"""Runs scripts of 2018 unmodified: they get TensorFlow's 1.x API, on 1.5 and on 2.x, and their ranks stay consistent.

It is in an image only if the recipe's entry or the manifest says `compat: tf1`. Python reads `tf1.pth` at its start,
which installs this; from then on a script's own ``import tensorflow`` returns the module of `facade`, and libraries get
TensorFlow unchanged. Every change is reported on standard error, once per job.

* `facade` is what the script sees as ``tf``; on TensorFlow 2 with `variable` (``tf.Variable.__init__ = f`` has an
  effect again) and `backports` (the MNIST tutorial's `input_data`).
* `session` places ``/gpu:0`` on the CPU if there is no GPU, and prints the trained weights' checksum on request.
* `broadcast` gives all ranks rank 0's initial weights if the script's own `ddl.py` does not.
* `gradients` hides missing gradients from such a `ddl.py`, which fails on them.

Everything but `variable` and `backports` also runs on Python 2.7. Only modules that every Python has loaded already are
imported here: most programs of an image never use TensorFlow.
"""

try:
    import builtins
except ImportError:  # Python 2
    import __builtin__ as builtins  # type: ignore[import-not-found,no-redef]

TENSORFLOW = "tensorflow"
_original_import = builtins.__import__


def _import(name, *rest, **named):
    """Called by every import statement (``builtins.__import__``); passes on who imports."""
    if name.partition(".")[0] != TENSORFLOW:
        module = _original_import(name, *rest, **named)
        _after_import()
        return module
    from tf1_compat import caller, facade

    importer = rest[0] if rest else named.get("globals")
    if not caller.is_user_script(importer):
        return _original_import(name, *rest, **named)
    facade_module = facade.facade_for(_original_import(TENSORFLOW))
    module = _original_import(name, *rest, **named)
    return facade_module if module.__name__ == TENSORFLOW else module


def _do_nothing():
    """Until TensorFlow is imported, there is nothing to check."""


_after_import = _do_nothing


def after_each_import(callback):
    """Call ``callback()`` after every import statement: a script's modules change TensorFlow while they load."""
    global _after_import  # noqa: PLW0603
    _after_import = callback


def install():
    """Handle import statements from now on."""
    builtins.__import__ = _import
