"""Whether a program is a launcher: by its name, by its Python module, or by the program that starts it. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from toolkit.manifest.launchers import accelerate, ddlrun, deepspeed, horovodrun, mpirun, srun, torchrun
from toolkit.manifest.launchers.model import Launcher
from toolkit.manifest.programs import BASH, SHELLS, program_name, script_index, started_by
from toolkit.manifest.shell import read_script
from toolkit.manifest.words import Word

LAUNCHERS = (
    *(mpirun.LAUNCHER, ddlrun.LAUNCHER, torchrun.LAUNCHER, torchrun.LAUNCH),
    *(accelerate.LAUNCHER, deepspeed.LAUNCHER, horovodrun.LAUNCHER, srun.LAUNCHER),
)
_OTHERS = (
    *("jsrun", "aprun", "ibrun", "prun", "lrun", "mpirun_rsh", "mpiexec.hydra", "mpirun.mpich"),
    *("mpiexec.mpich", "mpirun.lsf", "charmrun", "gasnetrun", "bfrun", "colossalai", "torchx", "lamboot", "pdsh"),
    *("sbatch", "salloc", "qsub", "bsub", "msub", "oarsub", "poe", "yhrun", "ccc_mprun", "upcrun"),
    *("bpslaunch", "smddprun", "dmlc-submit", "composer"),
)
"""They start ranks or submit a command to a batch system; none of their options is read here."""
_OTHERS_BY_VERB = {
    ("flux", "run"),
    ("flux", "submit"),
    ("lightning", "run"),
    ("fabric", "run"),
    ("ray", "job"),
    ("ray", "submit"),
}
_RUNNERS = (
    *("sudo", "doas", "su", "runuser", "gosu", "chroot", "unshare", "setarch", "script", "watch", "flock", "tini"),
    *("dumb-init", "busybox", "catchsegv", "find", "parallel", "ssh", "docker", "podman", "singularity", "apptainer"),
    *("conda", "mamba", "micromamba", "poetry", "uv", "pipenv", "hatch", "pdm", "pixi", "nsys", "ncu", "nvprof"),
    *("strace", "ltrace", "gdb", "valgrind", "perf", "vtune", "hpcrun", "likwid-pin", "coverage", "memray", "py-spy"),
    *("scalene", "kernprof"),
)
"""Programs that start a program given in their arguments."""
_PYTHON = re.compile(r"(?:python|pypy)\d?(?:\.\d+)?")
_PYTHON_OPTION = re.compile(r"-(?P<flags>[bBdEhiIOPqRsSuvVx?]*)(?:(?P<option>[mcWX])(?P<value>.*))?")


@dataclass(frozen=True)
class Found:
    """A launcher in a command: its name, and the index of the first word after it. `python` is its interpreter."""

    launcher: Launcher
    name: str
    after: int
    python: Word | None = None


def launcher_at(words: Sequence[Word], index: int) -> Found | None:
    """The launcher that begins with the word at `index`; None if that starts something else.

    Raises `ValueError` for a launcher whose options are not read here.
    """
    name = program_name(words[index])
    verb = words[index + 1].value if index + 1 < len(words) else ""
    if (name in _OTHERS or (name, verb) in _OTHERS_BY_VERB) and not words[index].value.startswith("./"):
        what = "the tool starts the ranks: give the program alone, with `ranks: all`"
        raise ValueError(f"`{name}` is not read here: {what}")
    if _PYTHON.fullmatch(name):
        return _python_at(words, index)
    found = _named(words, index, name, "programs")
    return Found(found[0], name, found[1]) if found else None


def refuse_nested(text: str, level: int = 0, dash: bool = False) -> None:
    """Raise `ValueError` if `text`, a script or a program in it starts a launcher: ranks would start ranks."""
    for one in read_script(text, level, dash):
        for pipeline in one.pipelines:
            for part in pipeline.parts:
                _look_at(part.words, level)


def _look_at(words: tuple[Word, ...], level: int) -> None:
    started = started_by(words)
    if started is None:
        return
    name, arguments = program_name(words[started]), words[started + 1 :]
    if found := launcher_at(words, started):
        raise ValueError(f"`{found.name}` would start ranks in ranks: the tool starts them; give the program alone")
    if name in SHELLS:
        index = script_index(words, started)
        if index is not None and not words[index].split:
            refuse_nested(words[index].value, level + 1, name not in BASH)
    elif name == "eval" and not any(word.split for word in arguments):
        refuse_nested(" ".join(word.value for word in arguments), level + 1)
    elif name in _RUNNERS:
        for index in range(len(arguments)):
            if found := launcher_at(arguments, index):
                what = "and so ranks in ranks: the tool starts them; give the program alone"
                raise ValueError(f"`{name}` would start `{found.name}`, {what}")


def _python_at(words: Sequence[Word], index: int) -> Found | None:
    """`python -u -m torch.distributed.run`, `python /usr/bin/torchrun`."""
    at = index + 1
    while at < len(words) and words[at].literal:
        option = _PYTHON_OPTION.fullmatch(words[at].value)
        if not option or words[at].value == "-":
            name = program_name(words[at])
            if script := _named(words, at, name, "programs") or _module_file(words, at):
                return Found(script[0], name, script[1], words[index])
            return None
        at += 1
        if option["option"] in ("W", "X") and not option["value"]:
            at += 1
        elif option["option"] == "c":
            return None
        elif option["option"] == "m":
            module = option["value"] or (words[at].value if at < len(words) and words[at].literal else "")
            found = _named(words, at - bool(option["value"]), module, "modules")
            return Found(found[0], module, found[1], words[index]) if found else None
    return None


def _module_file(words: Sequence[Word], at: int) -> tuple[Launcher, int] | None:
    """A launcher's module, given as a file: `/opt/lib/python3.6/site-packages/torch/distributed/launch.py`."""
    parts = words[at].value.removesuffix(".py").split("/")
    names = (".".join(parts[-count:]) for count in (2, 3) if len(parts) > count)
    return next((found for name in names if (found := _named(words, at, name, "modules"))), None)


def _named(words: Sequence[Word], at: int, name: str, kind: str) -> tuple[Launcher, int] | None:
    """The launcher of that name whose other words follow the one at `at`, and the index after them."""
    for launcher in LAUNCHERS:
        for entry in launcher.programs if kind == "programs" else launcher.modules:
            following = words[at + 1 : at + len(entry)]
            if entry[0] == name and tuple(word.value for word in following if word.literal) == entry[1:]:
                return launcher, at + len(entry)
    return None
