"""A launcher's command line, option by option: tables of options as values, and the effect of each. Pure.

A launcher is a program that starts the ranks of a training. Here the run starts them, so only the program is kept of a
launcher's command line; some options are translated, and each of the others is left out or refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import PurePosixPath

from toolkit.manifest.names import MCA, MCA_VALUE, MCA_WRONG, RANK_VARIABLES, VALUE, VARIABLE, VARIABLE_WRONG

CODE_FOLDERS = ("$MODEL_DIR", "${MODEL_DIR}", "$PWD", "${PWD}", ".")


@dataclass(frozen=True)
class Count:
    """A count that an option asks for: of `what` (`ranks` in total, `per node`, `nodes`), from `least` to `most`."""

    shown: str
    what: str
    least: int
    most: int


@dataclass
class Front:
    """What was in front of a program.

    Attributes:
        launcher: its name, `mpirun` or `torchrun`; empty if there were only flags.
        environment: variables for every rank.
        mca: Open MPI's parameters.
        counts: its flags for ranks and nodes.
        left_out: options that the run sets itself, as they were written.
        folder: where the program runs, below the code folder; empty: the code folder.
        python: whether the program is a Python script; `module`: a Python module.
        local_rank: whether the program gets its local rank as an argument.
        ddl_mode: DDL's reduction mode, `b`, optionally with dimensions, `b:2x4`; empty: the run's default.
    """

    launcher: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    mca: dict[str, str] = field(default_factory=dict)
    counts: list[Count] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    folder: str = ""
    python: bool = False
    module: bool = False
    local_rank: bool = False
    ddl_mode: str = ""


@dataclass(frozen=True)
class Value:
    """An option's value: as written, and without quotes; None if it contains a variable or a pattern."""

    shown: str
    text: str | None

    @property
    def known(self) -> str:
        """Its text; raises `ValueError` if it is not known before bash expands it."""
        if self.text is None:
            raise ValueError(f"`{self.shown[:40]}`: variables and operators are not read in a flag's value")
        return self.text


Act = Callable[[Front, str, tuple[Value, ...]], None]
"""The effect of an option on the front; its arguments are the option as written, whole, and its values."""


@dataclass(frozen=True)
class Option:
    """One option: its spellings, the number of words that follow it, and its effect.

    With `attached`, its value can only be in the same word (`--x=1`, `-x1`), and is optional.
    """

    names: tuple[str, ...]
    act: Act
    values: int = 1
    attached: bool = False


class Style(Enum):
    """How a launcher's own parser reads a command line."""

    ARGPARSE = "argparse"
    """Python's: long options may be abbreviated, and written with `_` for `-`."""
    EXACT = "argparse, without abbreviations"
    GETOPT = "getopt_long"
    """GNU's: several short options in one word (`-lu`), long ones abbreviated."""
    OPEN_MPI = "Open MPI's"
    """Each name with one or two dashes."""


@dataclass(frozen=True)
class Launcher:
    """A launcher.

    Attributes:
        programs: the names of its program, each with the words that must follow, such as `accelerate launch`.
        modules: the same for its Python module.
        python: its program is a Python script, unless an option says otherwise.
        local_rank: its program gets `--local_rank=N`, unless an option says otherwise.
    """

    programs: tuple[tuple[str, ...], ...]
    options: tuple[Option, ...]
    style: Style
    modules: tuple[tuple[str, ...], ...] = ()
    python: bool = False
    local_rank: bool = False


def each(act: Act, values: int, options: str, *, attached: bool = False) -> tuple[Option, ...]:
    """Options with the same effect, separated by commas; each is given by its spellings, separated by spaces."""
    return tuple(Option(tuple(names.split()), act, values, attached) for names in options.split(","))


def left_out(front: Front, shown: str, _values: tuple[Value, ...]) -> None:
    """The run sets it."""
    if shown not in front.left_out[-1:]:  # several short options in one word
        front.left_out.append(shown)


def refused(why: str) -> Act:
    """It means something that a run does not have, or has elsewhere; `why` says where."""

    def act(_front: Front, shown: str, _values: tuple[Value, ...]) -> None:
        raise ValueError(f"`{shown[:60]}`: {why}")

    return act


def counts(what: str) -> Act:
    """A number, or a range (`1:4`, `2-4`); `auto`, `gpu`, `cpu`, `xpu` and variables are left out."""

    def act(front: Front, shown: str, values: tuple[Value, ...]) -> None:
        text = values[0].text
        if text is None or text in ("auto", "gpu", "cpu", "xpu"):
            front.left_out.append(shown)
            return
        numbers = re.fullmatch(r"([1-9]\d{0,6})(?:[:-]([1-9]\d{0,6}))?", text)
        if not numbers:
            raise ValueError(f"`{shown[:60]}`: expected a number of {'nodes' if what == 'nodes' else 'ranks'}")
        front.counts.append(Count(shown, what, int(numbers[1]), int(numbers[2] or numbers[1])))

    return act


def one_per_node(front: Front, shown: str, _values: tuple[Value, ...]) -> None:
    """A flag that asks for one rank on each node."""
    front.counts.append(Count(shown, "per node", 1, 1))


def export(front: Front, shown: str, variable: str) -> None:
    """`NAME=VALUE`; a lone `NAME`, as ranks see what the run sets, and the variables of each rank are left out."""
    name, equals, value = variable.partition("=")
    if not equals or name in RANK_VARIABLES:
        front.left_out.append(shown)
        return
    if not re.fullmatch(VARIABLE, name) or not re.fullmatch(VALUE, value):
        raise ValueError(f"`{shown[:60]}`: {name} cannot be set: {VARIABLE_WRONG}; its value is one line")
    front.environment[name] = value


def exported(front: Front, shown: str, values: tuple[Value, ...]) -> None:
    """A variable for every rank. `-x A=$A` is `-x A`."""
    name, equals, _ = values[0].shown.strip("\"'").partition("=")
    if values[0].text is None and equals and re.fullmatch(r"\w+", name):
        if values[0].shown.replace('"', "") not in (f"{name}=${name}", f"{name}=${{{name}}}"):
            raise ValueError(f"`{shown[:60]}`: variables are not read here: put `export {name}=…;` in front of it all")
        front.left_out.append(shown)
        return
    export(front, shown, values[0].known)


def exported_pair(front: Front, shown: str, values: tuple[Value, ...]) -> None:
    """The same as two words."""
    export(front, shown, f"{values[0].known}={values[1].known}")


def sets(name: str, convert: Callable[[str], str] = str) -> Act:
    """The variable by which the launcher passes this option to its program; raises as `convert` does."""

    def act(front: Front, shown: str, values: tuple[Value, ...]) -> None:
        try:
            front.environment[name] = convert(values[0].known if values else "")
        except ValueError as error:
            raise ValueError(f"`{shown[:60]}`: {error}") from None

    return act


def always(value: str) -> Callable[[str], str]:
    """For `sets`, if an option has no value of its own."""
    return lambda _text: value


def mca(front: Front, shown: str, values: tuple[Value, ...]) -> None:
    """One of Open MPI's parameters."""
    name, value = values[0].known, values[1].known
    if not re.fullmatch(MCA, name) or not re.fullmatch(MCA_VALUE, value):
        raise ValueError(f"`{shown[:60]}`: {MCA_WRONG}")
    front.mca[name] = value


def folder(front: Front, shown: str, values: tuple[Value, ...]) -> None:
    """Where the program runs: below the code folder, for which variables may be used."""
    path, written = values[0].text, values[0].shown.strip("\"'")
    if path is None:
        head, _, rest = written.partition("/")
        path = rest or "." if head in CODE_FOLDERS and "$" not in rest else None
    parts = PurePosixPath(path).parts if path is not None else ("..",)
    if ".." in parts or parts[:1] == ("/",) or not re.fullmatch(r"[A-Za-z0-9._=@+,/-]+", path or ""):
        raise ValueError(f"`{shown[:60]}`: a command runs in a folder of the code: name it from there, such as `src`")
    front.folder = "/".join(parts)


def marks(**fields: bool) -> Act:
    """A flag that says what kind of program it is."""

    def act(front: Front, _shown: str, _values: tuple[Value, ...]) -> None:
        for name, value in fields.items():
            setattr(front, name, value)

    return act


STARTS_NOTHING = refused("with it nothing is started: leave the option out")
SEVERAL = refused("several programs at once are not run here: each command is one program, on every rank")
OWN_LOGS = "each rank's output is kept: learner-<n>/training-log.txt"
