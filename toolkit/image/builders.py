"""Docker's two builders: the classic one through docker-py, BuildKit through the CLI. Both give the same files."""

from __future__ import annotations

import re
import tempfile
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from toolkit.child_environment import child_environment
from toolkit.containers.failure import EngineFailure
from toolkit.errors import Code, ToolkitError
from toolkit.image.labels import STAGE
from toolkit.image.stages import Stage
from toolkit.image.store import ImageStore
from toolkit.process import converse
from toolkit.progress import Progress, Report
from toolkit.tar.write import tar_stream

_STEP = re.compile(r"^Step (\d+)/(\d+) : (.*)$", re.DOTALL)
_BUILDKIT_STEP = re.compile(r"^#\d+ \[\s*(?:\S+ )?(\d+)/(\d+)\] (.*)$")
LAST_LINES = 20


class Builder(Protocol):
    """Builds a stage without a network, without a cache, and returns the ID of the result.

    Raises `ToolkitError` (S103) with the last lines of the step that failed; leaves no name behind.
    """

    def build(self, stage: Stage, report: Report) -> str:
        """The ID of the image that the builder created."""


class ClassicBuilder:
    """The engine's own builder."""

    def __init__(self, store: ImageStore) -> None:
        self._store = store

    def build(self, stage: Stage, report: Report) -> str:
        last: deque[str] = deque(maxlen=LAST_LINES)
        step, done, total, made = "sending the context", 0, 0, ""
        report(Progress(stage.reference, step))
        self._drop_leftovers(stage)
        try:
            for event in self._store.engine.build(tar_stream(stage.entries())):
                made = event.get("aux", {}).get("ID", made)
                if "error" in event:
                    raise _build_failed(stage, step, str(event["error"]), last)
                text = str(event.get("stream", "")).rstrip()
                if match := _STEP.match(text):
                    step, done, total = _short(match[3]), int(match[1]), int(match[2])
                    report(Progress(stage.reference, step, done - 1, total))
                    last.clear()
                elif text and not text.startswith((" ---> ", "Removing intermediate")):
                    last.extend(text.splitlines())
        except (EngineFailure, OSError) as error:
            self._drop_leftovers(stage)
            raise _build_failed(stage, step, str(error), last) from error
        except BaseException:
            self._drop_leftovers(stage)
            raise
        return str(made)

    def _drop_leftovers(self, stage: Stage) -> None:
        """What a build that failed or was killed left of this very stage: its context may be gigabytes."""
        self._store.engine.prune_dangling(f"{STAGE}={stage.reference}")


class BuildKitBuilder:
    """BuildKit, part of the engine since 18.09, which only the CLI can use."""

    def build(self, stage: Stage, report: Report) -> str:
        report(Progress(stage.reference, "sending the context"))
        with tempfile.TemporaryDirectory() as folder:
            id_file = Path(folder) / "image-id"
            argv = ["docker", "build", "--network", "none", "--no-cache", "--progress", "plain", "--force-rm"]
            argv += ["--iidfile", str(id_file), "-"]
            seen = _BuildKitLines(stage, report)
            environment = {**child_environment("docker"), "DOCKER_BUILDKIT": "1"}
            status = converse(argv, tar_stream(stage.entries()), seen.line, environment=environment)
            if status != 0 or not id_file.is_file():
                raise _build_failed(stage, seen.step, f"exit status {status}", seen.last)
            return id_file.read_text().strip()


class _BuildKitLines:
    """What BuildKit prints: each step is reported when it begins, the last lines are kept for an error."""

    def __init__(self, stage: Stage, report: Report) -> None:
        self._stage, self._report = stage, report
        self.step, self.last = "sending the context", deque[str](maxlen=LAST_LINES)

    def line(self, text: str) -> None:
        self.last.append(text)
        if match := _BUILDKIT_STEP.match(text):
            self.step = _short(match[3])
            self._report(Progress(self._stage.reference, self.step, int(match[1]) - 1, int(match[2])))


def builder_named(name: str, store: ImageStore) -> Builder:
    """`classic` or `buildkit`."""
    return BuildKitBuilder() if name == "buildkit" else ClassicBuilder(store)


def _short(step: str) -> str:
    """A step in one line, without our own `{#` comments and continuation lines."""
    return " ".join(step.split())[:100]


def _build_failed(stage: Stage, step: str, error: str, last: Iterable[str]) -> ToolkitError:
    evidence = "\n".join([*last, error])
    return ToolkitError(
        Code.IMAGE,
        f"building {stage.reference} failed at: {step}",
        evidence=evidence,
        hint="free some disk space (docker system df), then build again"
        if "no space left" in evidence
        else "the image was not tagged; fix the step and build again",
    )
