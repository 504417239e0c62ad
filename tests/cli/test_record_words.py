"""`toolkit record`: its words, and what a person reads of a record."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from tests.run.document.sample import HOST_STAGES, RUN, document
from toolkit.agent.run_document import document_bytes
from toolkit.cli.host_stages import stage_lines
from toolkit.cli.main import main, parser
from toolkit.cli.record import lines_of
from toolkit.run.document.model import read_document
from toolkit.run.records.stage_times import clocks_said


@pytest.mark.parametrize(
    ("words", "values"),
    [
        (["show", RUN], {"act": "show", "record": RUN, "json": False}),
        (["verify", "record.json"], {"act": "verify", "record": "record.json", "folder": None, "key": None}),
        (["sign", RUN, "--key", "k"], {"act": "sign", "training_id": RUN, "key": "k", "output": None}),
        (["sign", RUN, "--key", "k"], {"passphrase": ""}),
        (["sign", RUN, "--key", "k", "--passphrase", "${env:WORDS}"], {"passphrase": "${env:WORDS}"}),
        (["schema"], {"act": "schema"}),
    ],
)
def test_words_and_what_they_default_to(words: list[str], values: dict[str, object]) -> None:
    found = vars(parser().parse_args(["record", *words]))
    assert {name: found[name] for name in values} == values


@pytest.mark.parametrize("words", [[], ["show"], ["sign", RUN], ["verify"], ["verify", RUN, "--folder", ""]])
def test_what_is_missing_is_bad_input(words: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parser().parse_args(["record", *words])
    assert caught.value.code == 2


def test_a_record_as_a_person_reads_it() -> None:
    lines = dict(lines_of(read_document(document_bytes(document()))))
    assert lines["run"] == f"{RUN}  mnist-digits"
    assert lines["state"] == "COMPLETED  all commands exited with 0; all results verified in the bucket"
    assert lines["data"].startswith("bucket mnist-training-data  1 file, 7 B  listing sha256 dddd")
    assert lines["command 1"] == "python train.py  status 0, 8.5 s"
    assert lines["processing"] == "1970-01-01 00:00:10  12.0 s"
    assert lines["results"] == "5 files with a SHA-256"


def test_stages_of_hosts_are_shown_from_the_shortest_to_the_longest_with_the_clock_that_timed_them() -> None:
    lines = list(lines_of(read_document(document_bytes(document()))))
    first = next(at for at, (name, _) in enumerate(lines) if name == "hosts")
    assert [text for _, text in lines[first : first + 7]] == [
        "stage       clock     shortest  median  longest  on",
        "image       operator     0.4 s   0.6 s    0.8 s  p100-02",
        "agent       operator     0.3 s   0.4 s    0.5 s  p100-01",
        "mounts      operator     2.5 s   3.6 s    4.6 s  p100-02",
        "processing  host        12.0 s  12.1 s   12.1 s  p100-02",
        "uploading   host         0.2 s   0.3 s    0.5 s  p100-01",
        "collecting  host         0.3 s   0.3 s    0.3 s  p100-01",
    ]
    assert lines[first + 7] == ("clocks", "p100-02: 7.25 s ahead of the operator's (± 0.04 s)")


def test_of_one_host_each_stage_has_its_time_and_what_is_said_of_it() -> None:
    assert list(stage_lines(HOST_STAGES[:1]))[:3] == [
        "stage       clock       time",
        "image       operator   0.4 s  already there",
        "agent       operator   0.5 s",
    ]
    assert clocks_said(HOST_STAGES[:1]) == "agree with the operator's within 0.05 s"


def test_a_record_of_an_earlier_version_has_no_stages_of_hosts_and_shows_none() -> None:
    found = {name: value for name, value in document().items() if name != "host_stages"}
    found["schema"] = "urn:toolkit:run-record:1"
    assert {"hosts", "clocks"} & {
        name for name, text in lines_of(read_document(document_bytes(found))) if text
    } == set()


def test_hosts_are_shown_with_what_is_known_of_them() -> None:
    hosts = [text for name, text in lines_of(read_document(document_bytes(document()))) if name == "host"]
    assert hosts == ["p100-01  Linux 6.1, 8 CPUs, 68.7 GB, Tesla P100-SXM2-16GB", "p100-02"]


@pytest.mark.parametrize("kernel", ["6.1", "Linux 6.1"])
def test_a_kernel_is_named_once_however_a_version_recorded_it(kernel: str) -> None:
    found = document()
    found["hosts"][0]["facts"]["kernel"] = kernel
    assert dict(reversed(list(lines_of(read_document(document_bytes(found))))))["host"].startswith(
        "p100-01  Linux 6.1, 8"
    )


def test_a_failed_run_shows_its_evidence_and_a_command_that_was_not_started(capsys: pytest.CaptureFixture[str]) -> None:
    failed = document() | {"steps": document()["steps"][:1], "data": {"place": "bucket x", "not_listed": "too slow"}}
    failed["end"] |= {"state": "FAILED", "error_code": "C201", "what": "rank 1 died", "evidence": "one\ntwo"}
    lines = list(lines_of(read_document(document_bytes(failed))))
    assert ("state", "FAILED  C201 rank 1 died") in lines
    assert [text for name, text in lines if name == "evidence"] == ["one", "two"]
    assert ("command 2", "python transform.py  not started") in lines
    assert ("data", "bucket x  not listed: too slow") in lines


def test_a_record_in_a_file_is_shown_without_any_bucket(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "record.json"
    file.write_bytes(document_bytes(document()))
    assert main(["record", "show", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == document()


def test_the_schema_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["record", "schema"]) == 0
    jsonschema.validate(document(), json.loads(capsys.readouterr().out))


@pytest.mark.parametrize("words", [["show", "none.json"], ["verify", "./none"], ["show", "training-none2345"]])
def test_what_is_not_there_is_named(words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLKIT_HOME", str(tmp_path))
    assert main(["record", *words]) == 2


def test_a_file_that_is_no_record_fails_as_a_verification(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "record.json"
    file.write_bytes(document_bytes(document() | {"schema": "urn:toolkit:run-record:9"}))
    assert main(["record", "verify", str(file), "--folder", str(tmp_path)]) == 5
    assert "schema: Input should be 'urn:toolkit:run-record:1' or 'urn:toolkit:run-record:2'" in capsys.readouterr().err
