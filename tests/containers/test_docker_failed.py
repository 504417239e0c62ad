"""What docker says when it fails, as an error that says whether the engine or the request is to blame."""

from __future__ import annotations

import pytest

from toolkit.containers.engine import LOCAL
from toolkit.errors import ToolkitError
from toolkit.process import Result


@pytest.mark.parametrize(
    "said",
    [
        "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
        "permission denied while trying to connect to the Docker daemon socket",
        "docker: no such command on this machine",
        "docker: unknown server OS: .\nSee 'docker run --help'.",
        'template: :1:2: executing "" at <.DockerRootDir>: reflect: indirection through nil pointer to embedded struct '
        "field Info",
        'docker: Error response from daemon: invalid mount config for type "bind": bind source path does not exist: '
        "/var/run/docker.sock.\nSee 'docker run --help'.",
        'error during connect: Post "http://docker/v1.41/containers/create": EOF',
    ],
)
def test_an_engine_that_does_not_answer_is_reported_with_how_to_start_it(said: str) -> None:
    error = LOCAL.failed(Result(("docker", "ps"), 1, "", said))
    assert (error.code.label, error.what) == ("S100", "no container engine answers on this machine")
    assert error.evidence == said
    assert "sudo systemctl start docker" in error.hint


def test_a_refused_request_is_named_by_its_verb_alone() -> None:
    argv = ("docker", "volume", "create", "--label", "x", "name")
    error = LOCAL.failed(Result(argv, 1, "said on stdout", ""))
    assert error.what == "`docker volume create` failed on this machine"
    assert (error.code.label, error.evidence) == ("S100", "said on stdout")


@pytest.mark.parametrize(
    "said",
    [
        "Error: No such container: toolkit-x-agent",
        "Error response from daemon: Container 7a11 is not running",
        "cannot exec in a stopped state: unknown",
        "OCI runtime exec failed: exec failed: cannot exec a container that has stopped: unknown",
    ],
)
def test_a_container_that_ends_is_gone(said: str) -> None:
    error = LOCAL.failed(Result(("docker", "exec"), 126, "", said))
    assert (error.context["reason"], error.evidence) == ("container gone", said)


def test_a_command_killed_in_a_container_was_killed_with_it() -> None:
    error = LOCAL.failed(Result(("docker", "exec", "--interactive", "toolkit-x-agent", "cat"), 137, "half", ""))
    assert error.what == "a container of the tool on this machine is gone: it was killed, or the engine was stopped"
    assert error.context["reason"] == "container gone"


def test_a_client_that_is_killed_says_nothing_about_a_container() -> None:
    error = LOCAL.failed(Result(("docker", "load", "--input", "x"), 137, "", "half"))
    assert error.what == "`docker load --input` failed on this machine"


def test_the_end_of_a_long_story_is_kept() -> None:
    error = LOCAL.failed(Result(("docker", "run"), 1, "", "x" * 5000 + "the reason"))
    assert error.evidence.endswith("the reason")
    assert len(error.evidence) == 2000


def test_a_failure_is_raised_only_where_it_matters() -> None:
    assert LOCAL.run(["docker", "no-such-verb"], check=False).status == 1
    with pytest.raises(ToolkitError, match="`docker no-such-verb` failed on this machine"):
        LOCAL.run(["docker", "no-such-verb"])
