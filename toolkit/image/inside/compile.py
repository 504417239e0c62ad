"""Runs in an image while it is built: compiles every module below the given folders.

    compile.py FOLDER...

From Python 3.7 on a compiled module refers to its source by hash and is not checked again at import (PEP 552): its
bytes do not depend on the time of the build, and importing ignores the source's timestamp. The bytes do depend a little
on what the same process compiled before, so each process gets a fixed share of the files in a fixed order: the result
is independent of the machine's number of processors. A file that does not compile (a template, another Python's syntax)
is skipped, as pip does.
"""

import os
import py_compile
import subprocess
import sys

SHARES = 4


def modules(folders):
    for top in folders:
        for folder, subfolders, files in os.walk(top):
            subfolders.sort()
            for name in sorted(files):
                if name.endswith(".py"):
                    yield os.path.join(folder, name)


def compile_share(share, folders):
    options = {}
    if sys.version_info >= (3, 7):
        options["invalidation_mode"] = py_compile.PycInvalidationMode.UNCHECKED_HASH
    for path in modules(folders):
        if sum(bytearray(path.encode("utf-8"))) % SHARES == share:
            try:
                py_compile.compile(path, doraise=True, **options)
            except (py_compile.PyCompileError, UnicodeError, ValueError, RuntimeError):
                pass


def main():
    if sys.argv[1] == "--share":
        compile_share(int(sys.argv[2]), sys.argv[3:])
        return
    processes = [
        subprocess.Popen([sys.executable, os.path.abspath(__file__), "--share", str(share)] + sys.argv[1:])
        for share in range(SHARES)
    ]
    statuses = [process.wait() for process in processes]
    sys.exit(max(statuses))


if __name__ == "__main__":
    main()
