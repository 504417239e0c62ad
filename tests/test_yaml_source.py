"""Files that are no plain YAML."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from toolkit.errors import ToolkitError
from toolkit.yaml.source import MAX_PROBLEMS, dotted, read_source


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a: 1\nb: 2\na: 3\n", ":3:1: a: `a` is given twice"),
        (b"a:\n  b: 1\n  b: 2\n", ":3:3: a.b: `b` is given twice"),
        (b"a: &x {b: 1}\nc: *x\n", "aliases (*name) are not read here"),
        (b"a: &x [*x]\n", "aliases (*name) are not read here"),
        (b"a:\n\tb: 1\n", ":2:1: a tab: YAML sets its lines in by spaces"),
        (b"a: [1, 2\n", "not valid YAML"),
        (b"a: \xff\xfe\n", ":1:4: byte 3 (0xff) is not UTF-8"),
        (b"", "found nothing"),
        (b"- a\n- b\n", "expected `name: value` lines"),
        (b"just text", "expected `name: value` lines"),
        (b"? [a, b]\n: 1\n", "a field's name must be plain text"),
        (b"a: 1\n---\nb: 2\n", "not valid YAML"),
        (b"a:\n  no: 1\n", ":2:3: a.no: YAML reads this name as a boolean, not as text: put it in quotes"),
        (b"1.5: x\n", ":1:1: 1.5: YAML reads this name as a number, not"),
        (b"a: " + b"[" * 10_000, ":1:53: deeper than 50 levels"),
        (b"a: " + b"{a: " * 10_000, "deeper than 50 levels"),
        (b'a: "\\UFFFFFFFF"\n', "not valid YAML"),
        (b"a: !!python/object:os.system x\n", "tags (!name)"),
        (b"#" * (1 << 20) + b"\n", "larger than 1 MiB"),
        (b"a: &x {b: 1}\nc:\n- 1\n- *x\n", ":4:3: c[1]: aliases (*name)"),
        (b"a: *py\n", ":1:4: a: aliases (*name) are not read here: write the value out; a text that begins with `*`"),
        (b"*x : 1\n", ":1:1: aliases (*name)"),
        (b"a: &x {b: 1}\nc:\n  <<: *x\n", ":3:3: c: tags (!name), merges (<<)"),
        (b"!!map a: 1\n", "YAML reads this name as something else"),
        (b"a: {{ b }}\n", ":1:5: a: a field's name must be plain text; a text that begins with `{` goes in quotes"),
        (b"a: 010\n", ":1:4: a: YAML reads 010 as 8: write a number in plain decimals"),
        (b"a: 0x1F\n", "YAML reads 0x1F as 31"),
        (b"a: 0b11\n", "YAML reads 0b11 as 3"),
        (b"a: 1_000\n", "YAML reads 1_000 as 1000"),
        (b"a: 1:30\n", "YAML reads 1:30 as 90"),
        (b"a: 1:30.5\n", "YAML reads 1:30.5 as 90.5"),
        (b"password: 010020\n", "YAML reads [redacted] as another number"),
        (b'a: 1\nb: "two\nc: 3\n', ":2:4: a quote is opened here and never closed"),
        (b"a: 1\rb: 'two\r\r", ":2:4: a quote"),
        (b"a: 1\r\r\rb: }\r", ":4:4: "),
        (b"a: 1\nb: 'two\n", ":2:4: a quote is opened here and never closed"),
        (b"a: [1, 2\nb: 3\nc: 4\n", ":1:4: a bracket or brace is opened here and never closed"),
        (b"a: {b: 2\nc: 3\n", ":1:4: a bracket or brace is opened here and never closed"),
        (b"a: 1\nb:2\nc: 3\n", ":2:1: expected `name: value`, with a space after the colon"),
        ("a:\n  b: 1\n\u00a0\u00a0c: 2\n  d: 3\n".encode(), ":3:1: a blank that is no space (U+00A0)"),
    ],
)
def test_what_is_no_plain_yaml_is_an_error_that_says_why(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "x.yml"
    file.write_bytes(content)
    with pytest.raises(ToolkitError) as caught:
        read_source(file)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "number", ["0", "-3", "+3", "12", "0.5", ".5", "1.", "-0.25", "1.5e+3", "00.5", ".inf", "-.INF", ".NaN"]
)
def test_a_number_in_plain_decimals_is_taken(tmp_path: Path, number: str) -> None:
    file = tmp_path / "x.yml"
    file.write_text(f"a: {number}\n")
    assert read_source(file).root.value[0][1].tag in ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    for path, words in ((tmp_path / "none.yml", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(ToolkitError) as caught:
            read_source(path)
        assert f"{path}: {words}" in str(caught.value)


def test_a_path_is_written_with_dots_and_brackets() -> None:
    assert dotted(("a", 0, "b", 1)) == "a[0].b[1]"


BOMB = b"".join(b"a%d: &a%d [*a%d, *a%d]\n" % (level, level, level - 1, level - 1) for level in range(1, 60))


def test_no_more_of_a_file_is_read_than_a_manifest_has() -> None:
    with pytest.raises(ToolkitError, match="larger than 1 MiB"):
        read_source(Path("/dev/zero"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a: [" + b"x," * 40_000 + b"]", "more than 32768 names and values"),
        (b"\xef\xbb\xbfa: \xc3", ":1:5: byte 6 (0xc3) is not UTF-8"),
        (b"a: b\x07c\n", "U+0007 is not allowed in YAML"),
        (b"a0: &a0 [x, x]\n" + BOMB, "aliases (*name) are not read here"),
    ],
)
def test_what_would_fill_memory_or_a_screen_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "x.yml"
    file.write_bytes(content)
    with pytest.raises(ToolkitError) as caught:
        read_source(file)
    assert words in str(caught.value)


def test_of_very_many_problems_the_first_are_shown(tmp_path: Path) -> None:
    file = tmp_path / "x.yml"
    file.write_text("".join(f"a: {number}\n" for number in range(1000)))
    with pytest.raises(ToolkitError) as caught:
        read_source(file)
    assert caught.value.what == f"{file} has 999 problems"
    *shown, rest = caught.value.problems
    assert [problem.place.line for problem in shown if problem.place] == list(range(2, MAX_PROBLEMS + 2))
    assert rest.what == f"and {999 - MAX_PROBLEMS} more"


def test_nothing_that_a_terminal_obeys_is_printed(tmp_path: Path) -> None:
    file = tmp_path / "x.yml"
    file.write_text('"\\e[2J\\u202e": 1\n"\\e[2J\\u202e": 2\n')
    with pytest.raises(ToolkitError) as caught:
        read_source(file)
    assert "`\\x1b[2J\\u202e` is given twice" in str(caught.value)
    assert not re.search("[\x1b\u202e]", str(caught.value))


def test_of_a_very_long_line_the_part_around_the_caret_is_shown(tmp_path: Path) -> None:
    file = tmp_path / "x.yml"
    file.write_text("{" + ", ".join(f"k{number}: v" for number in range(60)) + ", k59: w}\n")
    with pytest.raises(ToolkitError) as caught:
        read_source(file)
    _, _, line, caret = str(caught.value).splitlines()
    assert len(line) < 130
    assert line[caret.index("^") :].startswith("k59: w")


@pytest.mark.parametrize("size", [1, 2, 30])
def test_the_caret_stands_below_what_is_meant_behind_tabs(tmp_path: Path, size: int) -> None:
    file = tmp_path / "x.yml"
    file.write_text('{"k' + "\t" * size + '": 1, a: 1, a: 2}\n')
    with pytest.raises(ToolkitError) as caught:
        read_source(file)
    assert str(caught.value).splitlines()[-1].count("\t") == size
