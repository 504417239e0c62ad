"""Whether TensorFlow is imported by the user's script, or by a library that must get it unchanged."""

import os

_IMAGE_LIBRARIES = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
"""`/opt`, where the image's own libraries are."""
_STANDARD = os.path.dirname(os.__file__)
_LIBRARIES = (os.path.join(_IMAGE_LIBRARIES, ""), os.path.join(_STANDARD, ""))


def is_user_script(importer):
    """Whether the module with the globals ``importer`` belongs to the script."""
    importer = importer or {}
    file = importer.get("__file__")
    if not file:  # interactive; or a library's generated code, such as TensorFlow's wrappers of operations
        return importer.get("__name__") == "__main__"
    path = os.path.abspath(file)
    installed = "/site-packages/" in path or "/dist-packages/" in path
    return not installed and not path.startswith(_LIBRARIES)
