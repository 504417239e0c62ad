"""In a learner, the first command of a run on an earlier run's checkpoint: RESULT_DIR becomes what it was when that
checkpoint was the newest, so that the later commands find it where they expect it.

    take_checkpoint.py PLAN

PLAN is a JSON file: `leave`, files and folders of RESUME_DIR that are not copied; `states`, the contents of
TensorFlow's lists of checkpoints, by their paths. It is one file and needs nothing but Python 2.7: the image is old
where the framework is.
"""

import io
import json
import os
import shutil
import sys


def main():
    """Copy from RESUME_DIR to RESULT_DIR."""
    with io.open(sys.argv[1], encoding="utf-8") as file:
        plan = json.load(file)
    source, target = os.environ["RESUME_DIR"], os.environ["RESULT_DIR"]
    leave = set(plan["leave"])
    if not os.path.exists(os.path.join(source, "_run", "record.json")):
        leave.add("record.json")  # the training's own; where that is in _run, this one is a program's
    count = copy(source, target, leave)
    for name, text in plan["states"].items():
        path = os.path.join(target, name)
        if not os.path.isdir(os.path.dirname(path)):
            os.makedirs(os.path.dirname(path))
        with io.open(path, "w", encoding="utf-8") as file:
            file.write(text)
    print("%s: %d files of %s" % (os.environ.get("CHECKPOINT", ""), count, os.path.basename(source)))


def copy(source, target, leave):
    """Copy the regular files that `leave` does not name; returns their number."""
    count = 0
    for folder, folders, files in os.walk(source):
        below = os.path.relpath(folder, source)
        folders[:] = [name for name in folders if named(below, name) not in leave]
        for name in files:
            path = os.path.join(target, below, name)
            if named(below, name) in leave or os.path.islink(os.path.join(folder, name)):
                continue
            if not os.path.isdir(os.path.dirname(path)):
                os.makedirs(os.path.dirname(path))
            shutil.copyfile(os.path.join(folder, name), path)
            count += 1
    return count


def named(below, name):
    """A file's path below RESUME_DIR."""
    return name if below == "." else "%s/%s" % (below, name)


if __name__ == "__main__":
    main()
