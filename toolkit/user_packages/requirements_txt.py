"""`requirements.txt` as pip reads it, with the files it includes; options that a lock cannot express are refused."""

from __future__ import annotations

import re
from pathlib import Path

from toolkit.errors import Place, Problem
from toolkit.user_packages.model import NOTHING, Asked, ImageFacts, Wanted, place_at, shown
from toolkit.user_packages.pip_lines import VARIABLE, OptionError, PipLine, logical_lines, parse_line
from toolkit.user_packages.pyproject import read_itself
from toolkit.user_packages.requirement import INDEX, problem, read_requirement, refusal, together
from toolkit.user_packages.text import UnreadableError, read_text

MAX_FILES = 200
"""Files that include each other; a project has a handful."""
_PYPI = re.compile(r"https?://pypi\.(python\.)?org/simple/?$")
_SHA256 = re.compile(r"sha256:([0-9a-fA-F]{64})$")
_OTHER_HASH = re.compile(r"sha(384|512):[0-9a-fA-F]+$")
_ITSELF = re.compile(r"(?:file:)?\.?/*(?:\[([A-Za-z0-9._, -]*)\])?$")
"""`.` and `.[plots]`, joined to the file's folder."""

_WHEELS = "images use wheels only; nothing is built from source"
_PRE = "pin the pre-release by its version: NAME==2.0rc1"
_REFUSED = {
    **dict.fromkeys(("--index-url", "--extra-index-url", "--find-links", "--no-index"), INDEX),
    **dict.fromkeys(("--no-binary", "--config-settings", "--global-option", "--install-option"), _WHEELS),
    **dict.fromkeys(("--pre", "--all-releases"), _PRE),
}
_NOTED = {
    "--trusted-host": "trusted hosts come from this machine's index settings",
    "--use-feature": "pip features do not apply to a lock",
    "--no-require-hashes": "every wheel is locked by its hash",
}
_FULFILLED = ("--only-binary", "--prefer-binary", "--only-final")
"""What a lock does anyway."""
_OF_A_REQUIREMENT = ("--hash", "--config-settings", "--global-option", "--install-option")


def read_requirements(file: Path, code: Path, image: ImageFacts) -> Asked:
    """The requirements of `file`. Everything that cannot be locked is a problem; all are reported at once."""
    return _Reading(code, image).whole(file)


def read_lines(lines: list[tuple[int, str]], file: Path, code: Path, image: ImageFacts) -> Asked:
    """The requirements of pip's lines, given with their numbers, in `file`, which has another format."""
    return _Reading(code, image).lines(lines, file)


class _Reading:
    """One file and those that it includes; `whole` reads them all."""

    def __init__(self, code: Path, image: ImageFacts) -> None:
        self._code, self._image = code, image
        self._files_left = MAX_FILES
        self._hashes_required: Place | None = None

    def whole(self, file: Path) -> Asked:
        try:
            found = self._file(file, (), constraint=False)
        except UnreadableError as error:
            return problem(error.why, place_at(file, error.line))
        return found + self._unhashed(found.wanted)

    def _file(self, file: Path, above: tuple[Path, ...], *, constraint: bool) -> Asked:
        self._files_left -= 1
        if self._files_left < 0:
            raise UnreadableError(f"more than {MAX_FILES} files include each other")
        text = read_text(file, self._code)
        raw = text.splitlines()
        files = (*above, file)
        parts = [self._one(at, line, raw[at - 1], files, constraint) for at, line in logical_lines(text)]
        return together([Asked(files=(file,)), *parts])

    def lines(self, lines: list[tuple[int, str]], file: Path) -> Asked:
        whole = [(at, line) for at, text in lines for _, line in logical_lines(text)]
        found = together([self._one(at, line, line, (file,), False) for at, line in whole])
        return found + self._unhashed(found.wanted)

    def _one(self, number: int, line: str, source: str, files: tuple[Path, ...], constraint: bool) -> Asked:
        place = Place(str(files[-1]), number, 1)
        try:
            return self._line(parse_line(line), place, source, files, constraint)
        except OptionError as error:
            return problem(str(error), place, source)

    def _line(self, line: PipLine, place: Place, source: str, files: tuple[Path, ...], constraint: bool) -> Asked:
        if variable := VARIABLE.search(line.text):
            what = f"`{variable[0]}`: environment variables are not expanded into a lock: write the value"
            return problem(what, place, source)
        options = line.options
        if refused := [name for name in options if name in _REFUSED and not _is_pypi(name, options[name])]:
            return together([problem(f"`{name}`: {_REFUSED[name]}", place, source) for name in refused])
        if "--require-hashes" in options:
            self._hashes_required = place
        notes = [Asked(notes=(f"{shown(place)}: `{name}`: {_NOTED[name]}",)) for name in options if name in _NOTED]
        if line.requirement or "--editable" in options:
            return together([*notes, self._requirement(line, place, source, files[-1], constraint)])
        if "--hash" in options:
            return problem("`--hash` without a requirement", place, source)
        return together([*notes, self._named_file(options, place, source, files)])

    def _requirement(self, line: PipLine, place: Place, source: str, file: Path, constraint: bool) -> Asked:
        beside = [name for name in line.options if name not in (*_OF_A_REQUIREMENT, *_FULFILLED, *_NOTED, "--editable")]
        if beside:
            return problem(f"`{beside[0]}` after a requirement: pip ignores it; put it on its own line", place, source)
        editable = line.options.get("--editable", ())
        text = line.requirement or editable[0]
        if editable and (line.requirement or len(editable) > 1):
            return problem("two requirements in one line", place, source)
        if (itself := _itself(text, file, self._code)) is not None and not constraint:
            return read_itself(file.parent, itself, self._image)
        if editable:
            why = refusal(text) or "`-e` takes a path or an address, not a name"
            return problem(why, place, source)
        hashes, wrong = _hashes(line.options.get("--hash", ()))
        if wrong:
            return problem(wrong, place, source)
        found = read_requirement(text, place, self._image, hashes, source)
        if not constraint:
            return found
        if any(one.requirement.extras for one in found.wanted):
            return problem("a constraint has no extras", place, source)
        return Asked(constraints=found.wanted, problems=found.problems)

    def _named_file(
        self, options: dict[str, tuple[str, ...]], place: Place, source: str, files: tuple[Path, ...]
    ) -> Asked:
        named = [(name, one) for name in ("--requirement", "--constraint") for one in options.get(name, ())]
        if not named:
            return NOTHING
        if len(named) > 1:
            return problem("one file per line: pip reads only the first", place, source)
        ((option, name),) = named
        if "://" in name or name.startswith("file:"):
            what = f"`{option}` with a URL: its contents can change; put the file into the code folder"
            return problem(what, place, source)
        file = files[-1].parent / name
        if any(_same(file, other) for other in files):
            return problem(f"{name} includes itself, through {' and '.join(one.name for one in files)}", place, source)
        try:
            return self._file(file, files, constraint=option == "--constraint")
        except UnreadableError as error:
            at = place_at(file, error.line) if error.line else place
            return problem(error.why, at, "" if error.line else source)

    def _unhashed(self, wanted: tuple[Wanted, ...]) -> Asked:
        """What `--require-hashes` refuses."""
        if not self._hashes_required:
            return NOTHING
        what = f"no hash, and {shown(self._hashes_required)} says `--require-hashes`"
        return Asked(problems=tuple(Problem(f"{one.text}: {what}", one.place) for one in wanted if not one.hashes))


def _is_pypi(option: str, values: tuple[str, ...]) -> bool:
    """pip-compile and pipenv write PyPI's address into their output; it has no effect."""
    return option in ("--index-url", "--extra-index-url") and all(_PYPI.match(value) for value in values)


def _hashes(values: tuple[str, ...]) -> tuple[frozenset[str], str]:
    """The SHA-256 sums among a requirement's hashes, and what is wrong with the hashes."""
    found = frozenset(match[1].lower() for value in values if (match := _SHA256.match(value)))
    if strange := [one for one in values if not _SHA256.match(one) and not _OTHER_HASH.match(one)]:
        return found, f"`--hash={strange[0]}` is not a hash that pip accepts: sha256:… in 64 hexadecimal digits"
    if values and not found:
        return found, "a lock compares SHA-256: give a `--hash=sha256:…`, too"
    return found, ""


def _itself(text: str, file: Path, code: Path) -> tuple[str, ...] | None:
    """The extras of `.[a,b]` if that is the code folder; None for anything else."""
    match = _ITSELF.match(text)
    if not match or not text.removeprefix("file:").startswith(".") or not _same(file.parent, code):
        return None
    return tuple(word.strip() for word in (match[1] or "").split(",") if word.strip())


def _same(one: Path, other: Path) -> bool:
    try:
        return one.resolve() == other.resolve()
    except (OSError, ValueError, RuntimeError):
        return False
