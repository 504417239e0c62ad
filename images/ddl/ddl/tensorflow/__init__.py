"""TensorFlow and Keras, made to know about the other ranks. With one rank only what a program names itself is imported.

``ops`` has the native ops and what they cannot take by themselves, ``names`` what a collective is called, ``variables``
gives variables rank 0's values, ``reduction`` reduces gradients. The hooks stand on these: ``keras3``, ``keras2``,
``optimizers`` (TensorFlow's own) with ``sessions``. ``tape`` and ``callbacks`` are for programs to use.
"""
