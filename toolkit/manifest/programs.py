"""Programs that start other programs: wrappers such as `env` and `timeout`, shells with a script, and what detaches.

Pure. A program that is not listed here is an ordinary one, and its exit status is trusted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from toolkit.manifest.words import SCRIPT, Word

BASH = ("bash", "rbash")
SHELLS = (*BASH, "sh", "dash", "ash", "ksh", "mksh", "zsh")
"""All except bash are read as dash is; bash-only syntax is refused in them."""
# Per wrapper: short options with a value, long options with a value, and the number of operands before the program.
_WRAPPERS = {
    "env": ("uC", ("--unset", "--chdir"), 0),
    "timeout": ("ks", ("--kill-after", "--signal"), 1),
    "nice": ("n", ("--adjustment",), 0),
    "ionice": ("cn", ("--class", "--classdata"), 0),
    "nohup": ("", (), 0),
    "stdbuf": ("ioe", ("--input", "--output", "--error"), 0),
    "time": ("fo", ("--format", "--output"), 0),
    "exec": ("a", (), 0),
    "command": ("", (), 0),
    "builtin": ("", (), 0),
    "unbuffer": ("", (), 0),
    "taskset": ("", (), 1),
    "chrt": ("TPD", (), 1),
    "numactl": ("iNmCpP", ("--interleave", "--cpunodebind", "--membind", "--physcpubind", "--preferred"), 0),
    "xargs": ("adEILnPs", ("--arg-file", "--delimiter", "--max-lines", "--max-args", "--max-procs", "--max-chars"), 0),
}
_SYSTEM_FOLDERS = ("", "/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin")
_DETACHED = "it runs apart from the command, which cannot wait for it: start the program itself"
_REFUSED = {
    "setsid": ("", f"in a session of its own {_DETACHED}"),
    "daemonize": ("", f"as a daemon {_DETACHED}"),
    "daemon": ("", f"as a daemon {_DETACHED}"),
    "start-stop-daemon": (r"-\w*b\w*|--background", f"in the background {_DETACHED}"),
    "systemd-run": ("", f"as a unit of systemd {_DETACHED}"),
    "screen": ("", f"in a terminal of its own {_DETACHED}"),
    "tmux": ("", f"in a terminal of its own {_DETACHED}"),
    "at": ("", f"at another time {_DETACHED}"),
    "batch": ("", f"at another time {_DETACHED}"),
    "coproc": ("", f"as a coprocess {_DETACHED}"),
    "disown": ("", "there are no background jobs here"),
    "bg": ("", "there are no background jobs here"),
    "trap": ("", f"what a trap runs may change the status: {SCRIPT}"),
}


def started_by(words: Sequence[Word]) -> int | None:
    """The index of the program behind `env A=1 timeout 5 nice …`; None if there is none, or if it is in a variable."""
    index = 0
    while index < len(words):
        name = program_name(words[index])
        wrapper = _WRAPPERS.get(name)
        if wrapper is None:
            return index if name else None
        short, long, operands = wrapper
        if name == "env" and any(re.match(r"-\w*S|--split-string", word.value) for word in words[index:]):
            raise ValueError("`env -S` is not read here: give it words")
        if name == "command" and any(re.fullmatch(r"-\w*[vV]\w*", word.value) for word in words[index + 1 : index + 2]):
            return index
        index = _behind_options(words, index + 1, short, long)
        while name == "env" and index < len(words) and "=" in words[index].value:
            index += 1
        index += operands
    return None


def program_name(word: Word) -> str:
    """The name without its folder; empty if the word is not known before it runs."""
    return word.value.rpartition("/")[2] if word.literal else ""


def refusal(program: Word, arguments: Sequence[Word]) -> str:
    """Why a program's status cannot be tracked; empty if it can. `./batch` is the user's own, not Debian's."""
    name, folder = program_name(program), program.value.rpartition("/")[0]
    pattern, reason = _REFUSED.get(name, ("", "")) if folder in _SYSTEM_FOLDERS else ("", "")
    if pattern and not any(re.fullmatch(pattern, word.value) for word in arguments):
        return ""
    return f"`{name}` is not read here: {reason}" if reason else ""


def script_index(words: Sequence[Word], shell: int) -> int | None:
    """The index of the script of the shell at index `shell`; None if it runs a file.

    Raises `ValueError` if its commands come from elsewhere.
    """
    takes_script, index = False, shell + 1
    while index < len(words) and (words[index].value[:1] in ("-", "+") or not words[index].literal):
        word = words[index]
        if not word.literal:
            break
        index += 1
        if word.value in ("-", "--"):
            break
        if word.value.startswith("--"):
            index += word.value in ("--rcfile", "--init-file")
            continue
        takes_script = takes_script or (word.value[0] == "-" and "c" in word.value)
        index += len(re.findall("[oO]", word.value))
    if not takes_script and any(re.fullmatch(r"-\w*c", word.value) for word in words[index:]) and index < len(words):
        if words[index].split:
            raise ValueError(f"`{words[shell].value}` has options in a variable, and its script cannot be read here")
        return None
    if index < len(words):
        return index if takes_script else None
    if any(word.value in ("--version", "--help") for word in words[shell:]):
        return None
    what = "without a script or a file reads commands that are not known here"
    raise ValueError(f"`{words[shell].value}` {what}: {SCRIPT}")


def _behind_options(words: Sequence[Word], index: int, short: str, long: Sequence[str]) -> int:
    while index < len(words) and words[index].value.startswith("-") and words[index].literal:
        option = words[index].value
        index += 1
        if option == "--":
            break
        if option in long or (not option.startswith("--") and option[-1:] in short and len(option) == 2):
            index += 1
    return index
