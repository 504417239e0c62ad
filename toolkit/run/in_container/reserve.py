"""Room on the disk for the last words of a run whose program has filled it. Python 3.5."""

import os

BYTES = 1 << 18


class Reserve:
    """A file of `BYTES` that is given up once: then a full disk has room for them again."""

    def __init__(self, file: str) -> None:
        self._file = file
        try:
            with open(self._file, "wb") as stream:
                stream.write(os.urandom(BYTES))  # random: nothing that a file system could compress away
        except OSError:
            pass  # a disk that is full from the start

    def release(self) -> bool:
        """Whether there is more room now."""
        try:
            os.unlink(self._file)
        except OSError:
            return False
        return True
