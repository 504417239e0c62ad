"""Checks the run's own files in the folder of logs while commands run, because the program can write there too.

A program that replaces them gains nothing, but may keep the run from ending: a rank's wrapper that writes its status
into a FIFO blocks forever.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from toolkit.agent.untrusted import NotRegular, Replacements, check_regular, names_in, opened_folder

_MOST = 1 << 16
_OWN = (
    ("", re.compile(r"output\.log|status\.json")),
    ("ranks", re.compile(r"\d{1,6}\.\d{1,6}")),
    ("weights", re.compile(r"\d{1,6}\.jsonl")),
)
_LEARNER = re.compile(r"learner-\d{1,6}")
_LOG = re.compile(r"training-log\.txt")


def look(logs: Path, found: Replacements) -> None:
    """Note whatever has replaced the run's own files below `logs`."""
    for folder, names in (*_OWN, *((one, _LOG) for one in learners_in(logs, found))):
        with found.noting(), opened_folder(logs, folder) as above:
            for entry in names_in(above, names, _MOST):
                with found.noting():
                    about = os.stat(entry, dir_fd=above, follow_symlinks=False)
                    check_regular(f"{folder}/{entry}".lstrip("/"), about)


def learners_in(logs: Path, found: Replacements) -> list[str]:
    """The folders of learners' logs; notes anything of that name that is not a folder."""
    learners: list[str] = []
    with found.noting(), opened_folder(logs) as above:
        for name in names_in(above, _LEARNER, _MOST):
            with found.noting():
                if not stat.S_ISDIR(os.stat(name, dir_fd=above, follow_symlinks=False).st_mode):
                    raise NotRegular(f"{name} is not a directory")
                learners.append(name)
    return sorted(learners)
