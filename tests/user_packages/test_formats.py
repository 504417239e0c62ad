"""Which file counts, and what each format asks for; nothing is dropped without a word."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from toolkit.errors import ToolkitError
from toolkit.user_packages.formats import read_asked
from toolkit.user_packages.model import Asked
from toolkit.user_packages.poetry import specifiers

from .images import IMAGE, write

HASH = "0" * 63 + "1"


def read(folder: Path, **files: str) -> Asked:
    """What a folder with these files (`uv__lock` is `uv.lock`) asks for."""
    return read_asked(write(folder, {name.replace("__", "."): text for name, text in files.items()}), IMAGE)


def texts(asked: Asked) -> list[str]:
    assert asked.problems == ()
    return [one.text for one in asked.wanted]


PROJECT = '[project]\nname = "leaf"\ndependencies = ["six"]\n'
POETRY = '[tool.poetry]\nname = "leaf"\n[tool.poetry.dependencies]\npython = "^3.11"\n'


def test_the_first_file_counts_and_the_others_are_reported(tmp_path: Path) -> None:
    others = {"pyproject__toml": PROJECT, "environment__yml": "dependencies: [numpy]\n", "Pipfile": "[packages]\n"}
    found = read(tmp_path, requirements__txt="fire\n", requirements__in="fire\n", **others)
    assert texts(found) == ["fire"]
    assert found.notes == (
        "requirements.txt is read; not read: requirements.in, pyproject.toml, Pipfile, environment.yml",
    )


def test_a_file_that_asks_for_nothing_is_passed_over_without_a_word(tmp_path: Path) -> None:
    files = {"pyproject__toml": "[tool.ruff]\nline-length = 100\n", "setup__py": "print('no packages')\n"}
    assert read(tmp_path, **files) == Asked()
    found = read(tmp_path, **files, requirements__in="six\n")
    assert (texts(found), found.notes) == (["six"], ())


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("setup.py", "setup(install_requires=['six'])\n"),
        ("setup.cfg", "[options]\ninstall_requires = six\n"),
        ("requirements/base.txt", "six\n"),
        ("requirements-train.txt", "six\n"),
        ("dev-requirements.txt", "six\n"),
        ("Requirements.TXT", "six\n"),
        ("reqs.txt", "six\n"),
        ("train.py", "# /// script\n# dependencies = ['six']\n# ///\nprint(1)\n"),
        ("pixi.toml", "[dependencies]\n"),
        ("requirements", "six\n"),
        ("environment-gpu.yml", "name: x\ndependencies:\n  - six\n"),
        ("env.yaml", "dependencies: [six]\n"),
        ("pylock.dev.toml", "lock-version = '1.0'\n"),
        ("uv.lock", "version = 1\n"),
        ("poetry.lock", ""),
        ("Pipfile.lock", "{}"),
    ],
)
def test_what_is_not_read_is_named(tmp_path: Path, name: str, text: str) -> None:
    found = read_asked(write(tmp_path, {name: text}), IMAGE)
    assert found == Asked(
        notes=(f"{name}: not read; list what is needed in a requirements.txt (`-r FILE` includes another)",)
    )
    found = read_asked(write(tmp_path, {"requirements.txt": "fire\n"}), IMAGE)
    assert found.notes == (f"requirements.txt is read; not read: {name}",)


def test_a_file_that_only_has_the_name_of_an_environment_is_not_named(tmp_path: Path) -> None:
    assert read_asked(write(tmp_path, {"env.yml": "LEVEL: debug\n"}), IMAGE) == Asked()


@pytest.mark.parametrize("name", ["requirements.txt", "pyproject.toml", "Pipfile", "environment.yml"])
@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_what_has_the_name_and_is_no_file_is_reported(tmp_path: Path, name: str, make: Callable[[Path], None]) -> None:
    make(tmp_path / name)
    try:
        said = " ".join(one.what for one in read_asked(tmp_path, IMAGE).problems)
    except ToolkitError as error:
        said = str(error)
    assert f"{name} is not a file" in said


def test_a_folder_that_may_not_be_read_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: Path) -> Iterator[Path]:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))

    write(tmp_path, {"requirements.txt": "six\n"})
    monkeypatch.setattr(Path, "iterdir", refuse)  # root may read everything
    with pytest.raises(ToolkitError, match="Permission denied") as caught:
        read_asked(tmp_path, IMAGE)
    assert caught.value.code.label == "C102"


def test_a_folder_that_is_not_there_asks_for_nothing(tmp_path: Path) -> None:
    assert read_asked(tmp_path / "none", IMAGE) == Asked()


def test_a_file_that_another_names_is_read(tmp_path: Path) -> None:
    files = {"requirements.txt": "-r requirements/base.txt\n", "requirements/base.txt": "six\n"}
    assert read_asked(write(tmp_path, files), IMAGE).notes == ()


def test_a_projects_dependencies_are_read_with_their_lines(tmp_path: Path) -> None:
    text = '[project]\nname = "leaf"\nrequires-python = ">=3.12"\ndependencies = [\n  "six",\n  "bad one",\n]\n'
    found = read(tmp_path, pyproject__toml=text)
    assert [(one.text, one.place.line) for one in found.wanted] == [("six", 5)]
    (problem,) = found.problems
    assert (problem.place and problem.place.line, problem.source_line) == (6, '  "bad one",')
    assert found.notes == ("pyproject.toml requires Python >=3.12; the image has 3.11.2",)


EXTRAS = PROJECT + (
    '[project.optional-dependencies]\nplots = ["fire"]\nall = ["leaf[plots]", "attrs"]\n'
    '[dependency-groups]\ntrain = ["idna", {include-group = "Base"}]\nbase = ["rich"]\ndev = ["ruff"]\n'
)


def test_extras_and_groups_are_read_where_they_are_asked_for(tmp_path: Path) -> None:
    found = read(tmp_path, pyproject__toml=EXTRAS + '[tool.toolkit]\nextras = ["all"]\ngroups = ["train"]\n')
    assert texts(found) == ["six", "idna", "rich", "attrs", "fire"]
    assert found.notes == (
        'pyproject.toml: groups not selected: base, dev (`groups = ["base"]` in [tool.toolkit] selects one)',
    )


def test_extras_and_groups_that_are_not_asked_for_are_reported(tmp_path: Path) -> None:
    found = read(tmp_path, pyproject__toml=EXTRAS)
    assert texts(found) == ["six"]
    assert [note.partition(" (")[0] for note in found.notes] == [
        "pyproject.toml: groups not selected: base, dev, train",
        "pyproject.toml: extras not selected: all, plots",
    ]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ('[tool.toolkit]\nextras = ["none"]\n', "no extra `none`: it has none"),
        ('[tool.toolkit]\ngroups = ["none"]\n', "no group `none`: it has none"),
        ('[tool.uv.sources]\nsix = {git = "https://x"}\n', "[tool.uv.sources]: six comes from `git`"),
        ('[dependency-groups]\na = [{include-group = "a"}]\n[tool.toolkit]\ngroups = ["a"]\n', "a includes itself"),
    ],
)
def test_what_a_project_cannot_have_is_refused(tmp_path: Path, more: str, words: str) -> None:
    (problem,) = read(tmp_path, pyproject__toml=PROJECT + more).problems
    assert words in problem.what


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ('[project]\nname = "x"\ndynamic = ["dependencies"]\n', "list them in a requirements.txt"),
        (
            '[project]\nname = "x"\ndynamic = ["dependencies"]\n'
            '[tool.setuptools.dynamic]\ndependencies = {file = ["base.txt"]}\n',
            "put `-r base.txt` into a requirements.txt",
        ),
        ('[tool.hatch.envs.default]\ndependencies = ["six"]\n', "[tool.hatch.envs] is not read"),
        ('[tool.uv]\noverride-dependencies = ["six"]\n' + PROJECT, "[tool.uv] override-dependencies: not read"),
    ],
)
def test_what_is_not_read_of_a_project_is_reported(tmp_path: Path, text: str, note: str) -> None:
    assert note in " ".join(read(tmp_path, pyproject__toml=text).notes)


def test_a_project_that_asks_for_nothing_that_is_read_leaves_the_word_to_others(tmp_path: Path) -> None:
    groups = '[dependency-groups]\ndev = ["ruff"]\n'
    assert read(tmp_path, pyproject__toml=groups).notes == (
        'pyproject.toml: groups not selected: dev (`groups = ["dev"]` in [tool.toolkit] selects one)',
    )
    found = read(tmp_path, pyproject__toml=groups, Pipfile='[packages]\nsix = "*"\n')
    assert (texts(found), found.notes) == (["six"], ("Pipfile is read; not read: pyproject.toml",))


def test_a_project_that_asks_for_its_own_extras_is_not_taken_from_an_index(tmp_path: Path) -> None:
    text = EXTRAS.replace('["six"]', '["six", "Leaf[plots]"]')
    assert texts(read(tmp_path, pyproject__toml=text)) == ["six", "fire"]


def test_uvs_sources_count_where_the_package_does(tmp_path: Path) -> None:
    sources = (
        '[tool.uv.sources]\nfire = {git = "https://x"}\nkeras = {path = "../keras"}\n'
        "six = [{index = 'own', marker = \"sys_platform == 'darwin'\"}]\n"
    )
    project = PROJECT.replace('["six"]', '["six", "keras"]')
    assert texts(read(tmp_path, pyproject__toml=project + sources)) == ["six", "keras"]
    (problem,) = read(tmp_path, pyproject__toml=project + sources.replace("darwin", "linux")).problems
    assert "[tool.uv.sources]: six comes from its own index (`index`)" in problem.what


def test_a_project_file_that_is_no_toml_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ToolkitError, match="is not valid TOML") as caught:
        read(tmp_path, pyproject__toml="[project\n")
    assert caught.value.code.label == "C102"


@pytest.mark.parametrize(
    ("constraint", "bounds"),
    [
        ("^1.2.3", ">=1.2.3,<2"),
        ("^0.2.3", ">=0.2.3,<0.3"),
        ("^0.0.3", ">=0.0.3,<0.0.4"),
        ("^0.0", ">=0.0,<0.1"),
        ("^0", ">=0,<1"),
        ("~1.2.3", ">=1.2.3,<1.3"),
        ("~1.2", ">=1.2,<1.3"),
        ("~1", ">=1,<2"),
        ("~=1.2", "~=1.2"),
        ("*", ""),
        ("1.2.*", "==1.2.*"),
        ("1.2.x", "==1.2.*"),
        ("1.*.*", "==1.*"),
        ("!=1.2.X", "!=1.2.*"),
        (">=3.6.*", ">=3.6"),
        ("<4.*", "<4"),
        ("^1.2.*", ">=1.2,<2"),
        ("~1.2.*", ">=1.2,<1.3"),
        ("1.2", "==1.2"),
        ("=1.2", "==1.2"),
        (">=1.2, <2.0", ">=1.2,<2.0"),
        (">= 1.2 <2.0 !=1.5", ">=1.2,<2.0,!=1.5"),
        ("^1.0.0a1", ">=1.0.0a1,<2"),
    ],
)
def test_poetrys_constraints_are_said_in_pep_440s_words(constraint: str, bounds: str) -> None:
    assert [set(map(str, one)) for one in specifiers(constraint)] == [set(filter(None, bounds.split(",")))]


@given(st.lists(st.integers(0, 30), min_size=1, max_size=3), st.lists(st.integers(0, 30), min_size=1, max_size=3))
def test_a_caret_lets_the_leftmost_number_that_is_not_0_stay(low: list[int], other: list[int]) -> None:
    (bounds,) = specifiers("^" + ".".join(map(str, low)))
    lowest, version = (Version(".".join(map(str, numbers))) for numbers in (low, other))
    at = next((place for place, number in enumerate(low) if number), len(low) - 1)
    same = [*other, 0, 0, 0][: at + 1] == low[: at + 1]
    assert bounds.contains(version) == (version >= lowest and same)


@pytest.mark.parametrize("constraint", ["", "latest", "^x", ">=1,,<2 ||", "^1.2 - 3"])
def test_what_is_no_constraint_of_poetrys_is_an_error(constraint: str) -> None:
    with pytest.raises(ValueError, match=r"version|Invalid"):
        specifiers(constraint)


def test_poetrys_dependencies_are_read_as_poetry_reads_them(tmp_path: Path) -> None:
    more = (
        'leaflib = "^1.2"\nfire = {version = "~0.7", extras = ["x"]}\n'
        'win = {version = "*", markers = "sys_platform == \'win32\'"}\n'
        'six = [{version = "1.16", python = "<3.10"}, {version = "1.17", python = "^3.10"}]\n'
        'maybe = {version = "*", optional = true}\nplain = {version = "*", optional = true}\n'
        '[tool.poetry.extras]\nmore = ["maybe"]\nless = ["plain"]\n'
        '[tool.poetry.group.train.dependencies]\nidna = "*"\n[tool.poetry.group.dev.dependencies]\nruff = "*"\n'
        '[tool.toolkit]\ngroups = ["train"]\nextras = ["more"]\n'
    )
    found = read(tmp_path, pyproject__toml=POETRY + more)
    assert texts(found) == ["leaflib<2,>=1.2", "fire[x]<0.8,>=0.7", "six==1.17", "maybe", "idna"]
    assert found.skipped == ("win (pyproject.toml:7)", "six (pyproject.toml:8)")
    assert [note.partition(" (")[0] for note in found.notes] == [
        "pyproject.toml: Poetry's groups not selected: dev",
        "pyproject.toml: Poetry's extras not selected: less",
    ]
    assert [one.place.line for one in found.wanted][:2] == [5, 6]


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ('leaf = {git = "https://x"}', "leaf comes from `git`, which cannot be locked"),
        ('leaf = {path = "../leaf"}', "leaf comes from `path`"),
        ('leaf = "^1 || ^3"', "has alternatives"),
        ('leaf = "newest"', "leaf: "),
    ],
)
def test_what_poetry_takes_from_elsewhere_is_refused_at_its_line(tmp_path: Path, entry: str, words: str) -> None:
    (problem,) = read(tmp_path, pyproject__toml=f"{POETRY}{entry}\n").problems
    assert (words in problem.what, problem.place and problem.place.line) == (True, 5)


def test_poetry_may_say_where_a_projects_dependencies_come_from(tmp_path: Path) -> None:
    text = PROJECT + '[tool.poetry.dependencies]\nsix = {git = "https://x"}\nfire = "^1"\n'
    found = read(tmp_path, pyproject__toml=text)
    assert [one.text for one in found.wanted] == ["six"]
    assert ["six comes from `git`" in one.what for one in found.problems] == [True]


REGISTRY = 'source = {{ registry = "https://pypi.org/simple" }}'
UV_LOCK = f"""version = 1
[[package]]
name = "leaf"
version = "0"
source = {{ virtual = "." }}
[[package]]
name = "six"
version = "1.17.0"
{REGISTRY.format()}
sdist = {{ url = "https://x/six.tar.gz", hash = "sha256:{HASH}" }}
wheels = [{{ url = "https://x/six.whl", hash = "sha256:{"2" * 64}" }}]
[[package]]
name = "idna"
version = "3"
resolution-markers = ["python_full_version < '3.11'"]
{REGISTRY.format()}
[[package]]
name = "idna"
version = "4"
resolution-markers = ["python_full_version >= '3.11'"]
{REGISTRY.format()}
[[package]]
name = "twice"
version = "1"
{REGISTRY.format()}
[[package]]
name = "twice"
version = "2"
{REGISTRY.format()}
"""
POETRY_LOCK = f"""[[package]]
name = "six"
version = "1.17.0"
files = [{{file = "six.whl", hash = "sha256:{HASH}"}}, {{file = "six.tar.gz", hash = "sha256:{"2" * 64}"}}]
[[package]]
name = "idna"
version = "4"
[[package]]
name = "colorama"
version = "1"
markers = "sys_platform == 'win32'"
[[package]]
name = "leaflib"
version = "1"
[package.source]
type = "git"
url = "https://x"
"""
PYLOCK = f"""lock-version = "1.0"
created-by = "x"
[[packages]]
name = "six"
version = "1.17.0"
sdist = {{ url = "https://x/six.tar.gz", hashes = {{ sha256 = "{HASH}" }} }}
wheels = [{{ url = "https://x/six.whl", hashes = {{ sha256 = "{"2" * 64}" }} }}]
[[packages]]
name = "idna"
version = "4"
marker = "python_version >= '3.11' and 'x' not in extras"
[[packages]]
name = "leaflib"
vcs = {{ type = "git", url = "https://x" }}
"""


@pytest.mark.parametrize(
    ("name", "text"), [("uv.lock", UV_LOCK), ("poetry.lock", POETRY_LOCK), ("pylock.toml", PYLOCK)]
)
def test_another_tools_lock_says_versions_and_hashes(tmp_path: Path, name: str, text: str) -> None:
    found = read_asked(write(tmp_path, {"pyproject.toml": PROJECT, name: text}), IMAGE)
    assert texts(found) == ["six"]
    assert [(one.text, one.hashes) for one in found.pins] == [
        ("six==1.17.0", {HASH, "2" * 64}),
        ("idna==4", frozenset()),
    ]
    several = ("uv.lock: several versions of twice are possible: none is pinned",)
    assert found.notes == (several if name == "uv.lock" else ())


def test_one_lock_counts_and_the_others_are_reported(tmp_path: Path) -> None:
    found = read(tmp_path, pyproject__toml=PROJECT, uv__lock=UV_LOCK, poetry__lock=POETRY_LOCK)
    assert found.notes[-1] == "pyproject.toml with uv.lock is read; not read: poetry.lock"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("uv.lock", "[[package]]\nname = 'x'\nsource = {registry = 'y'}\n"),
        ("uv.lock", "package = [1]\n"),
        ("uv.lock", "[[package]\n"),
        ("poetry.lock", "[[package]]\nname = 'x'\nversion = '1'\nmarkers = 'no marker'\n"),
        ("poetry.lock", "[[package]]\nname = 'x'\nversion = '1'\nmarkers = 'os_name ~= \"1\"'\n"),
        ("uv.lock", "[[package]]\nname = 'x'\nsource = {registry = 'y'}\nresolution-markers = [\"'a' in extras\"]\n"),
        ("pylock.toml", "[[packages]]\nname = 'x'\nversion = '1'\nmarker = 'os_name ~= \"1\"'\n"),
        ("poetry.lock", f"[[package]]\nname = 'x'\nversion = '1'\nmarkers = '{'(' * 3000}'\n"),
    ],
)
def test_a_lock_that_is_none_is_reported(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(ToolkitError, match=name) as caught:
        read_asked(write(tmp_path, {"pyproject.toml": PROJECT, name: text}), IMAGE)
    assert caught.value.code.label == "C102"


def test_a_version_that_is_none_is_not_held_and_reported(tmp_path: Path) -> None:
    lock = "[[package]]\nname = 'six'\nversion = 'newest'\n"
    found = read(tmp_path, pyproject__toml=PROJECT, poetry__lock=lock)
    assert (found.pins, found.notes) == ((), ("poetry.lock: six newest: no version; not pinned",))


@pytest.mark.parametrize("text", ["[1]", '{"default": [1]}', '{"default": {"six": 1}}'])
def test_a_lock_of_pipenvs_in_another_shape_is_reported(tmp_path: Path, text: str) -> None:
    with pytest.raises(ToolkitError, match=r"Pipfile\.lock is not in its tool's format"):
        read(tmp_path, Pipfile='[packages]\nsix = "*"\n', Pipfile__lock=text)


PIPFILE = """[[source]]
url = "https://pypi.org/simple"
name = "pypi"
[packages]
six = "*"
fire = {version = ">=0.6", extras = ["x"], sys_platform = "== 'linux'"}
win = {version = "*", markers = "os_name == 'nt'"}
[dev-packages]
ruff = "*"
[requires]
python_version = "3.9"
"""


def test_a_pipfile_is_read_with_its_lock(tmp_path: Path) -> None:
    lock = {"default": {"Six": {"version": "==1.17.0", "hashes": [f"sha256:{HASH}"]}, "x": {"git": "https://x"}}}
    found = read(tmp_path, Pipfile=PIPFILE, Pipfile__lock=json.dumps(lock))
    assert texts(found) == ["six", "fire[x]>=0.6"]
    assert [(one.text, one.hashes) for one in found.pins] == [("six==1.17.0", {HASH})]
    assert found.skipped == ("win (Pipfile:7)",)
    assert found.notes == (
        "Pipfile: [dev-packages] are not read: ruff",
        "Pipfile requires Python 3.9; the image has 3.11.2",
    )


def test_a_pipfiles_other_sources_are_refused_or_reported(tmp_path: Path) -> None:
    text = '[[source]]\nurl = "https://x.example"\nname = "x"\n[packages]\na = {version = "*", index = "x"}\n'
    found = read(tmp_path, Pipfile=text)
    assert ["a comes from its own index (`source`)" in one.what for one in found.problems] == [True]
    assert found.notes == ("Pipfile: [[source]] is ignored: wheels come from this machine's index",)


def test_a_pipfiles_own_folder_brings_its_projects_dependencies(tmp_path: Path) -> None:
    text = '[packages]\nleaf = {path = ".", editable = true, extras = ["plots"]}\n'
    project = f'{PROJECT}[project.optional-dependencies]\nplots = ["fire"]\n'
    assert texts(read(tmp_path, Pipfile=text, pyproject__toml=project.replace('["six"]', "[]"))) == ["fire"]


def test_a_pipfiles_entries_are_reported_at_their_own_lines(tmp_path: Path) -> None:
    text = "[[source]]\nurl = 'https://pypi.org/simple'\n[packages]\nabc = '*'\nb = {git = 'https://x'}\n"
    found = read(tmp_path, Pipfile=text + "[packages.c]\npath = '../c'\n")
    assert [one.place and one.place.line for one in found.problems] == [5, 6]


CONDA = """name: leaf
channels: [conda-forge]
dependencies:
  - python=3.9
  - cudatoolkit
  - pip
  - pip:
      - six==1.17  # why
      - -r more.txt
      - git+https://git.example/a.git
"""


def test_condas_pip_part_is_read_and_its_own_packages_are_reported(tmp_path: Path) -> None:
    found = read(tmp_path, environment__yml=CONDA, more__txt="fire\n")
    assert [(one.text, one.place.line) for one in found.wanted] == [("six==1.17", 8), ("fire", 1)]
    assert [(one.place and one.place.line, "a git address" in one.what) for one in found.problems] == [(10, True)]
    assert found.notes == (
        "environment.yml: only its pip part is read; conda packages are not installed: python=3.9, cudatoolkit",
    )


def test_an_environment_that_is_no_yaml_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ToolkitError, match=r"environment\.yml is not valid YAML") as caught:
        read(tmp_path, environment__yml="dependencies: [\n")
    assert caught.value.code.label == "C102"


@pytest.mark.parametrize("name", ["requirements.txt", "pyproject.toml", "Pipfile", "environment.yml"])
def test_a_link_out_of_the_code_is_never_read(tmp_path: Path, name: str) -> None:
    outside = write(tmp_path, {"outside": "dependencies: [secret]\n"}) / "outside"
    code = tmp_path / "code"
    code.mkdir()
    (code / name).symlink_to(outside)
    try:
        said = " ".join(one.what for one in read_asked(code, IMAGE).problems)
    except ToolkitError as error:
        said = str(error)
    assert "outside the code folder" in said
    assert "secret" not in said


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("dependencies:\n  - pip: fire\n", 2, "expected a list"),
        ("dependencies:\n  pip: [fire]\n", 2, "expected a list"),
        ("dependencies: fire\n", 1, "expected a list"),
        ("dependencies:\n  - pip:\n    - fire: 1\n", 3, "expected a package as one line"),
        ("dependencies:\n  - pip:\n    - fire\n    - [six]\n", 4, "expected a package as one line"),
        ("dependencies:\n  - [six]\n", 2, "expected a package as one line"),
    ],
)
def test_an_environment_in_another_shape_is_reported(tmp_path: Path, text: str, line: int, words: str) -> None:
    (found,) = read(tmp_path, environment__yml=text).problems
    assert (found.place and found.place.line, words in found.what) == (line, True)


def test_an_environments_other_parts_are_reported_and_pip_itself_is_not(tmp_path: Path) -> None:
    text = "dependencies:\n  - conda-forge::pip>=20\n  - pip-tools\n  - pip:\n  - npm: [x]\n"
    (note,) = read(tmp_path, environment__yml=text).notes
    assert note.endswith("conda packages are not installed: pip-tools, those of `npm`")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[project]\ndependencies = "six"\n', "project.dependencies: expected a list of strings"),
        ("[project]\ndependencies = [{six = '1'}]\n", "project.dependencies: expected a list of strings"),
        ("[project.dependencies]\nsix = '1'\n", "project.dependencies: expected a list of strings"),
        ("[project]\noptional-dependencies = ['six']\n", "expected names with lists of strings"),
        ("dependency-groups = ['six']\n", "dependency-groups: expected a table"),
        ("[tool.poetry]\ndependencies = ['six']\n", "tool.poetry.dependencies: expected a table"),
        (f'{PROJECT}[tool.toolkit]\nextras = "plots"\n', "tool.toolkit.extras: expected a list of strings"),
        (f'{PROJECT}[tool.toolkit]\nextra = ["plots"]\n', "tool.toolkit.extra: unknown"),
        (f"{POETRY}six = 1\n", "six: expected a version in quotes, or a table"),
    ],
)
def test_a_project_in_another_shape_is_reported_and_not_passed_over(tmp_path: Path, text: str, words: str) -> None:
    (found,) = read(tmp_path, pyproject__toml=text).problems
    assert words in found.what


def test_a_pipfile_in_another_shape_is_reported(tmp_path: Path) -> None:
    (found,) = read(tmp_path, Pipfile='packages = ["six"]\n').problems
    assert found.what == "packages: expected a table"
