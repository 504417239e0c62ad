"""Compiles the native library while pip makes the package, for the TensorFlow of the environment that pip runs in.

    pip install --no-build-isolation images/ddl

Isolated, the build would see no TensorFlow, and make the engine alone.
"""

import runpy
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent


class BuildWithLibrary(build_py):
    def run(self) -> None:
        super().run()
        runpy.run_path(str(HERE / "native" / "build.py"))["build"](str(Path(self.build_lib, "ddl", "lib")))


class OfThisMachine(Distribution):
    def has_ext_modules(self) -> bool:
        return True


setup(cmdclass={"build_py": BuildWithLibrary}, distclass=OfThisMachine)
