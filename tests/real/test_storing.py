"""A run is COMPLETED only when every byte it wrote is in the bucket."""

from __future__ import annotations

import hashlib
from pathlib import Path

from .bench import Bench

PROGRAM = """
import hashlib, os, sys
from pathlib import Path
results = Path(os.environ["RESULT_DIR"])
checkpoints = Path(os.environ["CHECKPOINT_DIR"])
if os.environ["OMPI_COMM_WORLD_RANK"] == "0":
    folder = results / "deep" / "folder"
    folder.mkdir(parents=True)
    for n in range(300):
        (folder / f"small-{n}").write_bytes(str(n).encode() * n)
    (results / "over").write_bytes(b"first")
    (results / "new").write_bytes(b"second, and longer")
    (results / "new").rename(results / "over")
    with (results / "appended").open("ab") as file:
        for n in range(100):
            file.write(os.urandom(1000)); file.flush()
    (checkpoints / "kept.bin").write_bytes(os.urandom(5000))
    (results / "name with spaces, $HOME and unicode \\u00e9").write_bytes(b"odd")
    with (results / "big").open("wb") as file:
        for n in range(256):
            file.write(os.urandom(1 << 20))
    for root in (results, checkpoints):
        for file in root.rglob("*"):
            if file.is_file() and "_submitted_code" not in file.parts:
                print("SUM", hashlib.sha256(file.read_bytes()).hexdigest(), file.relative_to(results.parent))
"""


def test_all_that_a_program_wrote_in_its_last_second_is_stored(
    bench: Bench, tmp_path: Path, left_nothing: None
) -> None:
    record = bench.launch(bench.manifest(tmp_path, "python program.py", PROGRAM))
    training_id = record["training_id"]
    bucket = bench.results(training_id).parent
    claimed = dict(
        reversed(line.split("SUM ", 1)[1].split(" ", 1)) for line in bench.log(training_id, 1) if "SUM " in line
    )
    assert len(claimed) >= 305
    stored = {name: hashlib.sha256((bucket / name).read_bytes()).hexdigest() for name in claimed}
    assert stored == claimed
    assert not (bench.results(training_id) / "new").exists()


def test_checkpoints_are_shared_between_runs(bench: Bench, tmp_path: Path, left_nothing: None) -> None:
    write = (
        "from pathlib import Path; import os; (Path(os.environ['CHECKPOINT_DIR']) / 'note').write_text('from before')"
    )
    bench.launch(bench.manifest(tmp_path / "a", "python program.py", write, nodes=1))
    read = "from pathlib import Path; import os; print((Path(os.environ['CHECKPOINT_DIR']) / 'note').read_text())"
    record = bench.launch(bench.manifest(tmp_path / "b", "python program.py", read, nodes=1))
    assert bench.log(record["training_id"], 1) == ["[0] from before"]
