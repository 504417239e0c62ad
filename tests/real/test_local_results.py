"""Results that are written to the host's disk and uploaded meanwhile (`write: local`)."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from toolkit.agent.checksums import read_list

from ..agent.test_compare import until
from .bench import MODEL, Bench, read_until
from .test_other_stores import elsewhere

SMALL = """
import hashlib, os, sys, time
from pathlib import Path
results = Path(os.environ["RESULT_DIR"])
if os.environ["OMPI_COMM_WORLD_RANK"] == "1":
    (results / "from-the-other-learner").write_text("1")
    sys.exit()
while not (results / "from-the-other-learner").exists():
    time.sleep(0.1)
many = results / "many"
many.mkdir()
for n in range(1000):
    (many / f"{n:04}").write_bytes(str(n).encode() * 100)
for n in range(3):
    (results / f"large-{n}").write_bytes(os.urandom(20 << 20))
time.sleep(3)
for n in range(100):
    (many / f"{n:04}").write_bytes(b"changed")
    (many / f"{n + 100:04}").rename(results / f"renamed-{n}")
    (many / f"{n + 200:04}").unlink()
(results / "new\\nline").write_bytes(b"odd")
(Path(os.environ["LOG_DIR"]) / "loss").write_text("0.1")
for file in results.rglob("*"):
    if file.is_file() and "model" not in file.parts:
        name = str(file.relative_to(results)).encode("unicode_escape").decode()
        print("SUM", hashlib.sha256(file.read_bytes()).hexdigest(), name)
"""
LATER = """
import os, time
from pathlib import Path
results = Path(os.environ["RESULT_DIR"])
(results / "early").write_bytes(b"early")
(results / "replaced").write_bytes(b"first")
print("ready", flush=True)
while not (Path(os.environ["CHECKPOINT_DIR"]) / "go").exists():
    (results / "still").write_text(str(time.time()))
    time.sleep(0.5)
(results / "replaced").write_bytes(b"second")
for n in range(200):
    (results / f"{n:03}").write_bytes(str(n).encode() * 10)
(results / "still").unlink()
"""
LINK = """
import os
from pathlib import Path
results = Path(os.environ["RESULT_DIR"])
(results / "data").write_text("data")
(results / "latest").symlink_to("data")
(results / "keys").symlink_to("/run/private/rclone.conf")
"""


def locally(manifest: Path) -> Path:
    """The manifest, with results on the host's disk."""
    place = "    bucket: mnist-training-models\n"
    text = manifest.read_text()
    assert text.count(place) == 1
    manifest.write_text(text.replace(place, f"{place}  write: local\n  collect: [many]\n"))
    return manifest


def test_the_bucket_has_the_folder_as_the_program_left_it(bench: Bench, tmp_path: Path, left_nothing: None) -> None:
    record = bench.launch(locally(bench.manifest(tmp_path, "python program.py", SMALL + MODEL)))
    run, folder = record["training_id"], bench.results(record["training_id"])
    log = bench.log(run, 1)
    sums = dict(reversed(line.split("SUM ", 1)[1].split(" ", 1)) for line in log if "[0] SUM " in line)
    claimed = {name.encode().decode("unicode_escape"): sha256 for name, sha256 in sums.items()}
    assert len(claimed) == 1000 - 100 + 3 + 1 + 1 + 1
    listed = read_list((folder / "_run" / "SHA256SUMS").read_bytes())
    assert {name: listed[f"{run}/{name}"] for name in claimed} == claimed
    kept = {str(file.relative_to(folder)): file for file in folder.rglob("*") if file.is_file()}
    for name in set(claimed) - {"new\nline"}:  # a store that keeps objects as files writes it in its own way
        assert hashlib.sha256(kept[name].read_bytes()).hexdigest() == claimed[name]
    assert not [name for name in kept if name.startswith(("many/01", "many/02"))]
    assert "written on the host's disk" in bench.ok("show", run).stdout
    bench.ok("collect", run, "--to", tmp_path / "models")
    assert (tmp_path / "models" / run / "files" / "many" / "0000").read_bytes() == b"changed"
    assert len([*(tmp_path / "models" / run / "files" / "many").iterdir()]) == 800


def test_what_a_store_refuses_at_the_end_stays_on_the_host_until_it_is_rescued(
    bench: Bench, tmp_path: Path, left_nothing: None
) -> None:
    with elsewhere(bench, tmp_path / "job") as store:
        store.manifest.with_name("program.py").write_text(LATER)
        locally(store.manifest)
        launch = bench.start("launch", store.manifest)
        read_until(launch, "ready")
        run = bench.newest()["training_id"]
        own, objects = f"mnist-training-models/{run}/", store.server.objects
        until(lambda: f"{own}replaced" in objects)
        store.server.refuses = {own: 507, "mnist-training-models/.toolkit-probe": 507}
        objects["mnist-training-models/_wml_checkpoints/go"] = objects[f"{own}replaced"]
        said, _ = launch.communicate(timeout=200)
        record = json.loads(bench.ok("show", "--json", run).stdout)
        assert (record["state"], record["end"], record["kept"]) == ("FAILED", "bucket full", ["this machine"]), said
        store.server.refuses = {}
        store.server.seen.clear()
        bench.ok("rescue", run)
        record = json.loads(bench.ok("show", "--json", run).stdout)
        assert (record["state"], record["kept"]) == ("COMPLETED", [])
        stored = {key.removeprefix(own): held.data for key, held in objects.items() if key.startswith(own)}
        assert {name: data for name, data in stored.items() if name.isdecimal()} == {
            f"{n:03}": str(n).encode() * 10 for n in range(200)
        }
        assert (stored["early"], stored["replaced"], "still" in stored) == (b"early", b"second", False)
        assert not [line for line in store.server.seen if line.startswith("PUT") and line.endswith("/early")]
        listed = read_list(objects[f"mnist-training-models/{run}/_run/SHA256SUMS"].data)
        assert listed[f"{run}/replaced"] == hashlib.sha256(b"second").hexdigest()


def test_a_run_that_leaves_symbolic_links_is_not_completed_and_says_why(
    bench: Bench, tmp_path: Path, left_nothing: None
) -> None:
    manifest = locally(bench.manifest(tmp_path, "python program.py", LINK, nodes=1))
    assert bench.run("launch", manifest).returncode == 3
    record = bench.newest()
    run = record["training_id"]
    assert (record["state"], record["end"], record["kept"]) == ("FAILED", "bucket write", [])
    assert f"{run}/keys is a symbolic link, {run}/latest is a symbolic link" in record["reason"]
    assert (bench.results(run) / "data").read_text() == "data"
    assert not (bench.results(run) / "keys").exists()
