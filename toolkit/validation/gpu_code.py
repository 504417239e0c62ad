"""Whether every library supports every GPU of the recipe, from the output of `in_container/fatbin.py`: pure.

One library without a GPU's code is enough to fail a training on it: cuDNN 9.11 and later have no sm_60 in `ops`, `cnn`
and `adv`, while their `engines_precompiled` still has.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from toolkit.compatibility.model import runs_on
from toolkit.validation.model import Expectation, Finding

CHECK = "GPU code"
_NEEDED = re.compile(r"lib(cudnn|cublas|cufft|cusolver|cusparse|nccl|curand)[A-Za-z0-9_]*\.so(\.[0-9.]+)?")
"""Libraries that a framework calls on any GPU. Others, such as a profiler's or a JIT linker's, may have less."""


@dataclass(frozen=True)
class Library:
    """The architectures of a library's cubins and PTX (60 for sm_60), none if it is `damaged`, which says how."""

    path: str
    cubins: tuple[int, ...] = ()
    ptx: tuple[int, ...] = ()
    damaged: str = ""

    def serves(self, architecture: int) -> bool:
        """Whether a GPU of `architecture` can run its code."""
        codes = (*(f"sm_{number}" for number in self.cubins), *(f"compute_{number}" for number in self.ptx))
        return runs_on(codes, f"sm_{architecture}")

    def wrong(self, asked: Sequence[str]) -> str:
        """What is wrong with it if `asked` are the GPUs to support (`sm_60`); empty if nothing is."""
        if self.damaged:
            return f"{self.path} cannot be read: {self.damaged}"
        lacking = [name for name in asked if not self.serves(int(name.removeprefix("sm_")))]
        if not lacking:
            return ""
        has = [f"sm_{number}" for number in self.cubins] + [f"PTX {number}" for number in self.ptx]
        return f"{self.path} has no code for {', '.join(lacking)}; it has {', '.join(has) or 'none'}"


def libraries_of(reply: dict[str, Any]) -> tuple[Library, ...]:
    """The output of `in_container/fatbin.py`."""
    return tuple(
        Library(str(one["path"]), tuple(one["cubins"]), tuple(one["ptx"]), str(one["damaged"]))
        for one in reply["libraries"]
    )


def is_needed(path: str, framework: str) -> bool:
    """Whether a training on a GPU needs this library: the framework's own, or one of NVIDIA's that it calls."""
    *folders, name = path.split("/")
    return framework in folders or _NEEDED.fullmatch(name) is not None


def judge(libraries: Iterable[Library], expectation: Expectation) -> tuple[Finding, ...]:
    """One failed finding for each required library that lacks something; others are added to it."""
    asked = expectation.architectures
    needed: list[Library] = []
    others: list[Library] = []
    for library in libraries:
        (needed if is_needed(library.path, expectation.framework) else others).append(library)
    if not any(library.cubins or library.ptx for library in needed):
        return (Finding(CHECK, "fail", f"no library of {expectation.framework} or CUDA has code for any GPU"),)
    not_counted = "".join(f"\nnot counted: {wrong}" for library in others if (wrong := library.wrong(asked)))
    failed = tuple(Finding(CHECK, "fail", wrong) for library in needed if (wrong := library.wrong(asked)))
    if failed:
        return (*failed[:-1], Finding(CHECK, "fail", failed[-1].said + not_counted))
    said = f"{len(needed)} libraries with GPU code support {', '.join(asked)}"
    return (Finding(CHECK, "ok", said + not_counted),)
