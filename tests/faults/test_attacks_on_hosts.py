"""11 of the table, on hosts: who can write to the bucket, and other accounts of a host; on a lab of two hosts."""

from __future__ import annotations

import json
import shlex
import time
from pathlib import Path

import pytest

from ..real.lab import RealLab
from .lab_hosts import cluster, healed, on, wait_until_empty, wait_until_gone_here
from .page import Page, Row
from .program import WRITER, closed, stored
from .shell import Shell, record_of

__all__ = ["cluster", "healed"]

pytestmark = pytest.mark.timeout(900)

REPORT = {
    **{"host": 1, "learners": [], "ranks": {}, "failure": "", "what": "", "evidence": "", "full": False},
    **{"final": True, "number": 1 << 40, "signature": "0" * 64},
}
STRANGERS = {"first": 1000, "mallory": 1666}
"""Accounts without the engine; 1000 is the uid that most hosts give to their first person."""
ATTACK = """
seen=0
for folder in /var/lib/docker/volumes/toolkit-RUN/_data /var/lib/docker/volumes; do
  ls "$folder" > /dev/null 2>&1 && { echo "listed $folder"; seen=1; }
done
for process in /proc/[0-9]*; do
  name=$(tr '\\0' ' ' < "$process/cmdline" 2> /dev/null)
  case $name in "python program.py"* | mpirun* | rclone* | "python3 -m toolkit"*) ;; *) continue ;; esac
  echo "found $name"
  for inside in environ root/ cwd/ fd/ maps; do
    cat "$process/$inside" > /dev/null 2>&1 && { echo "read $inside of $name"; seen=1; }
    ls "$process/${inside%/}/" > /dev/null 2>&1 && { echo "listed $inside of $name"; seen=1; }
  done
  kill -9 "${process#/proc/}" 2> /dev/null && { echo "killed $name"; seen=1; }
done
docker ps > /dev/null 2>&1 && { echo "asked the engine"; seen=1; }
exit $seen
"""


def test_a_report_of_a_host_that_no_agent_wrote_is_named(
    lab: RealLab, cluster: Path, tmp_path: Path, page: Page
) -> None:
    """Who can write to the bucket says that the other host has stored all of its files; its learner failed."""
    program = WRITER + "sys.exit(int(rank))\n"
    shell = Shell(
        lab.bench,
        "launch",
        lab.bench.manifest(tmp_path, "python program.py 20 0.2 2000", program),
        "--cluster",
        cluster,
    )
    shell.until("part-1-3")
    forged = lab.bench.results("_toolkit") / shell.run / "host-1.json"
    while shell.process.poll() is None:
        forged.write_text(json.dumps(REPORT))
        time.sleep(0.05)
    record = record_of(lab.bench, shell.run)
    said = f"{shell.said}\n{json.dumps(record, indent=1)}"
    assert (record["state"], record["end"]) == ("FAILED", "forged report"), said
    assert f"_toolkit/{shell.run}/host-1.json" in record["reason"], said
    for host in lab.hosts:
        wait_until_empty(host)
    wait_until_gone_here(shell.run)
    page.add(Row("11", "a report of the other host is forged in the bucket", "FAILED, forged report", None, None))


@pytest.mark.parametrize("account", STRANGERS)
def test_another_account_of_a_host_can_neither_read_nor_stop_a_run(
    lab: RealLab, cluster: Path, tmp_path: Path, page: Page, account: str
) -> None:
    uid = STRANGERS[account]
    for host in lab.hosts:
        on(host, f"id -u {account} > /dev/null 2>&1 || useradd --create-home --uid {uid} {account}")
    manifest = lab.bench.manifest(tmp_path, "python program.py 30 0.2 2000", WRITER)
    shell = Shell(lab.bench, "launch", manifest, "--cluster", cluster)
    shell.until("part-1-3")
    attack = shlex.quote(ATTACK.replace("RUN", shell.run))
    for host in lab.hosts:
        said = on(host, f"setpriv --reuid {uid} --regid {uid} --clear-groups sh -c {attack} && echo nothing gained")
        assert said.splitlines()[-1] == "nothing gained", said
        for name in ("python program.py", "rclone rcd", "python3 -m toolkit.agent"):
            assert f"found {name}" in said, said
    assert shell.end() == 0, shell.said
    assert record_of(lab.bench, shell.run)["state"] == "COMPLETED"
    files = closed(shell.said)
    assert stored(lab.bench.results(shell.run), files) == files
    for host in lab.hosts:
        wait_until_empty(host)
    wait_until_gone_here(shell.run)
    page.add(Row("11", f"account {account}, uid {uid}, tries to access a run", "COMPLETED, completed", None, None))
