"""11 of the table: programs that attack their own run, other runs, and the containers of the tool; on this machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ..real.bench import Bench
from .attacker import KINDS, LOOTER, PLANTER, canaries, places_of, seen_by_the_engine
from .local import Expected, LocalRun
from .page import Page, Row
from .program import WRITER
from .shell import docker

REASON = r"the program replaced the run's own files: .*(output\.log|status\.json|ranks/1\.[01])"
OTHER = "training-zzzz9999"


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_program_plants_ends_its_run_and_gains_nothing(
    bench: Bench, tmp_path: Path, page: Page, kind: str
) -> None:
    run = LocalRun(bench, tmp_path / "run", f"python program.py 3 0.1 20000 '{kind}'", PLANTER)
    shell = run.launch()
    run.at = shell.until("part-0-2")
    seen = seen_by_the_engine(shell.run)
    record = run.must_end(
        page, Expected("11", f"a program replaces the run's files: {kind}", "FAILED", "tampered", REASON)
    )
    for key in canaries(bench).values():
        assert places_of(bench, key, shell.said, json.dumps(record), seen) == []
    assert "root:x:0:0" not in shell.said


def test_json_however_deep_in_place_of_the_runs_files_is_text_like_any_other(
    bench: Bench, tmp_path: Path, page: Page
) -> None:
    run = LocalRun(bench, tmp_path / "run", "python program.py 3 0.1 20000 'deep JSON'", PLANTER)
    shell = run.launch()
    run.at = shell.until("part-0-2")
    shell.end()
    record = bench.newest()
    assert record["end"] in ("completed", "program failed", "host lost"), record
    assert record["metrics"] == {}
    run.must_leave_nothing()
    run.must_have_stored(shell.said)
    page.add(
        Row(
            "11",
            "a program overwrites the run's files with deep JSON",
            f"{record['state']}, {record['end']}",
            None,
            None,
        )
    )


def test_a_program_finds_no_key_in_all_that_it_can_read(bench: Bench, tmp_path: Path, page: Page) -> None:
    run = LocalRun(bench, tmp_path / "run", "python program.py 1 0 20 ", LOOTER)
    shell = run.launch()
    shell.until("loot-")
    seen = seen_by_the_engine(shell.run)
    assert shell.end() == 0, shell.said
    run.must_leave_nothing()
    loot = (run.results / "loot-0").read_bytes()
    assert len(loot) > 100_000
    assert b"BEGIN OPENSSH PRIVATE KEY" in loot, "the run's own key for ssh between its learners: the search works"
    for key in canaries(bench).values():
        assert places_of(bench, key, shell.said, seen) == []
    page.add(Row("11", "a program reads everything that it can", "COMPLETED, completed", None, None, "no key found"))


def test_the_container_with_the_keys_has_no_socket_and_the_one_with_the_socket_no_key(
    bench: Bench, tmp_path: Path, page: Page
) -> None:
    run = LocalRun(bench, tmp_path / "run")
    shell = run.launch()
    run.until_files()
    agent, buckets = (f"toolkit-{shell.run}-{name}" for name in ("agent", "buckets"))
    try:
        has = {name: json.loads(docker("inspect", name))[0] for name in (agent, buckets)}
        mounts = {name: sorted(one["Destination"] for one in about["Mounts"]) for name, about in has.items()}
        assert mounts == {agent: ["/run/engine.sock", "/run/host"], buckets: ["/run/host"]}
        volume = docker("volume", "inspect", "--format", "{{.Mountpoint}}", f"toolkit-{shell.run}").strip()
        assert {one["Source"] for about in has.values() for one in about["Mounts"]} <= {volume, "/var/run/docker.sock"}
        assert has[agent]["HostConfig"]["NetworkMode"] == "none"
        assert "SYS_ADMIN" not in has[agent]["HostConfig"]["CapAdd"]
        for about in has.values():
            assert "no-new-privileges" in about["HostConfig"]["SecurityOpt"]
        assert docker("exec", buckets, "ls", "/run/private").split() == ["rc.sock", "rclone.conf"]
        assert docker("exec", agent, "sh", "-c", "ls /run/private; ls /run/host/control").split() == [
            *("heartbeat", "job.json", "views", "buckets.sock"),
        ]
        for key in canaries(bench).values():
            looked = (
                "exec",
                agent,
                "grep",
                "--recursive",
                "--files-with-matches",
                "--devices=skip",
                key,
                "/run",
                "/opt",
            )
            assert docker(*looked, check=False) == ""
            assert docker("exec", buckets, "grep", "--count", key, "/run/private/rclone.conf").strip() != "0"
    finally:
        bench.ok("stop", shell.run)
        shell.end()
    run.must_leave_nothing()
    page.add(Row("11", "each side container is checked for the other's privileges", "HALTED, stopped", None, None))


NOSY = (
    WRITER
    + f"""
import shutil
above = results.parent
print("SEEN", sorted(os.listdir(above)), flush=True)
for path in ({OTHER!r} + "/model", "_toolkit", "_toolkit/" + results.name, ".", ".."):
    shutil.rmtree(above / path, ignore_errors=True) if path.startswith("training") else None
    try:
        (above / path / "planted").write_text("x")
        print("PLANTED", path, flush=True)
    except OSError as error:
        print("refused", path, error, flush=True)
(results / "_submitted_code").mkdir(exist_ok=True)
(results / "_submitted_code" / "program.py").write_text("print('THIS WAS NEVER SUBMITTED')\\n")
(results / "_run").mkdir(exist_ok=True)
(results / "_run" / "record.json").write_text('{{"state": "COMPLETED"}}')
"""
)


def test_a_program_sees_no_other_run_no_control_object_and_its_code_is_compared(
    bench: Bench, tmp_path: Path, page: Page
) -> None:
    other = bench.results(OTHER) / "model" / "saved_model.pb"
    other.parent.mkdir(parents=True)
    other.write_text("another run's model")
    run = LocalRun(bench, tmp_path / "run", "python program.py 1 0 20", NOSY, nodes=1)
    shell = run.launch()
    assert shell.end() == 0, shell.said
    assert f"SEEN ['_wml_checkpoints', '{shell.run}']" in shell.said
    assert "PLANTED" not in shell.said
    assert other.read_text() == "another run's model"
    control = bench.results("_toolkit") / shell.run
    assert sorted(file.name for file in control.iterdir()) == ["began.json", "record.json"]
    retried = bench.run("retry", shell.run)
    assert retried.returncode != 0
    assert "program.py" in retried.stdout + retried.stderr
    assert "NEVER SUBMITTED" not in retried.stdout
    run.must_leave_nothing()
    page.add(Row("11", "a program tries to access other runs and its own code", "COMPLETED, completed", None, None))


def test_a_run_whose_agent_hangs_is_ended_by_force_and_what_it_wrote_comes_with_a_rescue(
    bench: Bench, tmp_path: Path, page: Page
) -> None:
    run = LocalRun(bench, tmp_path / "run")
    shell = run.launch("--detach")
    shell.end()
    name = f"toolkit-{shell.run}-agent"
    docker("pause", name)
    done = bench.run("stop", "--force", shell.run)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"removed: container {name}" in done.stderr
    cleaned = bench.run("clean").stderr
    assert f"volume toolkit-{shell.run}, which may hold results that are in no bucket" in cleaned
    assert bench.newest()["state"] == "HALTED"
    bench.ok("rescue", shell.run)
    run.must_leave_nothing()
    page.add(Row("11", "a run whose agent hangs is stopped by force", "HALTED, stopped", None, None))
