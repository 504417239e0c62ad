"""`toolkit.api`: what a notebook can call, without the command line."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from toolkit import api
from toolkit.errors import ToolkitError
from toolkit.manifest.starter import Wishes
from toolkit.paths import assets
from toolkit.progress import Progress
from toolkit.run.follow.events import Line
from toolkit.run.follow.view import Choice, SilentView

EXAMPLE = assets() / "examples" / "mnist" / "manifest.yml"
CORPUS = assets() / "tests" / "manifest" / "corpus"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of the test's own, and no engine to ask."""
    monkeypatch.setenv("TOOLKIT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no-engine")
    return tmp_path / "home"


def function(name: str) -> Callable[..., Any]:
    found: Callable[..., Any] = getattr(api, name)
    return found


@pytest.mark.parametrize("name", api.__all__)
def test_each_name_is_a_documented_function_of_its_module(name: str) -> None:
    found = function(name)
    assert (inspect.isfunction(found), found.__name__) == (True, name)
    assert found.__module__.startswith("toolkit.api.")
    assert getattr(importlib.import_module(found.__module__), name) is found
    assert all(parameter.annotation for parameter in inspect.signature(found).parameters.values())


@pytest.mark.parametrize("name", api.__all__)
def test_each_function_has_an_example_that_calls_it_as_it_can_be_called(name: str) -> None:
    examples = doctest.DocTestParser().get_examples(inspect.getdoc(function(name)) or "")
    calls = [
        node
        for example in examples
        for node in ast.walk(ast.parse(example.source))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) == "api"
    ]
    assert [call.func.attr for call in calls if isinstance(call.func, ast.Attribute)] == [name]
    inspect.signature(function(name)).bind(*calls[0].args, **{str(word.arg): word.value for word in calls[0].keywords})


def test_every_function_that_a_module_lists_is_offered() -> None:
    assert sorted(api._MODULE_OF) == api.__all__ == dir(api)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'lunch'"):
        _ = api.lunch  # type: ignore[attr-defined]


def test_importing_it_loads_no_engine_client_and_no_storage_client() -> None:
    program = (
        "import sys\nfrom toolkit import api\napi.find_run\n"
        "print([name for name in ('docker', 'rich', 'toolkit.image.build') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_warnings_of_a_manifest_are_reported_and_nothing_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    reported: list[Progress] = []
    planned = api.plan_launch(EXAMPLE, report=reported.append)
    assert [step.note for step in reported] == []
    assert [tuple(learner.ranks) for learner in planned.plan.learners] == [(0,), (1,)]
    assert planned.image_note.endswith("not built here; the lines below lack the variables that it sets")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("cluster", ["local.yml", "lab-p100.yml"])
def test_results_on_the_hosts_disk_are_refused_for_several_hosts_before_anything_starts(
    tmp_path: Path, cluster: str
) -> None:
    (tmp_path / "fit.py").write_text("")
    manifest = tmp_path / "manifest.yml"
    manifest.write_text(
        (CORPUS / "good" / "canonical-written-locally.yml").read_text().replace("k80", "p100, nodes: 2")
    )
    clusters = assets() / "clusters"
    if cluster == "local.yml":  # all learners are on this machine
        assert len(api.plan_launch(manifest, cluster=clusters / cluster).plan.learners) == 2
        return
    for act in (api.plan_launch, api.launch):
        with pytest.raises(ToolkitError) as caught:
            act(manifest, cluster=clusters / cluster)
        assert (caught.value.code.label, caught.value.hint.startswith("remove `write: local`")) == ("C104", True)
    manifest.write_text(manifest.read_text().replace("nodes: 2", "nodes: 1"))
    assert api.plan_launch(manifest, cluster=clusters / cluster).plan.write_local


def test_many_manifests_are_checked_whatever_the_first_is() -> None:
    wrong, good = CORPUS / "bad" / "ffdl-learner.yml", CORPUS / "good" / "wml.yml"
    (_, first), (file, second) = api.check_manifests([wrong, good])
    assert isinstance(first, ToolkitError)
    assert first.code.label == "C101"
    assert not isinstance(second, ToolkitError)
    assert (file, second.dialect) == (good, "wml")


def test_a_first_manifest_is_written_only_where_its_values_are_right(tmp_path: Path) -> None:
    wishes = Wishes(
        *("digits", "tensorflow-ddl", "2.19", "3.11", "python train.py", "p100", 2),
        *("embedded", "digits-data", "digits-results"),
    )
    file = tmp_path / "manifest.yml"
    api.write_manifest(file, wishes)
    assert api.check_manifest(file).manifest.name == "digits"
    with pytest.raises(ToolkitError, match="already exists"):
        api.write_manifest(file, wishes)
    other = tmp_path / "other.yml"
    with pytest.raises(ToolkitError, match="tensorflow-ddl"):
        api.write_manifest(other, Wishes(**{**vars(wishes), "framework_version": "99.1"}))
    assert not other.exists()


def test_where_nothing_was_launched_there_is_no_run() -> None:
    assert api.list_runs().runs == ()
    with pytest.raises(ToolkitError, match="no runs are recorded here yet"):
        api.find_run()
    with pytest.raises(ToolkitError, match="training-9itkb8gw"):
        api.collect("training-9itkb8gw")


def test_the_id_file_is_not_written_for_a_manifest_that_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(ToolkitError):
        api.launch(CORPUS / "bad" / "ffdl-learner.yml", id_file=tmp_path / "id")
    assert not (tmp_path / "id").exists()


def test_a_view_that_shows_nothing_stops_the_run_at_an_interrupt_unless_asked_to_detach() -> None:
    view = SilentView()
    view.line(Line("[0] loss 0.1", 0.0))
    assert (view.interrupted(), SilentView(Choice.DETACH).interrupted()) == (Choice.STOP, Choice.DETACH)
