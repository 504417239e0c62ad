"""Who asks for TensorFlow: the person's script, or a library that must get it as it is."""

import os

_OURS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
"""`/opt`, where the image's own libraries lie."""
_STANDARD = os.path.dirname(os.__file__)
_LIBRARIES = (os.path.join(_OURS, ""), os.path.join(_STANDARD, ""))


def is_the_scripts(whose):
    """Whether the module with the globals ``whose`` belongs to the script."""
    whose = whose or {}
    file = whose.get("__file__")
    if not file:  # typed in; or a library's generated code, such as TensorFlow's wrappers of operations
        return whose.get("__name__") == "__main__"
    path = os.path.abspath(file)
    installed = "/site-packages/" in path or "/dist-packages/" in path
    return not installed and not path.startswith(_LIBRARIES)
