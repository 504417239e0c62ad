"""Whether this container has had as many processes and threads as it may: then nothing new could start. Python 3.5."""

import os
from typing import Tuple

GROUPS = ("/sys/fs/cgroup/pids", "/sys/fs/cgroup")  # control groups of version 1, of version 2


def limit_met(groups: Tuple[str, ...] = GROUPS) -> int:
    """The limit, where a process or thread was refused for it; 0 where none was, or the kernel does not say."""
    for group in groups:
        try:
            with open(os.path.join(group, "pids.events")) as file:
                words = file.read().split()
            with open(os.path.join(group, "pids.max")) as file:
                limit = file.read().strip()
        except OSError:
            continue
        refused = words[words.index("max") + 1] if "max" in words[:-1] else "0"
        if refused != "0" and limit.isdigit():
            return int(limit)
    return 0
