"""`${file:PATH}`: a file that only its owner may read."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from toolkit.secrets.secret import Secret
from toolkit.secrets.source import (
    LARGEST_KEY_FILE,
    KeySource,
    Lookup,
    Surroundings,
    leads_nowhere,
    open_unblocked,
    short_text,
)


class PrivateFile(KeySource):
    """A file with one key in it; `~` is the operator's home."""

    kind = "file"
    takes_name = True
    spelling = "${file:PATH}"

    def secret(self, name: str, _lookup: Lookup) -> Secret:
        """The file's content without surrounding blanks; refuses a file that others can read."""
        try:
            path = Path(name).expanduser()
            with open_unblocked(path) as file:
                found = os.fstat(file.fileno()).st_mode
                if not stat.S_ISREG(found):
                    raise leads_nowhere(self.kind, name, "not a file")
                mode = stat.S_IMODE(found)
                if mode & 0o077:
                    why = f"others may read this file (mode {mode:04o})"
                    raise leads_nowhere(self.kind, name, why, f"chmod 600 {path}")
                text = file.read(LARGEST_KEY_FILE + 1).decode("utf-8")
                if len(text) > LARGEST_KEY_FILE:
                    raise leads_nowhere(self.kind, name, "too large for a key", "put only the key into the file")
                return Secret(text.strip())
        except OSError as error:
            raise leads_nowhere(self.kind, name, str(error.strerror)) from None
        except UnicodeDecodeError:
            why = "the file holds more than a key: it is no text"
            raise leads_nowhere(self.kind, name, why) from None
        except RuntimeError as error:  # from expanduser: no such user
            raise leads_nowhere(self.kind, name, str(error)) from None

    def key_files(self, name: str) -> Iterable[str]:
        """The file."""
        return (name,)

    def within_reach(self, name: str, around: Surroundings) -> Iterable[Secret]:
        """The file's content, for each folder that a relative name may start from."""
        texts = (short_text(folder / Path(name).expanduser()) for folder in around.folders)
        return [Secret(text) for text in texts if text]
