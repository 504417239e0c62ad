"""Load a collected model in the image that trained it, and run the user's own check there.

If the submitted code has a `check_model.py`, it runs with the model's folder as its argument and the training data in
DATA_DIR; its last line may be a JSON object of metrics.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from toolkit.containers.engine import LOCAL
from toolkit.errors import Code, ToolkitError
from toolkit.manifest.model import Manifest
from toolkit.run.plan.make_plan import data_of
from toolkit.run.plan.run_plan import CODE_FOLDER, HostFolder, data_folder_of
from toolkit.run.records.record import Record, plain_json
from toolkit.run.serving.signatures import Signatures
from toolkit.runtimes.specs import Bind
from toolkit.storage.client import Access
from toolkit.storage.examine import examined
from toolkit.storage.sidecar import Mount, SideContainer

CHECK_PROGRAM = "check_model.py"
_LOADER = Path(__file__).parents[1] / "in_container" / "load_model.py"


class Answer(BaseModel):
    """The result of the check in the image. Untrusted: code and weights came from a bucket."""

    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False, defer_build=True)

    signatures: Signatures
    said: list[str]


@dataclass(frozen=True)
class ModelCheck:
    """The check of one run's model.

    Attributes:
        check_id: the label of what it starts, which its caller removes.
        shown: the folder that messages name, where the model will be.
    """

    record: Record
    manifest: Manifest
    check_id: str
    side_image: str
    shown: Path

    def run(self, access: dict[str, Access], folder: Path) -> Answer:
        """Load the model in the image that trained it, and run the user's own check; both are in `folder`."""
        code, own_check = folder / "code", folder / "code" / CHECK_PROGRAM
        binds = [Bind(str(folder / "model"), "/model", True), Bind(str(_LOADER), "/load_model.py", True)]
        command = ["python", "/load_model.py", "/model"]
        environment = {"HOME": "/tmp", "TF_CPP_MIN_LOG_LEVEL": "2"}
        if not own_check.is_file():
            return self._ask(binds, environment, command)
        binds.append(Bind(str(code), CODE_FOLDER, read_only=True))
        command.append(f"{CODE_FOLDER}/{CHECK_PROGRAM}")
        environment |= {"PYTHONPATH": CODE_FOLDER, "MODEL_DIR": CODE_FOLDER}
        data = data_of(self.manifest.training_data)
        if isinstance(data, HostFolder) and Path(data.path).is_dir():
            binds.append(Bind(data.path, data_folder_of(data), read_only=True))
            environment["DATA_DIR"] = data_folder_of(data)
        if not isinstance(data, Mount):  # if it is not on this machine, a check that needs it will say so
            return self._ask(binds, environment, command)
        with self._mounted_data(access, data) as volume:
            binds.append(Bind(f"{volume}/mnt", "/mnt", propagation="rslave"))
            return self._ask(binds, environment | {"DATA_DIR": data_folder_of(data)}, command)

    def _ask(self, binds: list[Bind], environment: dict[str, str], command: list[str]) -> Answer:
        owner = f"{os.getuid()}:{os.getgid()}"
        names = (self.record.image_id, self.check_id, owner)
        argv = LOCAL.runtime.check_in_image(*names, binds, environment, command)
        result = LOCAL.run(argv, check=False, timeout=None)
        if not result.ok:
            weights = Path(binds[0].source, "variables")
            raise ToolkitError(
                Code.MODEL_CHECK,
                f"the model of {self.record.training_id} failed its check (status {result.status})",
                evidence="\n".join([*result.output.splitlines(), *result.errors.splitlines()][-15:]),
                hint=f"it is in {self.shown / 'model'}" + ("" if weights.is_dir() else ", and has no variables/"),
            )
        try:
            return Answer.model_validate_json(plain_json((result.output.splitlines() or [""])[-1]))
        except (ValueError, RecursionError):
            raise ToolkitError(
                Code.MODEL_CHECK,
                f"the check of {self.record.training_id}'s model exited with 0 but gave no result",
                evidence="\n".join(result.output.splitlines()[-15:]),
                hint=f"the model, or its {CHECK_PROGRAM}, ended the check; it is in {self.shown}",
            ) from None

    @contextmanager
    def _mounted_data(self, access: dict[str, Access], data: Mount) -> Iterator[str]:
        """The training data as a folder, mounted by a temporary side container."""
        name = f"toolkit-{self.check_id}"
        side = SideContainer(LOCAL, f"{name}-buckets", self.check_id, self.side_image, name)
        try:
            side.start()
            side.prepare({"data": examined(access["data"], data.bucket)}, [data])
            yield side.folder
        finally:
            side.unmount()
