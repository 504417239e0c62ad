"""Run one command: load its module, print its errors, turn its outcome into an exit status."""

from __future__ import annotations

import argparse
import gc
import importlib
import io
import json
import os
import sys

from toolkit import interrupts
from toolkit.cli.terminal import beneath, neutral_threads
from toolkit.errors import INTERRUPTED, Code, ToolkitError

_MODULES = {"retry": "launch", "resume": "launch"}
"""Commands that share another's module; each of the others has one of its own name."""
_OBJECTS = 20_000
"""New objects after which Python looks for unused cycles: with its own 700, half of them are modules being imported."""


def dispatch(arguments: argparse.Namespace) -> int:
    """Run the command's module; users' errors are printed without a traceback, our own with one."""
    # A closed terminal or a `kill` must clean up as Ctrl-C does.
    interrupts.heed()
    neutral_threads()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream := beneath(stream), io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a rank may print what this terminal cannot show
    try:
        gc.disable()  # what is imported stays: to look through it takes a tenth of a short command's time
        module = importlib.import_module(f"toolkit.cli.{_MODULES.get(arguments.verb, arguments.verb)}")
        gc.freeze()
        gc.set_threshold(_OBJECTS)
        gc.enable()
        return int(module.run(arguments))
    except ToolkitError as error:
        print_error(error, as_json=arguments.json)
        return error.code.exit_status
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output is gone (`| head`); Python would report it again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        # A folder that is not writable, a full disk: the system's message says it all.
        print_error(ToolkitError(Code.RESOURCES, str(error)), as_json=arguments.json)
        return Code.RESOURCES.exit_status
    finally:
        gc.freeze()  # Python would look through everything once more before it exits


def print_error(error: ToolkitError, *, as_json: bool) -> None:
    """Print the error to standard error; with `as_json`, also as one object to standard output."""
    if as_json:
        print(json.dumps(error.as_json()).replace("\x7f", "\\u007f"))
    print(f"toolkit: error {error}", file=sys.stderr)
