"""Files that are no plain YAML."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolkit.errors import ToolkitError
from toolkit.yaml_source import dotted, read_source


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
        (b"a: " + b"[" * 10_000, ":1:53: deeper than 50 levels"),
        (b"a: " + b"{a: " * 10_000, "deeper than 50 levels"),
        (b'a: "\\UFFFFFFFF"\n', "not valid YAML"),
        (b"a: !!python/object:os.system x\n", "tags (!name)"),
        (b"#" * (1 << 20) + b"\n", "larger than 1 MiB"),
    ],
)
def test_what_is_no_plain_yaml_is_an_error_that_says_why(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "x.yml"
    file.write_bytes(content)
    with pytest.raises(ToolkitError) as caught:
        read_source(file)
    assert words in str(caught.value)


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    for path, words in ((tmp_path / "none.yml", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(ToolkitError) as caught:
            read_source(path)
        assert f"{path}: {words}" in str(caught.value)


def test_a_path_is_written_with_dots_and_brackets() -> None:
    assert dotted(("a", 0, "b", 1)) == "a[0].b[1]"
