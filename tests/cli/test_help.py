"""What `--help` says of each command: an example that the tool takes, in groups, and no name from inside the code."""

from __future__ import annotations

import contextlib
import io
import re
import shlex

import pytest

from toolkit.cli.command_parser import ELSEWHERE
from toolkit.cli.main import parser
from toolkit.paths import assets

REQUIRED = "the following arguments are required:"
TOP = parser()
COMMANDS = {command.prog: command for command in TOP.every()}
LEAVES = {prog: command for prog, command in COMMANDS.items() if not command.commands}


def words_of(example: str) -> list[str]:
    """The arguments of an example, without the shell's redirection."""
    return shlex.split(example.partition(" > ")[0])[1:]


def test_all_commands_are_looked_at() -> None:
    assert {"toolkit", "toolkit launch", "toolkit images sbom", "toolkit bundle load"} <= set(COMMANDS)


@pytest.mark.parametrize("prog", COMMANDS)
def test_every_help_has_an_example(prog: str) -> None:
    text = COMMANDS[prog].format_help()
    assert COMMANDS[prog].examples
    for example in COMMANDS[prog].examples:
        assert f"\n  {example}\n" in text


@pytest.mark.parametrize("prog", LEAVES)
def test_every_example_of_a_command_is_taken(prog: str) -> None:
    for example in LEAVES[prog].examples:
        assert example.startswith(prog)
        arguments = TOP.parse_args(words_of(example))
        assert arguments.verb == prog.split()[1]


@pytest.mark.parametrize("prog", sorted(COMMANDS.keys() - LEAVES.keys()))
def test_the_examples_of_a_group_are_taken(prog: str) -> None:
    for example in COMMANDS[prog].examples:
        assert TOP.parse_args(words_of(example)).verb in TOP.commands


def test_files_of_the_project_that_examples_name_are_there() -> None:
    named = {
        word
        for command in COMMANDS.values()
        for example in command.examples
        for word in words_of(example)
        if word.startswith(("examples/", "clusters/"))
    }
    assert named == {"examples/mnist/manifest.yml", "clusters/lab-p100.yml"}
    assert [word for word in named if not (assets() / word).is_file()] == []


@pytest.mark.parametrize("prog", COMMANDS)
def test_no_name_from_inside_the_code_is_shown(prog: str) -> None:
    assert re.findall(r"\b[a-z]+_[a-z_]+\b", COMMANDS[prog].format_help()) == []


@pytest.mark.parametrize("prog", LEAVES)
def test_every_argument_is_explained(prog: str) -> None:
    unexplained = [action.option_strings or action.metavar for action in LEAVES[prog]._actions if not action.help]
    assert unexplained == []


def test_the_verbs_are_listed_in_groups() -> None:
    groups: dict[str, list[str]] = {}
    for line in TOP.format_help().partition("\noptions:")[0].splitlines()[2:]:
        if line.endswith(":"):
            group = groups.setdefault(line.removesuffix(":"), [])
        elif line.startswith("  "):
            group.append(line.split()[0])
    assert groups == {
        "images": ["build", "lock", "images", "save", "load", "bundle", "push", "pull"],
        "runs": [
            "launch",
            "runs",
            "show",
            "logs",
            "metrics",
            "watch",
            "stop",
            "retry",
            "resume",
            "reproduce",
            "compare",
            "collect",
            "checkpoints",
            "report",
            "record",
            "serve",
            "rescue",
            "clean",
        ],
        "clusters": ["cluster", "doctor", "lab"],
        "data": ["bucket"],
        "manifests": ["manifest", "frameworks"],
        "shell": ["completion"],
    }
    assert [name for names in groups.values() for name in names] == list(TOP.commands)


@pytest.mark.parametrize("prog", sorted(COMMANDS.keys() - LEAVES.keys()))
def test_a_list_of_commands_fits_a_terminal_of_80_columns(prog: str) -> None:
    listed = [line for line in COMMANDS[prog].format_help().splitlines() if re.match(r"  [a-z]+ {2,}", line)]
    assert len(listed) == len(COMMANDS[prog].commands)
    assert [line for line in listed if len(line) > 80] == []


def refused(*words: str) -> str:
    """What is printed about words that are no command."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said), pytest.raises(SystemExit) as caught:
        parser().parse_args(list(words))
    assert caught.value.code == 2
    return said.getvalue()


@pytest.mark.parametrize(
    ("words", "what", "hint"),
    [
        (["lanch", "m.yml"], "unknown command `lanch`", "did you mean `launch`?"),
        (["Launch"], "unknown command `Launch`", "did you mean `launch`?"),
        (["image", "list"], "unknown command `image`", "did you mean `images`?"),
        (["run", "m.yml"], "unknown command `run`", "did you mean `launch`?"),
        (["upload", "m.yml"], "unknown command `upload`", "did you mean `bucket put`?"),
        (["list"], "unknown command `list`", "did you mean `images list` or `bucket list`?"),
        (["verfiy", "REF"], "unknown command `verfiy`", "did you mean `images verify` or `record verify`?"),
        (["bundle_load", "f"], "unknown command `bundle_load`", "did you mean `bundle load`?"),
        (["compl"], "unknown command `compl`", "did you mean `completion`?"),
        (["bundle", "laod", "f"], f"bundle: {REQUIRED} -o/--output", "did you mean `bundle load`?"),
        (["bundle", "m.yml"], f"bundle: {REQUIRED} -o/--output", "toolkit bundle --help"),
        (["xyzzy"], "unknown command `xyzzy`", "toolkit --help"),
        (["images", "lst"], "images: unknown command `lst`", "did you mean `list`?"),
        (["manifest", "chekc", "f"], "manifest: unknown command `chekc`", "did you mean `check`?"),
        (["lab", "dwon"], "lab: unknown command `dwon`", "did you mean `down`?"),
        (["launch", "m", "--clustr", "c"], "launch: unknown option `--clustr`", "did you mean `--cluster`?"),
        (["launch", "--clustr=c", "m"], "launch: unknown option `--clustr`", "did you mean `--cluster`?"),
        (["launch", "--dry_run", "m"], "launch: unknown option `--dry_run`", "did you mean `--dry-run`?"),
        (["launch", "-json", "m"], "launch: unknown option `-json`", "did you mean `--json`?"),
        (["save", "a:1", "--ouput", "f"], "save: unknown option `--ouput`", "did you mean `--output`?"),
        (
            ["bundle", "load", "--no-image", "--forse"],
            "bundle load: unknown option `--forse`",
            "toolkit bundle load --help",
        ),
        (["--verison"], "unknown option `--verison`", "did you mean `--version`?"),
        (["--json", "launch", "m"], "option `--json` must follow the command", "toolkit COMMAND --json"),
        (["images", "-o", "f", "sbom"], "images: option `-o` must follow the command", "toolkit images COMMAND -o"),
        (["build", "--flavour", "cdua"], "build: --flavour: `cdua` is not one of cpu, cuda", "did you mean `cuda`?"),
        (["build", "--flavour", "x"], "build: --flavour: `x` is not one of cpu, cuda", "one of: cpu, cuda"),
        (["completion", "bahs"], "completion: SHELL: `bahs` is not one of bash, zsh, fish", "did you mean `bash`?"),
        (["images"], f"images: {REQUIRED} COMMAND", "one of: list, show, "),
        (["collect"], f"collect: {REQUIRED} TRAINING_ID", "toolkit collect --help"),
        (["collect", "a", "b"], "collect: unexpected argument `b`", "toolkit collect --help"),
        (["launch", "--co", "x", "--c", "m"], "launch: ambiguous option: --c could match --code, --cluster", ""),
        (["logs", "x", "--rank", "z"], "logs: argument --rank: invalid int value: 'z'", "toolkit logs --help"),
    ],
)
def test_what_is_mistyped_is_named_with_the_nearest_that_there_is(words: list[str], what: str, hint: str) -> None:
    usage, _, error = refused(*words).partition("toolkit: error ")
    assert usage.startswith("usage: toolkit")
    assert error.startswith(f"C101 {what}\n  next: {hint}")


@pytest.mark.parametrize(
    ("words", "values"),
    [
        (["launch", "--clus", "c", "m"], {"cluster": "c"}),
        (["logs", "x", "--rank", "-1"], {"rank": -1}),
        (["build", "--", "--clustr"], {"manifest": "--clustr"}),
        (["manifest", "check", "-a b"], {"file": ["-a b"]}),
        (["bundle", "--json", "load", "f"], {"act": "load", "file": "f", "json": True}),
        (["bundle", "./load", "-of"], {"act": "make", "manifest": ["./load"], "output": "f"}),
        (["images", "sbom", "REF", "-of"], {"output": "f"}),
    ],
)
def test_what_only_looks_mistyped_is_taken(words: list[str], values: dict[str, object]) -> None:
    found = vars(parser().parse_args(words))
    assert {name: found[name] for name in values} == values


def test_what_other_tools_call_a_verb_leads_to_one_that_there_is() -> None:
    names = {command.prog.partition(" ")[2] for command in COMMANDS.values()}
    assert sorted(set(ELSEWHERE.values()) - names) == []
    assert sorted(ELSEWHERE.keys() & names) == []
