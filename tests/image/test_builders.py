"""BuildKit's steps, from a stand-in for Docker's CLI that prints them as it does."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolkit.errors import ToolkitError
from toolkit.image.builders import BuildKitBuilder
from toolkit.image.stages import Stage
from toolkit.progress import Progress

STAGE = Stage("environment:1", "base:1", "FROM base:1\nRUN one\nRUN two\n", (), ("/opt",), "")
DOCKER = """#!/bin/sh
# Prints the second step only after the first has been reported.
cat > "$0.context"
while [ $# -gt 0 ]; do [ "$1" = --iidfile ] && ids=$2; shift; done
echo '#1 [internal] load build definition from Dockerfile' >&2
echo '#5 [1/3] FROM docker.io/library/base:1' >&2
echo '#6 [2/3] RUN one' >&2
tries=0
until [ -e "$0.reported" ] || [ $tries -gt 300 ]; do sleep 0.1; tries=$((tries + 1)); done
[ -e "$0.reported" ] || exit 9
echo '#6 0.2 said by one' >&2
echo '#7 [3/3] RUN two' >&2
[ -e "$0.fails" ] && { echo '#7 0.1 no such file' >&2; exit 1; }
printf sha256:abc > "$ids"
"""


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "docker"
    file.write_text(DOCKER)
    file.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return file


def test_each_step_is_reported_while_it_runs(docker: Path) -> None:
    seen: list[Progress] = []

    def report(step: Progress) -> None:
        seen.append(step)
        if step.detail == "RUN one":
            docker.with_name("docker.reported").touch()

    assert BuildKitBuilder().build(STAGE, report) == "sha256:abc"
    assert [(one.detail, one.done, one.total) for one in seen] == [
        ("sending the context", 0, 0),
        ("FROM docker.io/library/base:1", 0, 3),
        ("RUN one", 1, 3),
        ("RUN two", 2, 3),
    ]
    assert {one.stage for one in seen} == {"environment:1"}
    assert b"RUN two" in docker.with_name("docker.context").read_bytes()


def test_the_step_that_failed_is_named_with_the_last_lines(docker: Path) -> None:
    for name in ("reported", "fails"):
        docker.with_name(f"docker.{name}").touch()
    with pytest.raises(ToolkitError) as caught:
        BuildKitBuilder().build(STAGE, lambda _: None)
    assert caught.value.what == "building environment:1 failed at: RUN two"
    assert caught.value.evidence.splitlines()[-3:] == ["#7 [3/3] RUN two", "#7 0.1 no such file", "exit status 1"]
