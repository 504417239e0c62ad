"""TensorFlow and Keras on several ranks. With one rank, only modules whose names the program uses are imported.

``ops`` has the native ops and the conversions around them, ``names`` the names of collectives, ``variables`` broadcasts
rank 0's values to variables, ``reduction`` reduces gradients. The hooks are built on these: ``keras3``, ``keras2``,
``optimizers`` (TensorFlow's own) with ``sessions``. ``tape`` and ``callbacks`` are for use by programs.
"""
