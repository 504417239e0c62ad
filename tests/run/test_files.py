"""What each learner is given."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from toolkit.agent.ranks import NO_GPU, read_ranks
from toolkit.agent.untrusted import Replacements
from toolkit.cluster.reader import read_cluster
from toolkit.manifest.model import Compute
from toolkit.manifest.reader import read_manifest
from toolkit.paths import assets
from toolkit.run.in_container.logs import MARK
from toolkit.run.plan.learner_files import learner_entries, supervisor_plan
from toolkit.run.plan.make_plan import make_plan
from toolkit.run.plan.mpirun import mpirun_argv, single_argv
from toolkit.run.plan.run_plan import Placement, RankCpus, RunImage, RunPlan
from toolkit.run.plan.ssh_keys import KeyPair, new_key_pair
from toolkit.tar.write import Entry

CLIENT, HOSTS = new_key_pair(), {number: new_key_pair() for number in (1, 2, 3)}


def example(compute: Compute) -> RunPlan:
    """The example's plan on other machines."""
    manifest = replace(read_manifest(assets() / "examples" / "mnist" / "manifest.yml"), compute=compute)
    cluster = read_cluster(assets() / "clusters" / "local.yml")
    return make_plan(manifest, cluster, RunImage("i", "sha256:i", ()), "buckets", "training-abcd2345")


@pytest.fixture(scope="module")
def entries() -> dict[str, Entry]:
    """The example's files, by name."""
    plan = example(Compute("p100", 2))
    return {entry.name: entry for entry in learner_entries(plan, "10.0.0.0/24", CLIENT, HOSTS, assets() / "templates")}


def text(entry: Entry) -> str:
    assert isinstance(entry.content, bytes)
    return entry.content.decode()


def test_learner_1_drives_and_the_others_answer(entries: dict[str, Entry]) -> None:
    common = {"entry.sh", "rank.sh"}
    first = {"in_container", "run.json", "hostfile", "ssh_config", "id_ed25519", "known_hosts"} | common
    assert {name.split("/")[1] for name in entries if name.startswith("learner-1/")} == first
    assert {name.split("/")[1] for name in entries if name.startswith("learner-2/")} == (
        {"beat.sh", "sshd_config", "host_key", "authorized_keys"} | common
    )
    assert {name for name in entries if name.startswith("learner-1/in_container/")} == {
        f"learner-1/in_container/{name}"
        for name in (
            "__init__.py",
            "supervise.py",
            "logs.py",
            "control.py",
            "reserve.py",
            "learners.py",
            "process_limit.py",
        )
    }
    assert "exec /usr/bin/python3 -E -m in_container.supervise /run/learner/run.json" in text(
        entries["learner-1/entry.sh"]
    )
    assert "/usr/sbin/sshd -D -e -f $config $options &" in text(entries["learner-2/entry.sh"])


def test_every_file_is_the_learners_alone(entries: dict[str, Entry]) -> None:
    assert {(entry.mode, entry.uid) for entry in entries.values()} == {(0o600, 61000)}


def test_host_keys_are_pinned_and_the_private_ones_stay_apart(entries: dict[str, Entry]) -> None:
    assert text(entries["learner-1/known_hosts"]) == f"[learner-2]:2222 {HOSTS[2].public}\n"
    assert text(entries["learner-2/host_key"]) == HOSTS[2].private.reveal()
    assert text(entries["learner-1/id_ed25519"]) == CLIENT.private.reveal()
    config = text(entries["learner-1/ssh_config"])
    assert "StrictHostKeyChecking yes" in config
    assert "UserKnownHostsFile /run/learner/known_hosts" in config


def test_the_one_key_that_may_enter_sets_the_learners_number(entries: dict[str, Entry]) -> None:
    line = f'restrict,environment="LEARNER_ID=2" {CLIENT.public}\n'
    assert text(entries["learner-2/authorized_keys"]) == line
    assert "PermitUserEnvironment=LEARNER_ID" in text(entries["learner-2/entry.sh"])


def test_the_supervisors_plan_holds_each_steps_command_line(entries: dict[str, Entry]) -> None:
    plan = json.loads(text(entries["learner-1/run.json"]))
    assert [(step["number"], step["parallel"], step["argv"][0]) for step in plan["steps"]] == [
        (1, True, "/usr/bin/mpirun"),
        (2, False, "/bin/bash"),
    ]
    assert [(learner["number"], learner["ranks"]) for learner in plan["learners"]] == [(1, [0]), (2, [1])]


def test_key_pairs_are_new_and_print_no_private_part() -> None:
    one, other = new_key_pair(), new_key_pair()
    assert one.public != other.public
    assert one.public.startswith("ssh-ed25519 ")
    assert "PRIVATE" in one.private.reveal()
    assert "PRIVATE" not in repr(KeyPair(one.private, one.public))


def settings(entry: Entry) -> dict[str, str]:
    """An ssh configuration's words."""
    lines = [line.split(maxsplit=1) for line in text(entry).splitlines() if not line.startswith("#")]
    return dict(lines)


def test_sshd_lets_in_one_key_and_nothing_else(entries: dict[str, Entry]) -> None:
    assert settings(entries["learner-2/sshd_config"]) == {
        "Port": "2222",
        "HostKey": "/run/learner/host_key",
        "AuthorizedKeysFile": "/run/learner/authorized_keys",
        "AuthenticationMethods": "publickey",
        "UsePAM": "no",
        "StrictModes": "no",
        "PidFile": "none",
        "PrintMotd": "no",
        "X11Forwarding": "no",
        "AllowTcpForwarding": "no",
        "MaxStartups": "1024",
        "LogLevel": "ERROR",
    }


@pytest.mark.parametrize(("command", "status"), [("exit 0", 0), ("exit 3", 3), ("kill -KILL $$", 137), ("nosuch", 127)])
def test_a_rank_keeps_its_own_status(tmp_path: Path, entries: dict[str, Entry], command: str, status: int) -> None:
    (tmp_path / "ranks").mkdir()
    script = tmp_path / "rank.sh"
    script.write_text(text(entries["learner-2/rank.sh"]).replace("/run/logs", str(tmp_path)))
    environment = {**os.environ, "OMPI_COMM_WORLD_RANK": "7"}
    argv = ["/bin/sh", str(script), "2", command]
    done = subprocess.run(argv, env=environment, capture_output=True, timeout=30, check=False)
    assert done.returncode == status
    assert done.stdout.startswith(MARK)
    assert read_ranks(tmp_path / "ranks", Replacements()).statuses == {"2.7": status}


FIRST = min(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("rank", "affinity", "errors"),
    [
        (2, {FIRST}, ""),
        (3, os.sched_getaffinity(0), "rank 3 is not bound to CPUs 4095\n"),  # taken from it since: no reason to fail
    ],
)
def test_a_learner_of_several_ranks_binds_each_to_its_cpus(
    tmp_path: Path, rank: int, affinity: set[int], errors: str
) -> None:
    plan = example(Compute("p100x2", 2))
    placements = (Placement(), Placement(cpus=RankCpus((str(FIRST), "4095"))))
    plan = replace(
        plan, learners=tuple(replace(o, placement=s) for o, s in zip(plan.learners, placements, strict=True))
    )
    made = learner_entries(plan, "10.0.0.0/24", CLIENT, HOSTS, assets() / "templates")
    scripts = {entry.name: text(entry).replace("/run/logs", str(tmp_path)) for entry in made}
    assert "taskset" not in scripts["learner-1/rank.sh"]
    (tmp_path / "ranks").mkdir()
    (tmp_path / "rank.sh").write_text(scripts["learner-2/rank.sh"])
    command = f"{sys.executable} -c 'import os; print(os.sched_getaffinity(0))'"
    environment = {**os.environ, "OMPI_COMM_WORLD_RANK": str(rank)}
    argv = ["/bin/sh", str(tmp_path / "rank.sh"), "1", command]
    done = subprocess.run(argv, env=environment, capture_output=True, timeout=30, check=True, text=True)
    assert done.stdout.splitlines()[-1] == str(affinity)
    assert done.stderr.endswith(errors)


def test_the_process_of_a_learner_is_no_rank_has_all_its_cpus_and_a_status_of_its_own(tmp_path: Path) -> None:
    plan = example(Compute("p100x2", 2))
    placements = (Placement(), Placement(cpus=RankCpus((str(FIRST), "4095"))))
    plan = replace(
        plan, learners=tuple(replace(o, placement=s) for o, s in zip(plan.learners, placements, strict=True))
    )
    made = learner_entries(plan, "10.0.0.0/24", CLIENT, HOSTS, assets() / "templates")
    scripts = {entry.name: text(entry).replace("/run/logs", str(tmp_path)) for entry in made}
    (tmp_path / "ranks").mkdir()
    (tmp_path / "rank.sh").write_text(scripts["learner-2/rank.sh"])
    command = f"env; {sys.executable} -c 'import os; print(os.sched_getaffinity(0))'; exit 3"
    kept = {"LEARNER_ID": "2", "NUM_LEARNERS": "2", "GPU_COUNT": "2", "NOT_OMPI_": "1", "LINES": "a\nOMPI_INSIDE=1"}
    gone = {"OMPI_COMM_WORLD_RANK": "5", "OMPI_MCA_btl": "self", "PMIX_RANK": "1", "PMI_RANK": "1", "PRTE_X": "1"}
    environment = {"PATH": os.environ["PATH"], **kept, **gone, "DDL_OPTIONS": "-mode p:2x2"}
    argv = ["/bin/sh", str(tmp_path / "rank.sh"), "4", command, "node"]
    done = subprocess.run(argv, env=environment, capture_output=True, timeout=30, check=False, text=True)
    mark, *seen, affinity, _ = done.stdout.split("\n")
    assert (done.returncode, done.stderr, mark.encode() + b"\n", affinity) == (
        *(3, "", MARK + b"started\n"),
        str(os.sched_getaffinity(0)),
    )
    names = {line.partition("=")[0] for line in seen}
    assert not {*gone, "DDL_OPTIONS", "DDL_GUARD_FILE"} & names
    assert {*kept, "OMPI_INSIDE"} <= names
    assert read_ranks(tmp_path / "ranks", Replacements()).statuses == {"4.1": 3}


def test_a_learner_of_one_rank_is_bound_by_its_container(entries: dict[str, Entry]) -> None:
    assert "taskset" not in text(entries["learner-1/rank.sh"])


def test_a_rank_has_no_status_before_its_end_and_room_for_one_from_its_beginning(
    tmp_path: Path, entries: dict[str, Entry]
) -> None:
    (tmp_path / "ranks").mkdir()
    (tmp_path / "ranks" / "2.7").write_text("137\n")  # an earlier attempt's
    script = tmp_path / "rank.sh"
    script.write_text(text(entries["learner-2/rank.sh"]).replace("/run/logs", str(tmp_path)))
    argv = ["/bin/sh", str(script), "2", f"cat {tmp_path}/ranks/2.7; ls -i {tmp_path}/ranks/2.7"]
    environment = {**os.environ, "OMPI_COMM_WORLD_RANK": "7"}
    done = subprocess.run(argv, env=environment, capture_output=True, timeout=30, check=True, text=True)
    room, inode = done.stdout.splitlines()[-2:]
    assert room == " " * 45
    assert int(inode.split()[0]) == (tmp_path / "ranks" / "2.7").stat().st_ino, "written over, not anew"


@pytest.mark.parametrize("name", ["learner-1/entry.sh", "learner-2/entry.sh", "learner-1/rank.sh", "learner-2/beat.sh"])
def test_scripts_are_a_shells(tmp_path: Path, entries: dict[str, Entry], name: str) -> None:
    assert text(entries[name]).startswith("#!/bin/sh\n")
    subprocess.run(["/bin/sh", "-n"], input=text(entries[name]).encode(), timeout=30, check=True)


def test_ssh_knows_one_key_and_trusts_no_stranger(entries: dict[str, Entry]) -> None:
    assert settings(entries["learner-1/ssh_config"]) == {
        "Host": "*",
        "Port": "2222",
        "User": "learner",
        "IdentityFile": "/run/learner/id_ed25519",
        "IdentitiesOnly": "yes",
        "UserKnownHostsFile": "/run/learner/known_hosts",
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes",
        "BatchMode": "yes",
        "ConnectTimeout": "10",
        "ControlPath": "/tmp/toolkit-ssh-%C",
        "ServerAliveInterval": "5",
        "ServerAliveCountMax": "3",
        "LogLevel": "ERROR",
    }


@pytest.mark.parametrize(("open_mpi", "path"), [("4.1.4", "/tmp/toolkit-ssh-%C"), ("5.0.7", None)])
def test_mpirun_shares_connections_with_heartbeats_only_where_its_daemons_detach(
    open_mpi: str, path: str | None
) -> None:
    plan = example(Compute("p100", 2))
    plan = replace(plan, image=replace(plan.image, open_mpi=open_mpi))
    made = learner_entries(plan, "10.0.0.0/24", CLIENT, HOSTS, assets() / "templates")
    config = next(entry for entry in made if entry.name == "learner-1/ssh_config")
    assert settings(config).get("ControlPath") == path


def test_the_supervisor_gets_all_that_it_needs() -> None:
    plan = example(Compute("p100x2", 2))
    first, second = plan.steps
    assert supervisor_plan(plan, "10.0.0.0/24") == {
        "logs": "/run/logs",
        "control": "/run/agent",
        "port": 2222,
        "open_mpi": 4,
        "agent": ["ssh", "-F", "/run/learner/ssh_config"],
        "start_deadline": 60,
        "lost": 12,
        "quiet": 0,
        "grace": 10,
        "limit": 0,
        "retries": 0,
        "learners": [
            {"number": 1, "hostname": "learner-1", "host": "", "ranks": [0, 1]},
            {"number": 2, "hostname": "learner-2", "host": "", "ranks": [2, 3]},
        ],
        "steps": [
            {
                "number": step.number,
                "command": step.command,
                "parallel": step.parallel,
                "each": "rank",
                "argv": argv,
                "folder": "/job/code",
                "timeout": 0,
                "environment": {},
            }
            for step, argv in ((first, mpirun_argv(plan, first, "10.0.0.0/24")), (second, single_argv(second)))
        ],
    }


def test_each_of_three_learners_has_its_own_key_and_number() -> None:
    plan = example(Compute("p100", 3))
    files = {entry.name: entry for entry in learner_entries(plan, "10.0.0.0/24", CLIENT, HOSTS, assets() / "templates")}
    assert text(files["learner-1/known_hosts"]).splitlines() == [
        f"[learner-{number}]:2222 {HOSTS[number].public}" for number in (2, 3)
    ]
    for number in (2, 3):
        assert text(files[f"learner-{number}/host_key"]) == HOSTS[number].private.reveal()
        assert f'environment="LEARNER_ID={number}"' in text(files[f"learner-{number}/authorized_keys"])
    assert [name for name, entry in files.items() if CLIENT.private.reveal() in text(entry)] == ["learner-1/id_ed25519"]


def test_one_learner_alone_has_no_one_to_know() -> None:
    plan = example(Compute("p100", 1))
    files = {entry.name: entry for entry in learner_entries(plan, "10.0.0.0/24", CLIENT, HOSTS, assets() / "templates")}
    assert {name.partition("/")[0] for name in files} == {"learner-1"}
    assert text(files["learner-1/known_hosts"]) == ""


@dataclass
class Rank:
    """A learner's rank wrapper, whose driver is a stand-in: files for /dev/nvidia*, and `nvidia-smi` on the PATH."""

    folder: Path

    def run(self, gpus: tuple[str, ...], devices: int, smi: str = "", **more: str) -> tuple[int, str, str]:
        """Its status, what it wrote and what it left for the agent, where its learner was given `gpus`."""
        placement = Placement("p100-02", "10.0.0.2", "eth0", gpus)
        plan = example(Compute("p100x2", 1))
        plan = replace(plan, learners=(replace(plan.learners[0], placement=placement),))
        made = {one.name: one for one in learner_entries(plan, "10.0.0.0/24", CLIENT, HOSTS, assets() / "templates")}
        (self.folder / "ranks").mkdir(exist_ok=True)
        for number in range(devices):
            (self.folder / f"nvidia{number}").touch()
        (self.folder / "nvidiactl").touch()
        script = text(made["learner-1/rank.sh"]).replace("/run/logs", str(self.folder))
        (self.folder / "rank.sh").write_text(script.replace("/dev/nvidia[0-9]", f"{self.folder}/nvidia[0-9]"))
        if smi:
            (self.folder / "nvidia-smi").write_text(f"#!/bin/sh\n{smi}\n")
            (self.folder / "nvidia-smi").chmod(0o755)
        environment = {**os.environ, "OMPI_COMM_WORLD_RANK": "1", "PATH": f"{self.folder}:{os.environ['PATH']}", **more}
        argv = ["/bin/sh", str(self.folder / "rank.sh"), "1", "echo trained"]
        done = subprocess.run(argv, env=environment, capture_output=True, timeout=30, check=False, text=True)
        return done.returncode, done.stdout.split("\n", 1)[1] + done.stderr, (self.folder / "ranks" / "1.1").read_text()


@pytest.mark.parametrize(
    ("devices", "smi", "more", "said"),
    [
        (0, "", {}, "sees 0 of the 2 p100 GPUs"),
        (1, "", {}, "sees 1 of the 2 p100 GPUs"),
        (2, "echo 'GPU 0: Tesla P100 (UUID: GPU-a)'", {}, "sees 1 of the 2 p100 GPUs"),
        (2, "echo Failed to initialize NVML: Driver/library version mismatch; exit 18", {}, "status 18: Failed to"),
        (2, "", {"CUDA_VISIBLE_DEVICES": ""}, "sees 0 of the 2"),
        (2, "", {"CUDA_VISIBLE_DEVICES": "-1"}, "CUDA_VISIBLE_DEVICES: -1;"),
    ],
)
def test_a_rank_that_does_not_see_its_gpus_does_not_start_its_command(
    tmp_path: Path, devices: int, smi: str, more: dict[str, str], said: str
) -> None:
    status, output, _ = Rank(tmp_path).run(("GPU-a", "GPU-b"), devices, smi, **more)
    assert status == NO_GPU
    assert said in output
    assert "rank 1 on learner-1 on p100-02 sees" in output
    assert "toolkit doctor" in output
    assert "trained" not in output
    found = read_ranks(tmp_path / "ranks", Replacements())
    assert (found.statuses, found.without_gpu, found.times) == ({"1.1": NO_GPU}, ("1.1",), {})


@pytest.mark.parametrize(
    ("gpus", "devices", "smi"),
    [
        (("GPU-a", "GPU-b"), 2, ""),
        (("GPU-a", "GPU-b"), 2, "printf 'GPU 0: a\\n  MIG 1g\\nGPU 1: b\\n'"),
        ((), 0, ""),
        ((), 0, "exit 9"),
    ],
)
def test_a_rank_that_sees_its_gpus_or_was_given_none_starts(
    tmp_path: Path, gpus: tuple[str, ...], devices: int, smi: str
) -> None:
    assert Rank(tmp_path).run(gpus, devices, smi)[:2] == (0, "trained\n")


def torch_variables(**more: str) -> dict[str, str]:
    """What a rank's program finds for torch.distributed: rank 2 of 4, the first of learner 2."""
    plan = replace(example(Compute("p100x2", 2)), master_port=30007)
    made = {one.name: one for one in learner_entries(plan, "10.0.0.0/24", CLIENT, HOSTS, assets() / "templates")}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "ranks").mkdir()
        script = Path(folder) / "rank.sh"
        script.write_text(text(made["learner-2/rank.sh"]).replace("/run/logs", folder))
        mpi = {"RANK": "2", "SIZE": "4", "LOCAL_RANK": "0", "LOCAL_SIZE": "2"}
        environment = {**os.environ, **{f"OMPI_COMM_WORLD_{name}": value for name, value in mpi.items()}, **more}
        argv = ["/bin/sh", str(script), "1", "env"]
        done = subprocess.run(argv, env=environment, capture_output=True, timeout=30, check=True, text=True)
    found = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK", "MASTER_ADDR", "MASTER_PORT")
    return {name: found[name] for name in names}


def test_every_rank_finds_what_torch_distributed_asks_for() -> None:
    assert torch_variables() == {
        "RANK": "2",
        "WORLD_SIZE": "4",
        "LOCAL_RANK": "0",
        "LOCAL_WORLD_SIZE": "2",
        "GROUP_RANK": "1",
        "MASTER_ADDR": "learner-1",
        "MASTER_PORT": "30007",
    }
    assert torch_variables(MASTER_PORT="6000")["MASTER_PORT"] == "6000"
