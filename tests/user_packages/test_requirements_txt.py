"""Requirement files as pip reads them: lines, encodings, files that name files, options that a lock cannot follow."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pip._internal.exceptions import CommandError
from pip._internal.req import req_file  # no public interface; it is what pip does

from toolkit.user_packages.formats import read_asked
from toolkit.user_packages.model import Asked
from toolkit.user_packages.pip_lines import OptionError, PipLine, logical_lines, parse_line
from toolkit.user_packages.text import UnreadableError, decode

from .images import IMAGE, write

HASH = "0" * 63 + "1"


def read(folder: Path, text: str | bytes, **others: str | bytes) -> Asked:
    """What a requirements.txt with `text` asks for, `others` beside it (`a__txt` is `a.txt`)."""
    files = {name.replace("__", "."): content for name, content in others.items()}
    return read_asked(write(folder, {"requirements.txt": text, **files}), IMAGE)


def texts(asked: Asked) -> list[str]:
    assert asked.problems == ()
    return [one.text for one in asked.wanted]


WORDS = st.sampled_from(
    [
        *("six", "Fire[x]==0.7", "a>=1,<2", "b ; python_version < '4'", " ", "\t", "#", " # why", "\\", "\\\n", "\r\n"),
        *("\n", "\x0c", "\u2028", f"--hash=sha256:{HASH}", f" --hash sha256:{HASH}", "-r x.txt", "--requirement=y.txt"),
        *("-c z.txt", "-e .", "--pre", "--no-binary", ":all:", "-i", "https://x.example/simple", "--unknown", "'", '"'),
        *("x @ https://y.example/x.whl#sha256=ab", "git+https://g.example/a.git@v1#egg=a", "-", "--", "--req", "$X"),
    ]
)


@settings(deadline=None)
@given(st.lists(WORDS, max_size=12).map("".join) | st.text("ab=\\# \t\n\r-'\"\x85", max_size=30))
def test_lines_are_those_that_pip_reads(text: str) -> None:
    theirs, ours = list(req_file.preprocess(text)), list(logical_lines(text))
    assert ours == theirs
    parse = req_file.get_line_parser(None)
    for _, line in theirs:
        try:
            arguments, options = parse(line)
        except req_file.OptionParsingError:
            with pytest.raises(OptionError):
                parse_line(line)
            continue
        except CommandError:  # `--no-binary -x`: refused here whatever it says
            continue
        try:
            found = parse_line(line)
        except OptionError as error:
            assert "after the options: pip ignores it" in str(error)  # we tell what pip drops
            continue
        assert found.requirement == arguments
        assert found.options.get("--editable", ()) == tuple(options.editables)
        assert found.options.get("--requirement", ()) == tuple(options.requirements)
        assert found.options.get("--constraint", ()) == tuple(options.constraints)
        digests = [digest for many in (options.hashes or {}).values() for digest in many]
        assert [value.partition(":")[2] for value in found.options.get("--hash", ())] == digests


@pytest.mark.parametrize(
    ("line", "options"),
    [
        ("-rother.txt", {"--requirement": ("other.txt",)}),
        ("--requirem other.txt", {"--requirement": ("other.txt",)}),
        ("-i https://x.example", {"--index-url": ("https://x.example",)}),
        ("--pre", {"--pre": ()}),
    ],
)
def test_options_are_read_under_every_name_that_pip_takes(line: str, options: dict[str, tuple[str, ...]]) -> None:
    assert parse_line(line) == PipLine(line, "", options)


TEXT = "# -*- coding: {} -*-\nsix==1.17  # for Zoë\n"


@pytest.mark.parametrize(
    "data",
    [
        codecs.BOM_UTF8 + b"six==1.17\r\n",
        codecs.BOM_UTF16_LE + "six==1.17\r\n".encode("utf-16-le"),
        codecs.BOM_UTF16_BE + "six==1.17\r\n".encode("utf-16-be"),
        codecs.BOM_UTF32_LE + "six==1.17\r\n".encode("utf-32-le"),
        codecs.BOM_UTF32_BE + "six==1.17\r\n".encode("utf-32-be"),
        TEXT.format("latin-1").encode("latin-1"),
        TEXT.format("cp1252").encode("cp1252"),
        b"#!/usr/bin/pip\n# vim: set fileencoding=latin-1 :\nsix==1.17 # Zo\xeb\n",
        b"six==1.17 \\\r\n    # why\r\n",
    ],
)
def test_a_file_is_read_in_every_encoding_that_pip_reads(tmp_path: Path, data: bytes) -> None:
    assert decode(data) == req_file._decode_req_file(data, "requirements.txt")
    assert texts(read(tmp_path, data)) == ["six==1.17"]


@pytest.mark.parametrize(
    ("data", "line", "words"),
    [
        (b"six\n# ok\nbad \xff\xfe\n", 3, "text: "),
        ("six\n".encode("utf-16-le"), 1, "UTF-16 without a byte order mark"),
        (codecs.BOM_UTF16_LE + "six\n".encode("utf-16-le") + b"\x00\xd8", 2, "not utf-16-le text"),
        (b"# coding: klingon\nsix\n", 1, "its coding line names `klingon`"),
        (b"# coding: rot13\nsix\n", 1, "its coding line names `rot13`"),
        (b"# coding: undefined\nsix\n", 1, "its coding line names `undefined`"),
    ],
)
def test_what_is_no_text_is_reported_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, line: int, words: str
) -> None:
    monkeypatch.setattr("locale.getpreferredencoding", lambda _: "utf-8")
    (problem,) = read(tmp_path, data).problems
    assert str(problem).startswith(f"{tmp_path / 'requirements.txt'}:{line}:1: ")
    assert words in problem.what


@given(st.binary(max_size=60))
def test_any_bytes_are_text_or_reported(data: bytes) -> None:
    try:
        assert decode(data) == req_file._decode_req_file(data, "x")
    except UnreadableError as error:
        assert 0 <= error.line <= data.count(b"\n") + 1


def test_hashes_on_lines_of_their_own_belong_to_the_requirement(tmp_path: Path) -> None:
    other = "A" * 64
    text = f"six==1.17 \\\n    --hash=sha256:{HASH} \\\n    --hash=sha256:{other} --hash=sha512:ab\n    # via leaf\n"
    (one,) = read(tmp_path, text).wanted
    assert (one.text, one.place.line, one.hashes) == ("six==1.17", 1, {HASH, other.lower()})


def test_requirements_without_hashes_are_refused_where_hashes_are_required(tmp_path: Path) -> None:
    lines = f"--require-hashes\nsix==1.17 --hash=sha256:{HASH}\nfire\n"
    (problem,) = read(tmp_path, lines).problems
    assert problem.what == "fire: no hash, and requirements.txt:1 says `--require-hashes`"
    assert problem.place is not None
    assert problem.place.line == 3


def test_what_is_for_another_platform_is_left_out_by_name(tmp_path: Path) -> None:
    lines = "pywin32; sys_platform == 'win32'\nsix; python_full_version >= '3.11.2'\nold; python_version < '3.8'\n"
    found = read(tmp_path, lines)
    assert texts(found) == ["six"]
    assert found.skipped == ("pywin32 (requirements.txt:1)", "old (requirements.txt:3)")


def test_files_that_are_named_are_read_from_where_they_are_named(tmp_path: Path) -> None:
    base, more, limits = "-r more.txt\nfire\n", "-c ../limits.txt\nsix\n", "idna<4\n-r all.txt\n"
    files = {"requirements.txt": "-r parts/base.txt\n", "parts/base.txt": base, "parts/more.txt": more}
    found = read_asked(write(tmp_path, {**files, "limits.txt": limits, "all.txt": "attrs\n"}), IMAGE)
    assert texts(found) == ["attrs", "six", "fire"]  # pip installs what a constraint file asks for with -r
    assert [one.text for one in found.constraints] == ["idna<4"]
    assert found.notes == ()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("-r requirements.txt", "requirements.txt includes itself, through requirements.txt"),
        ("-r loop.txt", "requirements.txt includes itself, through requirements.txt and loop.txt"),
        ("-r missing.txt", "missing.txt is missing"),
        ("-r ../outside.txt", "outside the code folder"),
        ("-r link.txt", "outside the code folder"),
        ("-r .", "is not a file"),
        ("-r https://x.example/r.txt", "`--requirement` with a URL"),
        ("-c file:///etc/passwd", "`--constraint` with a URL"),
        ("-r a.txt -r b.txt", "one file per line"),
        ("six -r other.txt", "`--requirement` after a requirement: pip ignores it"),
    ],
)
def test_a_file_that_cannot_be_read_is_reported_where_it_is_named(tmp_path: Path, line: str, words: str) -> None:
    code = tmp_path / "code"
    write(tmp_path, {"outside.txt": "six\n", "code/loop.txt": "-r requirements.txt\n"})
    (code / "link.txt").symlink_to(tmp_path / "outside.txt")
    (problem,) = read(code, f"fire\n{line}\n").problems
    assert words in str(problem)
    assert problem.place is not None
    assert problem.place.line == (1 if "loop" in line else 2)


def test_files_that_unfold_without_end_are_given_up(tmp_path: Path) -> None:
    files = {f"f{n}.txt": f"-r f{n + 1}.txt\n-r f{n + 1}.txt\n" for n in range(30)}
    found = read_asked(write(tmp_path, {**files, "f30.txt": "six\n", "requirements.txt": "-r f0.txt\n"}), IMAGE)
    assert any("more than 200 files" in problem.what for problem in found.problems)


PLACE_ELSEWHERE = "the tool locks and fetches from this machine's own index"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("git+https://git.example/a.git", "a git address cannot be locked to a hash"),
        ("git+ssh://git@git.example/a.git@v1#egg=a&subdirectory=b", "a git address cannot be locked to a hash"),
        ("-e git+https://git.example/a.git#egg=a", "a git address cannot be locked to a hash"),
        ("a @ git+https://git.example/a.git@abc", "a git address cannot be locked to a hash"),
        ("hg+https://hg.example/a", "a Mercurial address cannot be locked"),
        ("https://x.example/six-1.17.0-py2.py3-none-any.whl", "where that index has it: six==1.17.0"),
        ("six @ https://x.example/six-1.17.0-py2.py3-none-any.whl#sha256=ab", "six==1.17.0"),
        ("x @ https://x.example/x.tar.gz ; python_version < '3'", "a URL cannot be locked by version"),
        ("./vendor/leaf", "a path is not a package from an index"),
        ("vendor/leaf-1.0-py3-none-any.whl", "a path is not a package from an index"),
        ("leaf-1.0.tar.gz", "a path is not a package from an index"),
        ("-e ./vendor/leaf", "a path is not a package from an index"),
        ("-e leaf", "`-e` takes a path or an address"),
        ("leaf @ file:///tmp/build/leaf_1/work", "a file on the machine where this was written: give the version"),
        ("leaf @ whatever", "`whatever` is not the URL of a package"),
        ("numpy=1.21.2=py39h_0", "a single `=` is conda's"),
        ("not a requirement", "not a requirement"),
        ("--index-url https://x.example/simple", PLACE_ELSEWHERE),
        ("--extra-index-url https://pypi.org/simple https://x.example", "pip ignores it"),
        ("--extra-index-url=https://download.pytorch.org/whl/cu118", PLACE_ELSEWHERE),
        ("-f https://x.example/wheels.html", PLACE_ELSEWHERE),
        ("--no-index", PLACE_ELSEWHERE),
        ("--no-binary :all:", "`--no-binary`: images use wheels only"),
        ('six --config-settings "a=b"', "`--config-settings`: images use wheels only"),
        ('six --global-option="--x"', "`--global-option`: images use wheels only"),
        ("--pre", "`--pre`: pin the pre-release by its version"),
        ("--process-dependency-links", "no such option: --process-dependency-links"),
        ("six==${VERSION}", "`${VERSION}`: environment variables are not expanded into a lock"),
        ("--hash=sha256:ab", "`--hash` without a requirement"),
        ("six --hash=md5:ab", "is not a hash that pip accepts"),
        ("six --hash=sha256:short", "is not a hash that pip accepts"),
        ("six --hash=sha512:ab", "a lock compares SHA-256"),
        ("six; platform_release == '5'", "is the host's kernel"),
        ("six; os_name ~= 'x'", 'the marker `os_name ~= "x"` cannot be evaluated'),
        ("six; python_version ~= 'x'", "cannot be evaluated: it compares incompatible values"),
        ("six; platform_machine === '3'", "cannot be evaluated"),
        ("six; 'a' in extras", "cannot be evaluated"),
        (f"six; {'(' * 3000}os_name == 'posix'{')' * 3000}", "its parentheses are nested too deeply"),
    ],
)
def test_what_cannot_be_locked_is_refused_in_its_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, words: str
) -> None:
    monkeypatch.setenv("VERSION", "1.17")
    found = read(tmp_path, f"fire\n{line}\n")
    (problem,) = found.problems
    assert (words in problem.what, problem.place and problem.place.line) == (True, 2)
    assert [one.text for one in found.wanted] == ["fire"]


@pytest.mark.parametrize(
    "line", ["-i https://pypi.org/simple", "--only-binary :all:", "--prefer-binary", "six --only-binary=:all:"]
)
def test_options_that_a_lock_fulfils_anyway_are_taken(tmp_path: Path, line: str) -> None:
    found = read(tmp_path, f"{line}\nsix\n")
    assert set(texts(found)) == {"six"}
    assert found.notes == ()


def test_options_that_mean_nothing_here_are_reported(tmp_path: Path) -> None:
    found = read(tmp_path, "--trusted-host x.example\nsix\n")
    assert texts(found) == ["six"]
    assert found.notes == (
        "requirements.txt:1: `--trusted-host`: trusted hosts come from this machine's index settings",
    )


@pytest.mark.parametrize(
    ("line", "words"), [("idna[x]<4", "a constraint has no extras"), ("-e ./a", "a path"), ("./a", "a path")]
)
def test_a_constraint_is_a_name_with_a_version(tmp_path: Path, line: str, words: str) -> None:
    (problem,) = read(tmp_path, "six\n-c limits.txt\n", limits__txt=f"{line}\n").problems
    assert words in problem.what


@pytest.mark.parametrize("line", [".", "-e .", "./", "-e .[plots]", "file:."])
def test_the_code_itself_brings_its_projects_dependencies(tmp_path: Path, line: str) -> None:
    project = '[project]\nname = "leaf"\ndependencies = ["six"]\noptional-dependencies.plots = ["fire"]\n'
    found = read(tmp_path, f"{line}\n", pyproject__toml=project)
    assert texts(found) == (["six", "fire"] if "plots" in line else ["six"])
    assert "`.` is not installed, because the code folder is on PYTHONPATH" in found.notes[-1]


def test_a_password_in_an_index_is_in_no_message(tmp_path: Path) -> None:
    from toolkit.errors import ToolkitError
    from toolkit.user_packages.read import read_additions

    write(tmp_path, {"requirements.txt": "--extra-index-url https://ada:rake-and-hoe@x.example/simple\n"})
    with pytest.raises(ToolkitError) as caught:
        read_additions(tmp_path, (), IMAGE)
    assert "rake-and-hoe" not in str(caught.value) + str(caught.value.as_json())
