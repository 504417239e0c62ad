"""Compiles the native libraries into the package (`ddl/lib`), for the TensorFlow that is installed.

pip builds in isolation unless told otherwise, and then sees no TensorFlow:

    pip install --no-build-isolation images/ddl
"""

import importlib.util
import sys
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.build_py import build_py

NATIVE = Path(__file__).parent / "native"


class WithNative(build_py):
    """Python's files, then the libraries beside them."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        spec = importlib.util.spec_from_file_location("ddl_native_build", NATIVE / "build.py")
        native = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(native)
        try:
            folder, _ = native.build(str(Path(self.build_lib) / "ddl" / "lib"))
        except native.BuildError as error:
            sys.exit(f"ddl: its native half cannot be compiled: {error}")
        if not folder:
            print(
                "ddl: no TensorFlow is seen here: its ops are left out (pip install --no-build-isolation)",
                file=sys.stderr,
            )


class OfOnePlatform(Distribution):
    """A wheel with libraries in it is for one platform."""

    def has_ext_modules(self) -> bool:
        return True


setup(cmdclass={"build_py": WithNative}, distclass=OfOnePlatform)
