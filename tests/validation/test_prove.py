"""Which programs run in an image, how, and what their answers mean."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.process import Result
from toolkit.validation import validate as module
from toolkit.validation.model import TOOL_IMAGE, Expectation, Finding
from toolkit.validation.validate import Check, checks, finding_of, read_reply, run_inside, skipped

CPU = Expectation("tensorflow", "2.19", "3.11", has_mpi4py=True)
FULL = Expectation("tensorflow", "2.19", "3.11", has_ddl=True, has_mpi4py=True, has_ops=True, architectures=("sm_60",))
CHECK = Check("framework", "prove.py", ("framework", "{}"), 300)
JSON = st.recursive(st.none() | st.booleans() | st.text(), lambda of: st.dictionaries(st.sampled_from(["ok", "x"]), of))


def test_what_runs_inside_has_no_rights_no_network_and_no_disk() -> None:
    assert run_inside("sha256:abc", "toolkit-proof-1", ("framework", '{"a": 1}')) == [
        *("docker", "run", "--rm", "--interactive", "--init", "--pull", "never"),
        *("--name", "toolkit-proof-1", "--label", "toolkit.run=toolkit-proof-1", "--user", "61000:61000"),
        *("--network", "none", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--pids-limit", "4096"),
        *("--read-only", "--tmpfs", "/tmp:mode=1777,size=1g", "--shm-size", "1g"),
        *("--env", "HOME=/tmp", "--env", "CUDA_VISIBLE_DEVICES=", "--workdir", "/tmp"),
        *("--entrypoint", "python", "sha256:abc", "-", "framework", '{"a": 1}'),
    ]


@pytest.mark.parametrize(
    ("expectation", "names", "left_out"),
    [
        (CPU, ["framework", "ranks"], ["ddl", "ddl ops", "GPU code"]),
        (FULL, ["framework", "ranks", "ddl", "ddl ops", "GPU code"], []),
        (TOOL_IMAGE, [], ["framework", "ranks", "ddl", "ddl ops", "GPU code"]),
    ],
)
def test_every_check_is_carried_out_or_skipped_for_the_recipes_sake(
    expectation: Expectation, names: list[str], left_out: list[str]
) -> None:
    assert [check.name for check in checks(expectation)] == names
    assert [finding.check for finding in skipped(expectation)] == left_out
    assert all(finding.verdict == "skipped" and finding.said for finding in skipped(expectation))


def test_the_programs_are_there_and_get_what_is_expected() -> None:
    inside = Path(module.__file__).parent / "in_container"
    for check in checks(FULL):
        assert (inside / check.program).is_file()
    asked = json.loads(next(checks(FULL)).arguments[1])
    assert (asked["framework"], asked["version"], asked["python"]) == ("tensorflow", "2.19", "3.11")
    assert asked["has_mpi4py"] is True
    assert asked["rank_program"] == (inside / "rank.py").read_text()


def test_a_check_inside_ends_before_its_container_is_killed() -> None:
    asked = json.loads(next(checks(FULL)).arguments[1])
    assert all(asked["seconds"] < check.seconds <= 300 for check in checks(FULL))


def reply(output: str, status: int = 0, errors: str = "") -> object:
    return read_reply(CHECK, Result(("docker",), status, output, errors))


def test_the_last_line_that_is_an_object_is_the_reply() -> None:
    assert reply('{"ok": false}\nnoise\n{"ok": true, "said": "x"}\n{half\n{"ok": true}\nnoise\n') == {
        "ok": True,
        "said": "x",
    }


@pytest.mark.parametrize(
    ("output", "status", "errors", "said"),
    [
        ("", 124, "no answer in 300 s", "no answer in 300 s\nno answer in 300 s"),
        ("", 127, 'exec: "python": not found', 'the image\'s `python` could not be started\nexec: "python": not found'),
        ("loading\n", 132, "", "Python was ended by SIGILL\nloading"),
        ("", 137, "", "Python was ended by SIGKILL"),
        ("", 255, "", "Python was ended by signal 127"),
        ("", 1, "SyntaxError: x\n", "Python ended with status 1 (no output)\nSyntaxError: x"),
        ("[1, 2]\n", 0, "", "Python ended with status 0 (no output)\n[1, 2]"),
    ],
)
def test_no_reply_is_a_failure_with_its_evidence(output: str, status: int, errors: str, said: str) -> None:
    assert reply(output, status, errors) == said
    assert finding_of(CHECK, said, CPU) == (Finding("framework", "fail", said),)


@given(st.text() | JSON.map(json.dumps), st.integers(0, 255), st.text())
def test_no_output_makes_the_proof_fall(output: str, status: int, errors: str) -> None:
    said = read_reply(CHECK, Result(("docker",), status, output, errors))
    (finding,) = finding_of(CHECK, said, CPU)
    assert finding.verdict == "fail"


def test_a_reply_is_a_finding() -> None:
    assert finding_of(CHECK, {"ok": True, "said": "x"}, CPU) == (Finding("framework", "ok", "x"),)
    assert finding_of(CHECK, {"ok": False, "said": "x"}, CPU) == (Finding("framework", "fail", "x"),)


def test_gpu_code_is_judged_here() -> None:
    check = Check("GPU code", "fatbin.py", ("/",), 300, "libraries")
    library = {"path": "/x/libcudnn_ops.so.9", "cubins": [75], "ptx": [], "damaged": ""}
    (finding,) = finding_of(check, {"libraries": [library]}, FULL)
    assert (finding.verdict, finding.said) == ("fail", "/x/libcudnn_ops.so.9 has no code for sm_60; it has sm_75")
