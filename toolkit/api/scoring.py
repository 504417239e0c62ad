"""Try a collected model: serve it, or score a file with it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.api.models import collect
from toolkit.api.records import find_run
from toolkit.errors import Code, ToolkitError
from toolkit.image.store import ImageStore
from toolkit.progress import Progress, Report, silent
from toolkit.run.finish.own_folder import OwnFolder
from toolkit.run.records.record import Record
from toolkit.run.serving.http_server import Seen
from toolkit.run.serving.sample import read_sample
from toolkit.run.serving.serve import Served, model_in_image, model_name, refuse_others, served


@dataclass(frozen=True)
class Scored:
    """What a model says to a sample: the answer's JSON, as text and as a value."""

    text: str
    answer: dict[str, Any]


@contextmanager
def serve(
    run: str | Record,
    *,
    port: int | None = None,
    host: str = "127.0.0.1",
    name: str = "",
    to: str | Path = "models",
    report: Report = silent,
    seen: Seen = lambda *_: None,
) -> Iterator[Served]:
    """Serve a run's model with TensorFlow Serving's REST API while the context lasts. For trying, not for production.

    The model is collected first, unless it is in `to` and complete. It runs in the image that trained it, on the CPU,
    without a network; only this machine's loopback leads to it.

    Args:
        port: 0 takes a free one. Default: the first free one from 8501 on.
        name: of the model in the URL. Default: the run's.
        seen: gets method, path, status and seconds of each request.

    Raises:
        ToolkitError: C104 if it cannot listen there, C202 if the model cannot be loaded, and what `collect` raises.

    Example:
        >>> with api.serve("training-9itkb8gw", port=0) as served:
        ...     print(served.url)
    """
    record = run if isinstance(run, Record) else find_run(run)
    refuse_others(host)
    model_name(name, record)
    model = _model(record, Path(to), report)
    report(Progress("serving", "loading the model"))
    with served(record, model, host, port, name, seen) as one:
        yield one


def score(run: str | Record, sample: str | Path, *, to: str | Path = "models", report: Report = silent) -> Scored:
    """Score own data with a run's model, in the image that trained it, without a network.

    The model is collected first, unless it is in `to` and complete.

    Args:
        sample: a request of TensorFlow Serving's as .json, or rows for the model's only input as .npy or .csv.

    Raises:
        ToolkitError: C101 if the file cannot be scored, C202 if the model cannot be loaded, and what `collect` raises.

    Example:
        >>> api.score("training-9itkb8gw", "digits.json").answer
    """
    record = run if isinstance(run, Record) else find_run(run)
    request = read_sample(Path(sample))
    model = _model(record, Path(to), report)
    report(Progress("scoring", str(sample)))
    with model_in_image(record, model, "model") as (process, _):
        answer = process.ask(request.method, "/v1/models/model:predict", request.body)
        if answer.status >= 500 and not process.runs():
            raise process.failure()
    try:
        said = json.loads(answer.body)
        refused = str(said["error"]) if answer.status != 200 else ""
    except (ValueError, RecursionError, TypeError, KeyError):
        raise ToolkitError(Code.MODEL_CHECK, f"the model of {record.training_id} gave no answer") from None
    if refused:
        raise ToolkitError(
            Code.MANIFEST, f"the model of {record.training_id} refuses {sample}", evidence=refused, hint=_FORMAT
        )
    return Scored(answer.body.decode(), said)


_FORMAT = 'a sample is such as {"instances": [...]}; toolkit collect prints the signatures'


def _model(record: Record, to: Path, report: Report) -> Path:
    """The folder of the collected model, which is complete."""
    folder = to.absolute() / record.training_id
    ImageStore().get(record.image_id)
    own = OwnFolder(folder, record.training_id)
    listed = own.listed()
    if "model/saved_model.pb" not in listed or not own.holds(listed):
        collect(record, to=to, report=report)
    return folder / "model"
