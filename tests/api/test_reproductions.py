"""What a record may decide: for a run of this machine only what was launched; what is not as recorded is named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.run.document.sample import CODE_FILES, RUN, document, manifest
from tests.run.document.stored import StoredRun, on_this_machine
from tests.storage.stand_in_s3 import StandInS3, standing_in
from toolkit.agent.run_document import document_bytes
from toolkit.api import recorded_orders, reproductions, run_records
from toolkit.api.launch_plan import plan_launch
from toolkit.api.orders import packages_of, read_order
from toolkit.api.recorded_orders import Asked, recorded
from toolkit.api.reproductions import check_reproduction, compare_runs, reproduce
from toolkit.errors import Code, ToolkitError
from toolkit.image.store import ImageStore
from toolkit.manifest.deterministic import deterministic
from toolkit.manifest.reader import read_manifest
from toolkit.manifest.write import canonical_text
from toolkit.paths import assets
from toolkit.progress import Progress, silent
from toolkit.run.comparison.outcome import Verdict
from toolkit.run.document.model import read_document
from toolkit.run.plan.code_listing import Listed, code_digest
from toolkit.run.plan.run_plan import RunImage
from toolkit.storage.open_storage import Opened


@pytest.fixture(scope="module")
def server() -> Iterator[StandInS3]:
    with standing_in() as server:
        yield server


@pytest.fixture
def run(server: StandInS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StoredRun:
    """The sample, known here."""
    return on_this_machine(server, tmp_path / "home", monkeypatch)


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The sample's crate on a machine that has nothing else; its record."""
    monkeypatch.setenv("TOOLKIT_HOME", str(tmp_path / "empty"))
    monkeypatch.setattr(ImageStore, "find", lambda *_: None)

    @contextmanager
    def opened(*_: object, **__: object) -> Iterator[Opened]:
        yield Opened({})

    monkeypatch.setattr(recorded_orders, "_opened", opened)
    for name, data in CODE_FILES.items():
        file = tmp_path / "crate" / "code" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        file.chmod(0o755 if name.endswith(".sh") else 0o644)
    return written(tmp_path / "crate" / "record.json", document())


def written(file: Path, values: dict) -> Path:
    file.write_bytes(document_bytes(values))
    return file


def test_a_run_of_this_machine_is_launched_again_with_what_was_launched(run: StoredRun) -> None:
    found = recorded(Asked(RUN))
    assert found.manifest.parent == run.home / "manifests"
    assert found.own and found.own.training_id == RUN


def test_whoever_can_write_to_the_bucket_does_not_choose_what_runs_here(run: StoredRun) -> None:
    values = json.loads(run.data("record.json"))
    values["manifest"]["model_definition"]["execution"]["steps"][0]["command"] = "python steal.py"
    run.put("record.json", document_bytes(values))
    with pytest.raises(ToolkitError, match="manifest: not what this machine launched"):
        recorded(Asked(RUN))
    (run.home / "runs" / f"{RUN}.launched").unlink()
    with pytest.raises(ToolkitError, match="the record's manifest was not used") as refused:
        recorded(Asked(RUN))
    assert "--manifest" in refused.value.hint
    assert not (run.home / "manifests").exists()


def test_the_manifest_that_was_launched_is_used_while_it_says_the_same(
    run: StoredRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "own.yml"
    file.write_text(canonical_text(manifest()))
    records = run.home / "runs" / f"{RUN}.json"
    records.write_text(records.read_text().replace('"/m.yml"', json.dumps(str(file))))
    assert recorded(Asked(RUN)).manifest == file
    file.write_text(file.read_text().replace("nodes: 2", "nodes: 3"))
    assert recorded(Asked(RUN)).manifest.parent == run.home / "manifests"


def test_code_that_is_not_the_recorded_list_is_refused(elsewhere: Path) -> None:
    values = document()
    values["code"]["files"][0]["sha256"] = "0" * 64
    written(elsewhere, values)
    with pytest.raises(ToolkitError, match="it was not used"):
        check_reproduction(elsewhere)


def test_elsewhere_each_file_of_code_and_what_the_image_is_made_of_are_compared(elsewhere: Path) -> None:
    def code() -> list[tuple[str, str]]:
        found = check_reproduction(elsewhere).differences
        return [(one.name, one.second) for one in found if one.part == "code"]

    assert code() == []
    (elsewhere.parent / "code" / "train.py").write_text("print('another')\n")
    (elsewhere.parent / "code" / "prepare.sh").unlink()
    assert [name for name, _ in code()] == ["prepare.sh", "train.py"]
    assert code()[0] == ("prepare.sh", "")


def test_a_requirement_without_its_lock_is_named_with_the_version_that_was_recorded(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toolkit.api.reproductions._build_buckets_image", lambda _: None)
    values = document()
    values["code"]["files"].append({"path": "requirements.txt", "sha256": "0" * 64, "executable": False})
    listed = [Listed(one["path"], one["sha256"], one["executable"]) for one in values["code"]["files"]]
    values["code"]["sha256"] = code_digest(listed)
    written(elsewhere, values)
    (elsewhere.parent / "code" / "requirements.txt").write_text("tf_keras==2.19.0\n")
    found = check_reproduction(elsewhere).differences
    assert [(one.part, one.name) for one in found] == [
        ("code", "requirements.txt"),
        ("package", "tf_keras"),
        ("image", "cannot be made"),
    ]
    assert (found[1].first, found[1].second) == ("2.18.0", "==2.19.0, not locked")
    lock = elsewhere.parent / "code" / "toolkit.lock"
    assert found[2].second == f"tf_keras==2.19.0: requested but not locked ({lock} is missing)"
    with pytest.raises(ToolkitError, match=str(lock)) as refused:
        reproduce(elsewhere, accept_differences=True)
    assert refused.value.hint == f"lock them with `toolkit lock MANIFEST`, with a manifest in {lock.parent}"


def test_nothing_is_launched_while_something_differs(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolkit.api.reproductions._build_buckets_image", lambda _: None)
    monkeypatch.setattr("toolkit.api.reproductions.start", lambda *_, **__: pytest.fail("launched"))
    (elsewhere.parent / "code" / "train.py").write_text("print('another')\n")
    with pytest.raises(ToolkitError) as refused:
        reproduce(elsewhere)
    assert refused.value.code.exit_status == 2
    assert "code train.py: sha256 " in str(refused.value)
    assert "--accept-differences" in refused.value.hint


@pytest.mark.parametrize(("hint", "before"), [("is there a proxy?", "is there a proxy?; or "), ("", "")])
def test_an_image_that_cannot_be_built_here_says_how_else_it_comes_here(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, hint: str, before: str
) -> None:
    def build(*_: object) -> None:
        raise ToolkitError(Code.IMAGE, "no network", hint=hint)

    monkeypatch.setattr("toolkit.api.reproductions._build_buckets_image", lambda _: None)
    monkeypatch.setattr("toolkit.api.reproductions.build_both", build)
    monkeypatch.setattr("toolkit.api.reproductions.start", lambda *_, **__: pytest.fail("launched"))
    with pytest.raises(ToolkitError, match="no network") as refused:
        reproduce(elsewhere, accept_differences=True)
    assert refused.value.hint.startswith(f"{before}bring it from a machine that has it: `toolkit save tensorflow-ddl-")


def test_ranks_and_hosts_are_those_of_the_cluster_and_named(elsewhere: Path, tmp_path: Path) -> None:
    def hosts(**files: Path) -> list[tuple[str, str, str]]:
        found = check_reproduction(elsewhere, **files).differences
        return [(one.name, one.first, one.second) for one in found if one.part in ("ranks", "host")]

    cluster, more = assets() / "clusters" / "lab-p100.yml", tmp_path / "more.yml"
    assert hosts(cluster=cluster) == []
    assert hosts() == [("number of hosts", "2", "1")], "both learners are on this machine"
    more.write_text(canonical_text(manifest(compute=replace(manifest().compute, nodes=300))))
    assert hosts(manifest=more) == [("number of ranks", "2", "300"), ("number of hosts", "2", "1")]
    (_, (name, recorded, here)) = hosts(manifest=more, cluster=cluster)
    assert (name, recorded, "300" in here) == ("number of hosts", "2", True), here


@pytest.mark.parametrize(("state", "noted"), [("COMPLETED", []), ("HALTED", ["HALTED"]), ("FAILED", ["FAILED"])])
def test_a_run_that_did_not_end_well_can_be_reproduced_but_is_noted(
    elsewhere: Path, state: str, noted: list[str]
) -> None:
    values = document()
    values["end"] |= {"state": state, "reason": "stopped"}
    notes: list[str] = []

    def report(step: Progress) -> None:
        notes.append(step.note)

    check_reproduction(written(elsewhere, values), report=report)
    expected = [f"{RUN} is {one} (stopped): what it left is not that of a whole run" for one in noted]
    assert [note for note in notes if "is not that of" in note] == expected


def test_a_run_whose_cluster_file_is_gone_asks_for_another(
    run: StoredRun, elsewhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOOLKIT_HOME", str(run.home))
    records = run.home / "runs" / f"{RUN}.json"
    records.write_text(records.read_text().replace('"cluster_file": ""', '"cluster_file": "/gone.yml"'))
    with pytest.raises(ToolkitError, match=r"/gone\.yml is not there") as refused:
        check_reproduction(elsewhere)
    assert "--cluster FILE" in refused.value.hint
    check_reproduction(elsewhere, cluster=assets() / "clusters" / "local.yml")


def test_an_image_that_is_built_here_with_another_id_runs_nothing(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = document()
    example = assets() / "examples" / "mnist"
    order = read_order(example / "manifest.yml", None, None, silent)
    packages = [one._asdict() for one in packages_of(order.recipe)]
    values["image"] |= {"reference": order.reference, "inputs": dict(order.inputs.digests), "packages": packages}
    values["run"]["on_cpu"] = True
    del values["hosts"][1]
    data = read_document(document_bytes(values)).data
    monkeypatch.setattr(recorded_orders, "data_now", lambda *_, **__: data)
    assert check_reproduction(written(elsewhere, values)).differences == ()
    monkeypatch.setattr("toolkit.api.reproductions._build_buckets_image", lambda _: None)
    monkeypatch.setattr("toolkit.api.reproductions.build_both", lambda *_: None)
    built = RunImage(order.reference, "sha256:another", ()), "buckets"
    monkeypatch.setattr("toolkit.api.reproductions.built_images", lambda _: built)
    monkeypatch.setattr("toolkit.api.reproductions.start", lambda *_, **__: pytest.fail("launched"))
    with pytest.raises(ToolkitError, match=r"is sha256:another here, but sha256:c+ is recorded") as refused:
        reproduce(elsewhere)
    assert refused.value.hint == f"toolkit images verify {order.reference}"


def test_a_check_says_that_an_image_is_not_built_yet(elsewhere: Path) -> None:
    notes: list[str] = []

    def report(step: Progress) -> None:
        notes.append(step.note)

    check_reproduction(elsewhere, report=report)
    (said,) = [note for note in notes if "is not here" in note]
    assert said.endswith("is not here: it is built first, and its ID must be the recorded one")


def test_a_strangers_record_names_its_stores_and_your_keys_before_they_are_asked(elsewhere: Path) -> None:
    values = document()
    for part in ("training_data_reference", "training_results_reference"):
        connection = {"endpoint_url": "https://s3.example.org", "access_key_id": "${env:KEY}"}
        values["manifest"][part]["connection"] = connection | {"secret_access_key": "${file:~/s3.key}"}
    written(elsewhere, values)
    notes: list[str] = []

    def report(step: Progress) -> None:
        notes.append(step.note)

    check_reproduction(elsewhere, report=report)
    assert "data: bucket mnist-training-data at https://s3.example.org, with your ${env:KEY}, ${file:~/s3.key}" in notes
    notes.clear()
    own = elsewhere.parent / "own.yml"
    own.write_text(canonical_text(manifest()))
    check_reproduction(elsewhere, manifest=own, report=report)
    assert not any("with your" in note for note in notes)


def test_a_record_that_was_changed_in_the_bucket_is_not_compared(
    run: StoredRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reproductions, "results_store", run_records.results_store)
    assert compare_runs(RUN, RUN).verdict is Verdict.IDENTICAL
    values = json.loads(run.data("record.json"))
    values["metrics"]["loss"] = 0.25
    run.put("record.json", document_bytes(values))
    with pytest.raises(ToolkitError, match="metrics: not what this machine recorded"):
        compare_runs(RUN, RUN)


def test_a_deterministic_launch_sets_the_variables_of_every_command_and_records_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImageStore, "find", lambda *_: None)
    example = assets() / "examples" / "mnist" / "manifest.yml"
    order = read_order(example, None, None, silent, deterministic=True)
    assert order.deterministic
    assert order.manifest == deterministic(read_manifest(example))
    assert plan_launch(example, deterministic=True).plan.environment == order.manifest.environment
    assert plan_launch(example).plan.environment == ()
    file = tmp_path / "recorded.yml"
    file.write_text(canonical_text(order.manifest))
    assert read_order(file, None, example.parent, silent).manifest.environment == order.manifest.environment
