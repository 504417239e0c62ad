"""What is not code, by its name: history and caches, editors' copies, places where keys are kept. Pure.

Users exclude more in `.toolkitignore`, in gitignore's syntax; its `!pattern` submits what is left out here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from pathspec import GitIgnoreSpec

from toolkit.errors import Code, Place, Problem, ToolkitError
from toolkit.validation.leaks import keeps_credentials

IGNORE_FILE = ".toolkitignore"
NO_CODE, COPY, KEYS, IGNORED = "no code", "an editor's copy", "contains keys", IGNORE_FILE
MAX_BYTES = 64 << 10

_BY_REASON = {
    NO_CODE: (
        *(".git", ".hg", ".svn", ".venv", ".tox", ".nox", "__pycache__", "node_modules", ".ipynb_checkpoints"),
        *(".mypy_cache", ".pytest_cache", ".ruff_cache", ".ds_store"),
    ),
    COPY: ("*~", ".*.sw[a-p]", r"\#*#", ".#*", "*.bak", "*.orig"),
    KEYS: (
        *(".env", ".env.*", ".env[-_]*", "*.env", ".envrc", ".aws", ".azure", ".ssh", ".gnupg", ".kube"),
        *(".toolkit", ".gcloud", ".kaggle", ".huggingface", "**/.config/gcloud", "**/.config/rclone"),
        *(".netrc", "_netrc", ".git-credentials", ".dockercfg", ".dockerconfigjson", ".pypirc", ".npmrc", ".pgpass"),
        *(".my.cnf", ".s3cfg", ".boto", "rclone.conf", "kubeconfig", "*.kubeconfig", "kaggle.json"),
        *("credentials", "credentials.json", "credentials.csv", "accesskeys.csv", "rootkey.csv"),
        *("application_default_credentials.json", "secrets.yml", "secrets.yaml", "secrets.json", "secrets.toml"),
        *("*.key", "*.ppk", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx"),
        *("id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", "ssh_host_*_key", "!*.pub"),
    ),
}
"""In lower case, whatever the case of a file's name."""
_SPECS = {reason: GitIgnoreSpec.from_lines(patterns) for reason, patterns in _BY_REASON.items()}
_SSH_KEY = re.compile(r"id_[^.]+")


class Rules:
    """What is left out of a folder, and why. `lines` are those of its `.toolkitignore`."""

    def __init__(self, lines: Sequence[str] = ()) -> None:
        self._own = GitIgnoreSpec.from_lines(lines)
        self._takes_back = any(line.startswith("!") for line in lines)

    def reason(self, name: str, *, is_folder: bool = False) -> str:
        """Why the file or folder `name` (below the code folder) is left out; empty if it is submitted."""
        own = self._own.check_file(f"{name}/" if is_folder else name).include
        if own is not None:
            # A later line may include files in a folder again.
            return IGNORED if own and not (is_folder and self._takes_back) else ""
        if is_folder and self._takes_back and default_reason(name, is_folder=True) != NO_CODE:
            return ""
        return default_reason(name, is_folder=is_folder)

    def submits(self, name: str) -> bool:
        """Whether a `!pattern` asks for this very file."""
        return self._own.check_file(name).include is False


def default_reason(name: str, *, is_folder: bool = False) -> str:
    """Why `name` is left out by default; empty if it is submitted."""
    folded = name.lower()
    shape = f"{folded}/" if is_folder else folded
    for reason, spec in _SPECS.items():
        if spec.match_file(shape):
            return reason
    if is_folder:
        return ""
    return KEYS if _SSH_KEY.fullmatch(folded.rpartition("/")[2]) or keeps_credentials(folded) else ""


def read_rules(folder: Path) -> Rules:
    """The rules of a folder of code; raises `ToolkitError` (C102) if its `.toolkitignore` cannot be read."""
    file = folder / IGNORE_FILE
    if not file.is_file() and not file.is_dir():
        return Rules()  # a broken link or a pipe is reported by the code's own check
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
        lines = data.decode("utf-8-sig").splitlines()
    except OSError as error:
        raise ToolkitError(Code.CODE, f"{file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ToolkitError(Code.CODE, f"{file} is not UTF-8 text") from None
    if len(data) > MAX_BYTES:
        raise ToolkitError(Code.CODE, f"{file}: larger than {MAX_BYTES >> 10} KiB; is it the right file?")
    problems = tuple(filter(None, (_problem(file, number, line) for number, line in enumerate(lines, 1))))
    if problems:
        raise ToolkitError(Code.CODE, f"{file} has invalid patterns", problems)
    return Rules(lines)


def _problem(file: Path, number: int, line: str) -> Problem | None:
    try:
        GitIgnoreSpec.from_lines([line])
    except ValueError:
        return Problem("not a gitignore pattern", Place(str(file), number, 1), source_line=line)
    return None
