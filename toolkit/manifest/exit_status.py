"""A command's exit status: that of what it ran, or the command is refused. Pure.

bash reports only the status of a pipeline's last part and of a script's last command. `judgeable` returns the text
that bash runs instead of a command: it differs if there is a pipeline, or if the command or a script in it
(`bash -c '…'`) consists of several commands. A script file is the program itself, and responsible for its own status.

Neither `set -e` nor `&&` works for several commands: with `set -e`, bash continues after `cd nosuch && python a.py`,
and a sourced script can turn it off; `&&` changes the meaning of `a || b; c`.
"""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Iterator

from toolkit.manifest.programs import BASH, SHELLS, program_name, refusal, script_index, started_by
from toolkit.manifest.shell import Pipeline, Simple, read_script
from toolkit.manifest.words import SCRIPT, Word, is_from_outside, shown
from toolkit.shell_files import shell_line

_PIPELINE_STATUS = f"{shell_line('toolkit.manifest', 'pipeline_status.bash')}; "
_STOP_IF_FAILED = f"{shell_line('toolkit.manifest', 'stop_if_failed.bash')}; "

_Edit = tuple[int, int, str]


def judgeable(text: str) -> str:
    """The command `text` as bash runs it: unchanged, or an equivalent that reports the status of every part.

    Raises `ValueError` with the reason if its status would not be that of what it runs.
    """
    return _script(text, 0, False)


def _script(text: str, level: int, dash: bool) -> str:
    lists = read_script(text, level, dash)
    edits = [edit for one in lists for pipeline in one.pipelines for edit in _pipeline(text, pipeline, level, dash)]
    functions = ""
    if any(len(pipeline.parts) > 1 for one in lists for pipeline in one.pipelines):
        functions += _PIPELINE_STATUS
    if len(lists) > 1:
        # Replaces what is between them, which may be a comment, or Watson ML's `;;`, which bash does not allow here.
        edits += [(one.end, later.start, "; stop_if_failed; ") for one, later in itertools.pairwise(lists)]
        functions += _STOP_IF_FAILED
    if lists and (len(lists) > 1 or ";" in text[: lists[0].start] + text[lists[0].end :]):
        edits += [(lists[-1].end, len(text), ""), (0, lists[0].start, "")]  # `;a` and `a;;` are errors in bash
    for start, end, new in sorted(edits, key=lambda edit: edit[:2], reverse=True):
        text = text[:start] + new + text[end:]
    return functions + text


def _pipeline(text: str, pipeline: Pipeline, level: int, dash: bool) -> Iterator[_Edit]:
    for part in pipeline.parts:
        try:
            yield from _started(part.words, level)
        except ValueError as error:
            raise ValueError(f"`{_shown(text, part)}`: {error}") from None
    if len(pipeline.parts) > 1:
        if dash:
            what = "a pipeline in `sh -c` tells the status of its last part alone: write `bash -c`"
            raise ValueError(f"`{_shown(text, pipeline)}`: {what}")
        yield pipeline.body, pipeline.body, "{ "
        yield pipeline.end, pipeline.end, '; pipeline_status "${PIPESTATUS[@]}"; }'


def _started(words: tuple[Word, ...], level: int) -> Iterator[_Edit]:
    """The scripts in a simple command, rewritten."""
    if words and is_from_outside(words[0], level):
        raise ValueError("which program this is stands in a variable of the shell around it, and is not known here")
    started = started_by(words)
    if started is None:
        return
    name, arguments = program_name(words[started]), words[started + 1 :]
    if reason := refusal(words[started], arguments):
        raise ValueError(reason)
    if name == "eval":
        yield from _eval(arguments, level)
    elif name in SHELLS:
        index = script_index(words, started)
        if index is not None:
            yield from _rewritten(words[index], level, dash=name not in BASH)
    else:
        _look_for_shells(arguments, level)


def _eval(arguments: tuple[Word, ...], level: int) -> Iterator[_Edit]:
    if not arguments:
        return
    joined = " ".join(word.value for word in arguments)
    if any(word.split for word in arguments) or is_from_outside(arguments[0], level + 1):
        raise ValueError("what `eval` runs is in a variable, and not known here")
    if len(read_script(joined, level + 1)) > 1:
        raise ValueError("several commands in `eval`: join them with `&&`")
    if len(arguments) == 1:
        yield from _rewritten(arguments[0], level, dash=False)
    elif _script(joined, level + 1, False) != joined:
        raise ValueError("give `eval` its command as one quoted word")


def _rewritten(word: Word, level: int, *, dash: bool) -> Iterator[_Edit]:
    """A word that contains a script, with that script rewritten."""
    if word.split:
        raise ValueError(f"a script is read here where it stands in plain quotes; else {SCRIPT}")
    script = _script(word.value, level + 1, dash)
    if script == word.value:
        return
    if is_from_outside(word, level):
        what = "a script in a script that has a variable of the shell around both is not read here"
        raise ValueError(f"{what}: {SCRIPT}")
    yield word.start, word.end, _quoted(script, dict(word.expansions))


def _quoted(script: str, expansions: dict[str, str]) -> str:
    """`script` as one word: its text in single quotes, its expansions in double quotes."""
    pieces, literal = list[str](), ""
    for character in script:
        if character in expansions:
            pieces += [shlex.quote(literal)] if literal else []
            pieces.append(f'"{expansions[character]}"')
            literal = ""
        else:
            literal += character
    return "".join([*pieces, shlex.quote(literal)] if literal else pieces)


def _look_for_shells(words: tuple[Word, ...], level: int) -> None:
    """An unknown program may start a shell that is among its arguments: `strace bash -c '…'`."""
    for index, word in enumerate(words[:-2]):
        if program_name(word) in SHELLS and words[index + 1].value[:1] == "-":
            at = script_index(words, index)
            if at is not None and any(_rewritten(words[at], level, dash=program_name(word) not in BASH)):
                raise ValueError(f"this script is not read here, its statuses would be lost: {SCRIPT}")


def _shown(text: str, part: Pipeline | Simple) -> str:
    return shown(text[part.start : part.end][:40])
