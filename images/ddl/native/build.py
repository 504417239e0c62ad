#!/usr/bin/env python3
"""Compiles ddl's native libraries: libddl_engine.so, and ddl_MDR.so for one TensorFlow. If CUDA's and NCCL's headers
are installed beside TensorFlow or in the system, also libddl_nccl.so, and kernels for tensors on GPUs.

    python build.py OUTPUT [TENSORFLOW]

TENSORFLOW is the folder of the installed package, detected if omitted; TensorFlow itself is never started. Needs g++ (5
or newer) and Open MPI's headers with mpicc (Debian: `apt-get install g++ libopenmpi-dev`). The same sources, compiler
and TensorFlow produce the same bytes, wherever they are. Runs on Python 2.7 and 3.5, too, as old images have no other.
"""

from __future__ import print_function

import os
import re
import shutil
import subprocess
import sys
import tempfile
from multiprocessing.pool import ThreadPool

HERE = os.path.dirname(os.path.abspath(__file__))
ENGINE = "libddl_engine.so"
NCCL = "libddl_nccl.so"
TENSORFLOW_OPS = "ddl_MDR.so"
TENSORFLOW_OPS_SOURCE = "tensorflow/ops.cc"
FLAGS = ["-O3", "-ffp-contract=off", "-fPIC", "-fvisibility=hidden", "-Wall", "-pthread", "-DOMPI_SKIP_MPICXX", "-I."]
LINK = ["-shared", "-pthread", "-Wl,--build-id=none", "-Wl,-z,relro,-z,now", "-Wl,-rpath,$ORIGIN"]
# A TensorFlow symbol that takes a std::string with the C++11 ABI: then ours must use it, too.
CXX11_STRING_SYMBOL = re.compile(r"_ZNK?10tensorflow[0-9A-Za-z_]*NSt7__cxx11".encode("ascii"))


class BuildError(Exception):
    """What is missing; the text is for people."""


def run(argv):
    """Run a compiler in the source folder; its output is the error's text."""
    try:
        process = subprocess.Popen(argv, cwd=HERE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except OSError as error:
        raise BuildError("%s cannot be started (%s): apt-get install g++ libopenmpi-dev" % (argv[0], error.strerror))
    output = process.communicate()[0].decode("utf-8", "replace")
    if process.returncode != 0:
        raise BuildError("%s\n%s" % (" ".join(argv), output))
    return output


def sources(folders):
    """The sources in `folders`, in a fixed order."""
    found = ["%s/%s" % (folder, name) for folder in folders for name in os.listdir(os.path.join(HERE, folder))]
    return sorted(name for name in found if name.endswith(".cc"))


def mpi_flags(what):
    """Open MPI's folders: `incdirs` or `libdirs`."""
    option = {"incdirs": "-isystem", "libdirs": "-L"}[what]
    folders = run(["mpicc", "--showme:" + what]).split()
    return [flag for folder in folders for flag in ([option, folder] if option == "-isystem" else [option + folder])]


def reproducible_flags():
    """Options that keep the path of the sources out of the binaries; GCC 8 and newer."""
    major = int(run(["g++", "-dumpversion"]).split(".")[0])
    return ["-ffile-prefix-map=%s=." % HERE] if major >= 8 else []


def build_library(target, names, flags, link):
    """Compile the sources `names` and link them as the library `target`; stripped unless `flags` contain -g."""
    objects = tempfile.mkdtemp()
    try:
        built = [os.path.join(objects, name.replace("/", "_") + ".o") for name in names]
        steps = [["g++", "-c", name, "-o", path] + FLAGS + ["-std=c++11"] + flags for name, path in zip(names, built)]
        # Compilers are separate processes, so threads suffice.
        pool = ThreadPool(max(1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2))
        pool.map(run, steps)
        pool.close()
        strip = [] if "-g" in flags else ["-s"]
        run(["g++"] + built + LINK + strip + ["-Wl,-soname," + os.path.basename(target), "-o", target] + link)
    finally:
        shutil.rmtree(objects)


def build_engine(output, flags=(), link=()):
    """Compile the engine into the folder `output`, with additional `flags` and `link` options (for a sanitizer)."""
    names = sources(["collectives", "engine", "gpu"])
    headers = reproducible_flags() + mpi_flags("incdirs")
    libraries = mpi_flags("libdirs") + ["-lmpi", "-ldl", "-lrt"]
    build_library(os.path.join(output, ENGINE), names, headers + list(flags), list(link) + libraries)


def find_cuda(packages):
    """The folders with CUDA's and NCCL's headers: those of NVIDIA's wheels in `packages`, or the system's; none if any
    is missing, or CUDA is older than 12. crt/ belongs to nvcc, and the other headers include it.
    """
    needed = (("nccl", "nccl.h"), ("cuda_runtime", "cuda_runtime_api.h"), ("cuda_nvcc", "crt/host_defines.h"))
    wheels = [os.path.join(packages, "nvidia", name, "include") for name, _ in needed]
    for folders in (wheels, ["/usr/local/cuda/include", "/usr/include"]):
        found = [[path for path in folders if os.path.exists(os.path.join(path, file))] for _, file in needed]
        if all(found) and cuda_version(found[1][0]) >= 12000:
            return [path for path in folders if os.path.isdir(path)]
    return []


def cuda_version(folder):
    """The version of CUDA's runtime whose headers are in `folder`: 12050 for 12.5."""
    with open(os.path.join(folder, "cuda_runtime_api.h"), "rb") as file:
        return int(re.search(b"#define CUDART_VERSION +([0-9]+)", file.read()).group(1))


def cuda_flags(folders):
    """Options for the headers in `folders`, independent of their path. g++ finds the system's own by itself."""
    found = [option for path in folders if path != "/usr/include" for option in ("-isystem", path)]
    same = ["-ffile-prefix-map=%s=cuda" % path for path in folders] if reproducible_flags() else []
    return found + same


def build_nccl(output, folders, flags=(), link=()):
    """Compile the NCCL library into the folder `output`, with the headers in `folders`."""
    headers = reproducible_flags() + cuda_flags(folders)
    build_library(os.path.join(output, NCCL), sources(["nccl"]), headers + list(flags), list(link) + ["-ldl"])


def tensorflow_facts(folder):
    """The flags with which TensorFlow in `folder` must be compiled, read from its own files, and its library's name."""
    header = os.path.join(folder, "include", "tensorflow", "core", "public", "version.h")
    try:
        with open(header) as file:
            found = dict(re.findall(r"#define (TF_M\w+_VERSION) +(\d+)", file.read()))
    except (OSError, IOError):
        raise BuildError("%s is not a TensorFlow with headers" % folder)
    # TensorFlow 2.21's headers no longer state the version.
    version = int(found.get("TF_MAJOR_VERSION", 2)), int(found.get("TF_MINOR_VERSION", 21))
    names = sorted(name for name in os.listdir(folder) if re.match(r"libtensorflow_framework\.so(\.\d+)?$", name))
    if not names:
        raise BuildError("%s has no libtensorflow_framework.so" % folder)
    with open(os.path.join(folder, names[-1]), "rb") as file:
        cxx11_strings = bool(CXX11_STRING_SYMBOL.search(file.read()))
    standard = "c++17" if version >= (2, 10) else "c++14" if version >= (2, 5) else "c++11"
    return ["-std=" + standard, "-D_GLIBCXX_USE_CXX11_ABI=%d" % cxx11_strings, "-DEIGEN_MAX_ALIGN_BYTES=64"], names[-1]


def build_tensorflow_ops(output, folder, cuda=()):
    """Compile TensorFlow's ops into the folder `output`, which has the engine already; with CUDA's headers in `cuda`
    also for tensors on GPUs.
    """
    flags, library = tensorflow_facts(folder)
    includes = [os.path.join(folder, "include"), os.path.join(folder, "include", "external", "nsync", "public")]
    headers = [option for path in includes if os.path.isdir(path) for option in ("-isystem", path)]
    # TensorFlow's headers put their paths into messages, which must not depend on where they are.
    same = ["-ffile-prefix-map=%s=tensorflow" % folder] if reproducible_flags() else []
    headers += ["-DDDL_ON_GPU", "-DEIGEN_USE_GPU"] + cuda_flags(cuda) if cuda else []
    link = LINK + ["-s", "-L" + folder, "-l:" + library, "-L" + output, "-l:" + ENGINE]
    # -O2: nothing is computed here, and TensorFlow's headers dominate compile time.
    argv = ["g++", TENSORFLOW_OPS_SOURCE] + FLAGS + ["-O2", "-w"] + flags + reproducible_flags() + same + headers
    run(argv + ["-o", os.path.join(output, TENSORFLOW_OPS)] + link)


def find_tensorflow():
    """The folder of TensorFlow in this Python, without importing it; None if there is none."""
    folders = [os.path.join(path, "tensorflow") for path in sys.path if path]
    return next((folder for folder in folders if os.path.isdir(os.path.join(folder, "include"))), None)


def build(output, folder=None):
    """Compile all libraries whose prerequisites are installed, into `output`. Returns TensorFlow's folder and
    CUDA's.
    """
    if not os.path.isdir(output):
        os.makedirs(output)
    output = os.path.abspath(output)
    build_engine(output)
    folder = folder or find_tensorflow()
    cuda = find_cuda(os.path.dirname(os.path.abspath(folder))) if folder else []
    if cuda:
        build_nccl(output, cuda)
    if folder:
        build_tensorflow_ops(output, os.path.abspath(folder), cuda)
    return folder, cuda


def main(arguments):
    """The command line; returns an exit status."""
    if not 1 <= len(arguments) <= 2 or arguments[0].startswith("-"):
        print(__doc__)
        return 2
    try:
        folder, cuda = build(*arguments)
    except BuildError as error:
        print("ddl: cannot be compiled: %s" % error, file=sys.stderr)
        return 1
    built = "%s and %s for %s" % (ENGINE, TENSORFLOW_OPS, folder) if folder else "%s; no TensorFlow here" % ENGINE
    nccl = "; %s with the headers in %s" % (NCCL, ", ".join(cuda)) if cuda else ""
    print("ddl: %s in %s%s" % (built, arguments[0], nccl))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
