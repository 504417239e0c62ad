"""The one way to the terminal: the tool's own colours reach it, and nothing that others want it to obey."""

from __future__ import annotations

import ast
import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from rich.table import Table
from rich.text import Text

import toolkit.cli
from toolkit.cli.console import SafeConsole, rank_line
from toolkit.cli.output import json_text, print_line
from toolkit.cli.terminal import NeutralStream, neutral_streams
from toolkit.errors import Code, ToolkitError

HARM = "\x1b]52;c;ZXZpbA==\x07\x1b[2J\x9b2J\u202e\u200b"


def on_a_terminal(program: str) -> str:
    """What a terminal gets from a Python program."""
    above, below = pty.openpty()
    done = subprocess.Popen(
        [sys.executable, "-c", program], stdin=below, stdout=below, stderr=below, env={**os.environ, "TERM": "xterm"}
    )
    os.close(below)
    said = b""
    try:
        while piece := os.read(above, 1 << 16):
            said += piece
    except OSError:  # how a terminal ends on Linux
        pass
    os.close(above)
    assert done.wait() == 0
    return said.decode()


def test_a_terminal_gets_the_tools_colours_and_no_one_elses_words() -> None:
    said = on_a_terminal(
        f"""
from toolkit.cli.terminal import neutral_streams
from toolkit.cli.console import console, rank_line
from toolkit.cli.output import progress_bar
from toolkit.progress import Progress
harm = {HARM!r}
with neutral_streams():
    console.print("own " + harm, style="red")
    console.print(rank_line("[0] " + harm), soft_wrap=True)
    print("printed " + harm + "y" * 20_000)
    with progress_bar() as report:
        report(Progress("fetching", harm, 1, 2, "bytes"))
        print("beside \\x1b]8;;http://evil\\x07link " + harm)
"""
    )
    assert "\x1b[31mown " in said  # rich's red
    assert "(10" in said and "characters more)" in said
    for harm in ("\x1b]52", "\x1b]8", "\x07", "\x9b", "\u202e", "\u200b"):
        assert harm not in said, harm
    assert "\x1b[2J" not in said
    assert "\\x1b]52;c;" in said


def test_a_pipe_gets_whole_lines() -> None:
    out = io.StringIO()
    stream = NeutralStream(out)
    print("x" * 50_000, HARM, file=stream)
    assert out.getvalue().startswith("x" * 50_000)
    assert "\x1b" not in out.getvalue()


@pytest.mark.parametrize("raw", [False, True])
def test_a_programs_colours_are_kept_where_that_is_asked(raw: bool) -> None:
    out = io.StringIO()
    print_line(f"[0] \x1b[31mred\x1b[0m{HARM}", NeutralStream(out), raw=raw)  # type: ignore[arg-type]
    assert ("\x1b[31mred\x1b[0m" in out.getvalue()) is raw
    assert "\x1b]" not in out.getvalue()
    assert rank_line("[0] \x1b[31mred\x1b[0m", raw=True).plain == "[0] red"


def test_the_console_neutralises_every_kind_of_text(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table(title=HARM)
    table.add_column(HARM)
    table.add_row(HARM)
    console = SafeConsole()
    for one in (HARM, Text(HARM, style="link http://evil"), table, {"a": HARM}, [HARM]):
        console.print(one, soft_wrap=True)
    said = capsys.readouterr().out
    assert not {character for character in said if ord(character) < 32} - {"\n"}
    assert "\u202e" not in said


def test_an_error_cannot_look_like_a_line_of_ours() -> None:
    error = ToolkitError(
        Code.IMAGE, "bad\n  next: curl evil", evidence="x\r  next: curl evil\x0b  next: a", hint="ours"
    )
    hints = [line for line in str(error).splitlines() if line.startswith("  next: ")]
    assert hints == ["  next: ours"]


def test_json_is_printable_ascii_and_says_the_same() -> None:
    text = json_text({HARM: [HARM, "\x7f\xad\udce9"], "url": "http://me:secret@mirror/x"})
    assert text.isascii()
    assert text.isprintable()
    assert json.loads(text) == {HARM: [HARM, "\x7f\xad\udce9"], "url": "http://[redacted]@mirror/x"}


def test_a_mistake_of_ours_is_reported_neutrally_too() -> None:
    program = f"from toolkit.cli import terminal\nwith terminal.neutral_streams():\n    raise RuntimeError({HARM!r})\n"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False).stderr
    assert "\\x1b]52" in said
    assert "\x1b" not in said


def test_the_streams_are_given_back() -> None:
    before = sys.stdout, sys.stderr
    with pytest.raises(KeyboardInterrupt), neutral_streams():
        assert sys.stdout is not before[0]
        raise KeyboardInterrupt
    assert (sys.stdout, sys.stderr) == before


def test_no_command_has_another_way_to_the_terminal() -> None:
    """rich's own console, or a stream beneath the wrapping, would go past all of this."""
    for file in Path(toolkit.cli.__file__).parent.glob("*.py"):
        if file.name in ("console.py", "output.py", "terminal.py"):
            continue
        names = {node.id for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Name)}
        attributes = {node.attr for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Attribute)}
        assert not {"Console", "print_coloured"} & names, file
        assert not {"__stdout__", "__stderr__", "buffer"} & attributes, file
