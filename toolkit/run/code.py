"""The submitted code: the folder beside the manifest, without what is no code."""

from __future__ import annotations

from pathlib import Path

from toolkit.errors import Code, ToolkitError

_LEFT_OUT = {".git", ".venv", ".tox", "__pycache__", "node_modules", ".ipynb_checkpoints"}
MAX_BYTES = 512 << 20


def read_code(folder: Path, manifest: Path) -> tuple[tuple[str, Path], ...]:
    """The files of `folder`, each with its path below it; the manifest is left out, for keys may stand in it.

    Raises `ToolkitError` (C102) where there is none, where it is too large to be code, or where a link leads out.
    """
    if not folder.is_dir():
        raise ToolkitError(Code.CODE, f"{folder}: no such folder of code", mend="name one with --code FOLDER")
    found: list[tuple[str, Path]] = []
    total = 0
    for file in sorted(folder.rglob("*")):
        below = file.relative_to(folder)
        if file.is_symlink() and not file.is_file() and not _LEFT_OUT & set(below.parts):
            raise ToolkitError(
                Code.CODE, f"{file} links to a folder or to nothing: links are not followed", mend="copy what it means"
            )
        if _LEFT_OUT & set(below.parts) or not file.is_file() or file.resolve() == manifest.resolve():
            continue
        if not file.resolve().is_relative_to(folder.resolve()):
            raise ToolkitError(Code.CODE, f"{file} is a link that leads out of {folder}", mend="copy the file there")
        total += file.stat().st_size
        if total > MAX_BYTES:
            raise ToolkitError(
                Code.CODE,
                f"{folder} holds more than {MAX_BYTES >> 20} MiB: that is no code",
                mend="put data into the data bucket, or name the code's own folder with --code FOLDER",
            )
        found.append((below.as_posix(), file))
    if not found:
        raise ToolkitError(Code.CODE, f"{folder} holds no code", mend="name the code's folder with --code FOLDER")
    return tuple(found)
