"""How several runs differ."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from toolkit.report.differences import Row, differences
from toolkit.report.model import RunInput
from toolkit.run.comparison.conditions import Conditions, ImageFacts
from toolkit.run.document.model import Data, Listing

from .runs import failed, record


def manifest(compute: str) -> dict[str, Any]:
    return {"model_definition": {"execution": {"compute_configuration": {"name": compute}, "command": "python t.py"}}}


CONDITIONS = Conditions(
    manifest=manifest("p100x2"),
    ranks=4,
    on_cpu=False,
    code={"train.py": "a" * 64, "transform.py": "b" * 64},
    image=ImageFacts("tensorflow-ddl-2.19-py3.11-cuda:45e638a9d7c3"),
    data=Data(place="bucket digits", listing=Listing(sha256="c" * 64, files=1, bytes=7)),
)


def run(training_id: str = "training-wxyz6789", **conditions: Any) -> RunInput:
    return RunInput(record(training_id), conditions=replace(CONDITIONS, **conditions))


def test_conditions_come_first_and_only_what_differs() -> None:
    other = run(manifest=manifest("p100x4"), code={**(CONDITIONS.code or {}), "train.py": "d" * 64})
    other = replace(other, record=replace(other.record, cluster="lab-2"))
    found = differences([run("training-abcd2345"), other])
    assert found.asked == (
        Row("manifest: execution.compute_configuration.name", ("p100x2", "p100x4")),
        Row("code: train.py", ("sha256 aaaaaaaaaaaa", "sha256 dddddddddddd")),
        Row("cluster", ("lab-p100", "lab-2")),
    )
    assert found.same == ("ranks", "device", "package", "image", "data", "host", "name", "hosts", "manifest file")


def test_what_one_run_does_not_have_is_a_dash() -> None:
    later = run(code={"train.py": "a" * 64})
    later = replace(later, record=replace(later.record, metrics={}, resumed_from="training-abcd2345"))
    found = differences([run("training-abcd2345"), later])
    assert Row("metric accuracy", ("0.9639", "-")) in found.outcome
    assert found.asked == (
        Row("code: transform.py", ("sha256 bbbbbbbbbbbb", "-")),
        Row("resumed from", ("-", "training-abcd2345")),
    )


def test_of_three_runs_each_has_its_own_text() -> None:
    found = differences([run(), run(ranks=8), run()])
    assert found.asked == (Row("ranks: number of ranks", ("4", "8", "4")),)


def test_a_run_whose_launch_kept_nothing_here_is_compared_as_far_as_its_record_goes() -> None:
    found = differences([run(), RunInput(replace(record(), ranks=2))])
    assert found.asked == (Row("ranks: number of ranks", ("4", "2")),)
    assert found.same == ("device", "image", "name", "cluster", "hosts", "manifest file")


def test_many_differences_are_cut_and_counted() -> None:
    found = differences([run(), run(code={f"{number}.py": "e" * 64 for number in range(100)})])
    assert (len(found.asked), found.left_out) == (60, 42)


def test_what_came_of_it_differs() -> None:
    shorter = replace(record("training-wxyz6789", seconds=1300.0), metrics={**record().metrics, "loss": 0.2})
    assert differences([RunInput(record()), RunInput(shorter)]).outcome == (
        Row("duration", ("34 min 41 s", "24 min 41 s")),
        Row("metric loss", ("0.142", "0.2")),
    )
    assert differences([RunInput(record()), RunInput(failed(record()))]).outcome[0] == Row(
        "outcome", ("COMPLETED", "FAILED out-of-memory")
    )


def test_one_run_differs_from_nothing() -> None:
    found = differences([run()])
    assert (found.asked, found.outcome) == ((), ())
