"""rclone downloads in a container, from the embedded store."""

from __future__ import annotations

import subprocess
from pathlib import Path

from toolkit.containers.engine import LOCAL
from toolkit.image.tool_images import buckets_reference
from toolkit.run.plan.training_id import new_training_id
from toolkit.secrets import Secret
from toolkit.storage.bulk_download import BulkDownload
from toolkit.storage.client import Access
from toolkit.storage.embedded_server import embedded_keys, serve_buckets
from toolkit.storage.store_server import StoreServer

from .bench import Bench


def files_of(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_many_files_arrive_under_their_names_and_no_key_stays(bench: Bench, tmp_path: Path) -> None:
    label, image = new_training_id(), buckets_reference()
    written = {f"plots/{number % 7}/name {number} é * [x]": b"%d" % number * number for number in range(200)}
    (tmp_path / "home").mkdir()
    for name, data in written.items():
        file = tmp_path / "home/buckets/models/part/run" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    (tmp_path / "home/buckets/models/part/run/plots2").write_bytes(b"not wanted")
    (tmp_path / "home/buckets").chmod(0o700)
    (tmp_path / "home").chmod(0o700)
    store = StoreServer(LOCAL, f"toolkit-store-{label}", label, image)
    bulk = BulkDownload(LOCAL, f"toolkit-{label}-collect", "models", "run", tmp_path / "downloads")
    counted: list[int] = []
    try:
        url = serve_buckets(store, tmp_path / "home", "127.0.0.1")
        keys: dict[str, Secret] = embedded_keys(tmp_path / "home")
        access = Access(url, keys["access_key_id"], keys["secret_access_key"], prefix="part", direct=True)
        with bulk.started(label, image, access):
            bulk.fetch(list(written), [len(data) for data in written.values()], counted.append)
            inspected = subprocess.run(
                ["docker", "inspect", f"toolkit-{label}-collect"], capture_output=True, text=True, check=True
            ).stdout
    finally:
        left = LOCAL.remove_run(label)
    assert files_of(tmp_path / "downloads") == written
    assert sum(counted) == sum(map(len, written.values()))
    assert keys["secret_access_key"].reveal() not in inspected
    assert left == []
    assert LOCAL.names("container", label, check=True) == []
