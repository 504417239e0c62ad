"""An engine for leases alone: its volumes are files in a folder, one that is listed is whole, and all see the same."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

_ENGINE = r"""#!/bin/sh
folder=$(dirname "$0")
[ ! -e "$folder/away" ] || { echo "Cannot connect to the Docker daemon" >&2; exit 1; }
exec 9> "$folder/lock"
flock 9
case "$1 $2" in
  "volume create")
    printf '%s\n' "${4#toolkit.lease=}" > "$folder/volumes/$5"; echo "$5"
    [ ! -e "$folder/leaves" ] || mv "$folder/leaves" "$folder/away";;
  "volume rm") rm "$folder/volumes/$3";;
  "volume ls")
    for file in "$folder/volumes"/*; do
      [ ! -e "$file" ] || sed "s/.*/\"&\" ${file##*/} volume/" "$file"
    done;;
  "ps "*)
    for file in "$folder/containers"/*; do
      [ ! -e "$file" ] || sed 's/.*/"&" - container/' "$file"
    done;;
  *) exit 2;;
esac
"""


class StandIn:
    """The engine as a program at `path`, and what it has."""

    def __init__(self, folder: Path) -> None:
        self.path, self.volumes, self.containers = folder / "engine", folder / "volumes", folder / "containers"
        for one in (folder, self.volumes, self.containers):
            one.mkdir(exist_ok=True)
        self.path.write_text(_ENGINE)
        self.path.chmod(0o755)

    @property
    def program(self) -> str:
        return str(self.path)

    def answers(self, answers: bool) -> None:
        """Whether it does."""
        away = self.path.parent / "away"
        away.unlink(missing_ok=True) if answers else away.touch()

    def leaves_next(self) -> None:
        """It makes one more volume, and is away then."""
        (self.path.parent / "leaves").touch()

    def run_container(self, name: str, label: str) -> None:
        """A container with the label of a lease runs."""
        (self.containers / name).write_text(f"{label}\n")

    def end_container(self, name: str) -> None:
        """It has ended."""
        (self.containers / name).unlink()

    def grow_old(self, token: str, seconds: int) -> None:
        """What is held by volumes was taken or renewed so much earlier."""
        for file in self.volumes.glob(f"toolkit-lease.{token}.*"):
            with suppress(FileNotFoundError):  # the generation before, which its taker removes by the way
                words = file.read_text().split()
                words[2] = str(int(words[2]) - seconds)
                file.write_text(" ".join(words) + "\n")
