"""The checkpoints that runs wrote."""

from __future__ import annotations

from toolkit.api.runs import find_run
from toolkit.run.finish.stored_checkpoints import stored_checkpoints
from toolkit.run.follow.connect import results_store
from toolkit.run.records.checkpoints import Checkpoint
from toolkit.run.records.record import Record


def list_checkpoints(run: str | Record) -> list[Checkpoint]:
    """The checkpoints that a run wrote into RESULT_DIR and CHECKPOINT_DIR, by number; also while it runs.

    They are recognised by their names: TensorFlow's (`NAME.index` with `NAME.data-…`), Keras's (`.keras`, `.h5`) and
    PyTorch's (`.pt`, `.pth`).

    Raises:
        ToolkitError: C101 if there is no such run, C103 or S302 if its bucket cannot be read.

    Example:
        >>> [one.number for one in api.list_checkpoints("training-9itkb8gw") if not one.fault]
    """
    record = run if isinstance(run, Record) else find_run(run)
    with results_store(record) as store:
        return stored_checkpoints(store, record)
