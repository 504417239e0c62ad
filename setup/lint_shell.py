"""shellcheck over every shell program of the project, also those that are templates.

    .venv/bin/python setup/lint_shell.py

A program is a file whose name ends with .sh or .bash, or whose first line names sh or bash. A template (.sh.j2) is
filled in with stand-ins, for the first learner and for another one. What a file means differently than shellcheck takes
it, it says itself, in a directive with the reason; for files that images and learners are made of, `EXCLUDED` says it:
a comment there would change an image's version.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, meta

TOP = Path(__file__).resolve().parents[1]
EXCLUDED = {
    "images/lab-host/start.sh": ("SC2016",),  # a sed script, whose $(…) is meant for the file that it changes
    "templates/learner.entry.sh.j2": ("SC2086", "SC2329"),  # options are words; a trap calls limit_met
    "templates/learner.rank.sh.j2": ("SC2086",),  # likewise
}
"""Rules that do not hold for a file, by its path."""
_NOT_OURS = {".git", ".venv", ".tox", ".check", "__pycache__"}
_FIRST_LINE = re.compile(rb"#!\s*(?:/usr/bin/env\s+)?(?:/bin/|/usr/bin/)?(?:sh|bash)\b")
_TEMPLATE = ".sh.j2"
_LEARNERS = (1, 2)
_STAND_INS = {"cpus": [(0, "0-3"), (1, "4-7")]}
"""What a template is filled in with besides `number`; any other name gets a number, which may stand for a word, too."""
_ANY = 2


def shell_programs(top: Path) -> Iterator[Path]:
    """The shell programs and templates of them below `top`."""
    for folder, folders, names in os.walk(top):
        folders[:] = sorted(set(folders) - _NOT_OURS)
        for name in sorted(names):
            file = Path(folder, name)
            if name.endswith((".sh", ".bash", _TEMPLATE)) or ("." not in name and _names_a_shell(file)):
                yield file


def filled_in(template: Path) -> Iterator[tuple[int, str]]:
    """The text of `template` for each of two learners, with the learner's number."""
    environment = Environment(loader=FileSystemLoader(template.parent), keep_trailing_newline=True, autoescape=False)  # noqa: S701
    names = meta.find_undeclared_variables(environment.parse(template.read_text()))
    for number in _LEARNERS:
        values = {name: _STAND_INS.get(name, _ANY) for name in names}
        yield number, environment.get_template(template.name).render(values | {"number": number})


def check(file: Path, text: str | None, name: str, excluded: tuple[str, ...] = ()) -> bool:
    """Whether shellcheck has nothing to say of `file`, or of `text` in its place; else it is printed, with `name`."""
    argv = ["shellcheck", "--external-sources", "--source-path", str(TOP), "--format", "gcc"]
    argv += [f"--exclude={','.join(excluded)}"] if excluded else []
    done = subprocess.run(
        [*argv, str(file) if text is None else "-"], input=text, capture_output=True, text=True, check=False
    )
    said = re.sub(r"(?m)^-:", f"{name}:", done.stdout).replace(f"{file}:", f"{name}:")
    sys.stdout.write(said + done.stderr)
    return done.returncode == 0


def main(top: Path = TOP) -> int:
    """Check all; 1 where something was found."""
    good = True
    for file in shell_programs(top):
        name = str(file.relative_to(top))
        excluded = EXCLUDED.get(name, ())
        if name.endswith(_TEMPLATE):
            for number, text in filled_in(file):
                good &= check(file, text, f"{name} (learner {number})", excluded)
        else:
            good &= check(file, None, name, excluded)
    return 0 if good else 1


def _names_a_shell(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            return bool(_FIRST_LINE.match(stream.readline(200)))
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main())
