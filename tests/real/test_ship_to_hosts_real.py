"""Images to hosts for real: over ssh, to engines of their own, and from host to host."""

from __future__ import annotations

import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from toolkit.cluster.model import Cluster
from toolkit.cluster.reader import read_cluster
from toolkit.containers.engine import Engine
from toolkit.errors import ToolkitError
from toolkit.hosts.cluster_hosts import Hosts
from toolkit.image.store import ImageStore
from toolkit.progress import Progress, silent
from toolkit.shipping.hosts.ship import Shipped, ship

from .bench import heed_signals, interrupt
from .lab import NAME, RealLab

MIB = 1 << 20


@pytest.fixture(scope="module")
def cluster(lab: RealLab) -> Cluster:
    return read_cluster(lab.cluster_file)


@contextmanager
def engines(cluster: Cluster) -> Iterator[list[Engine]]:
    with Hosts(cluster) as hosts:
        yield [Engine(shell) for shell in hosts.shells]


@pytest.fixture
def make(lab: RealLab) -> Iterator[Callable[..., str]]:
    """Make an image of layers of random bytes, so many MiB each, on top of another image; it is gone afterwards."""
    made: list[str] = []

    def build(*sizes: int, on: str = "scratch", folder: Path) -> str:
        name = f"{NAME}:{secrets.token_hex(6)}"
        text = f"FROM {on}\n"
        for number, size in enumerate(sizes):
            file = f"{secrets.token_hex(4)}-{number}"
            (folder / file).write_bytes(secrets.token_bytes(size * MIB))
            text += f"COPY {file} /{file}\n"
        (folder / "Dockerfile").write_text(text + f"LABEL made={name}\n")
        subprocess.run(["docker", "build", "--quiet", "--tag", name, folder], check=True, capture_output=True)
        made.append(name)
        return name

    yield build
    for name in reversed(made):
        subprocess.run(["docker", "image", "rm", "--force", name], check=False, capture_output=True)
        for host in lab.hosts:
            lab.ssh(host, f"docker image rm --force {name}")


def sent(
    image: str, hosts: Sequence[Engine], report: Callable[[Progress], None] = silent, **options: object
) -> tuple[Shipped, ...]:
    store = ImageStore()
    return ship(store.get(image).image_id, image, store, hosts, report, **options)  # type: ignore[arg-type]


def image_id(image: str) -> str:
    return ImageStore().get(image).image_id


def there(lab: RealLab, host: str, image: str) -> str:
    return lab.ssh(host, f"docker image inspect --format '{{{{.Id}}}}' {image}").stdout.strip()


def left_by_shipping(lab: RealLab) -> list[str]:
    """Containers, volumes, and what an engine unpacked and did not use, on all hosts."""
    look = "docker ps --all --quiet; docker volume ls --quiet; ls /var/lib/docker/tmp; pgrep -l rclone; true"
    return [line for host in lab.hosts for line in lab.ok(host, look).splitlines()]


def test_shipped_once_then_not_again(lab: RealLab, cluster: Cluster, make: Callable[..., str], tmp_path: Path) -> None:
    image = make(3, 2, folder=tmp_path)
    with engines(cluster) as hosts:
        assert sent(image, hosts) == tuple(Shipped(host, "operator", 2) for host in lab.hosts)
        assert [there(lab, host, image) for host in lab.hosts] == [image_id(image)] * 2
        assert sent(image, hosts) == tuple(Shipped(host, "there", 0) for host in lab.hosts)
    assert left_by_shipping(lab) == []


def test_only_the_layers_that_a_host_lacks_travel(
    lab: RealLab, cluster: Cluster, make: Callable[..., str], tmp_path: Path
) -> None:
    below = make(8, 8, folder=tmp_path)
    above = make(1, 1, on=below, folder=tmp_path)
    first = lab.hosts[0]
    reported: list[Progress] = []
    with engines(cluster) as hosts:
        sent(below, hosts[:1])
        answer = sent(above, hosts, reported.append)
    assert answer == (Shipped(first, "operator", 2), Shipped(lab.hosts[1], "operator", 4))
    assert [there(lab, host, above) for host in lab.hosts] == [image_id(above)] * 2
    assert max(one.done for one in reported if one.stage == first) < 3 * MIB
    assert max(one.done for one in reported if one.stage == lab.hosts[1]) > 18 * MIB


def test_a_host_feeds_another_and_nothing_stays(
    lab: RealLab, cluster: Cluster, make: Callable[..., str], buckets_image: str, tmp_path: Path
) -> None:
    image = make(9, 4, folder=tmp_path)
    addresses = {host.name: host.address for host in cluster.hosts}
    reported: list[Progress] = []
    with engines(cluster) as hosts:
        answer = sent(image, hosts, reported.append, relay_image=buckets_image, addresses=addresses, tree_from=2)
    ways = {one.way for one in answer}
    (root,) = ways - {"operator"}
    assert root in lab.hosts
    assert [there(lab, host, image) for host in lab.hosts] == [image_id(image)] * 2
    fed = [one for one in reported if one.detail == f"from {root}"]
    assert fed[-1].done == fed[-1].total > 13 * MIB
    assert left_by_shipping(lab) == []


def test_who_has_no_pair_is_not_served(
    lab: RealLab, cluster: Cluster, make: Callable[..., str], buckets_image: str, tmp_path: Path
) -> None:
    image = make(60, folder=tmp_path)
    addresses = {host.name: host.address for host in cluster.hosts}
    refused: list[str] = []

    def try_it(progress: Progress) -> None:
        """While one host feeds the other."""
        if not progress.detail.startswith("from ") or refused:
            return
        root = progress.detail.removeprefix("from ")
        port = lab.ok(root, "docker logs $(docker ps --quiet) 2>&1 | sed -n 's|.*https://[^ ]*:\\([0-9]*\\)/.*|\\1|p'")
        url = f"https://{addresses[root]}:{port}/image"
        done = subprocess.run(["curl", "-sSk", "--max-time", "5", url], capture_output=True, text=True, check=False)
        refused.append(f"{done.returncode} {done.stderr}")

    with engines(cluster) as hosts:
        sent(image, hosts, try_it, relay_image=buckets_image, addresses=addresses, tree_from=2)
    assert refused
    assert "certificate" in refused[0] or "alert" in refused[0]


def test_where_hosts_do_not_reach_each_other_each_is_fed_from_here(
    lab: RealLab, cluster: Cluster, make: Callable[..., str], buckets_image: str, tmp_path: Path
) -> None:
    image = make(2, folder=tmp_path)
    # 127.0.0.1 is another machine on every host.
    addresses = dict.fromkeys(lab.hosts, "127.0.0.1")
    reported: list[Progress] = []
    with engines(cluster) as hosts:
        answer = sent(image, hosts, reported.append, relay_image=buckets_image, addresses=addresses, tree_from=2)
    assert {one.way for one in answer} == {"operator"}
    assert [there(lab, host, image) for host in lab.hosts] == [image_id(image)] * 2
    assert any("failed, sending from this machine" in one.detail for one in reported)
    assert left_by_shipping(lab) == []


def test_a_registry_that_does_not_answer_is_reported_and_passed_by(
    lab: RealLab, cluster: Cluster, make: Callable[..., str], tmp_path: Path
) -> None:
    image = make(1, folder=tmp_path)
    reported: list[Progress] = []
    with engines(cluster) as hosts:
        answer = sent(image, hosts[:1], reported.append, registry="127.0.0.1:9/training")
    assert answer == (Shipped(lab.hosts[0], "operator", 1),)
    assert any("127.0.0.1:9/training failed, sending over ssh instead" in one.detail for one in reported)


def test_a_full_disk_is_reported_with_its_host_and_the_other_host_has_the_image(
    lab: RealLab, cluster: Cluster, make: Callable[..., str], tmp_path: Path
) -> None:
    image = make(30, folder=tmp_path)
    full, well = lab.hosts
    # The engine unpacks there what it loads.
    lab.ok(full, "mkdir -p /var/lib/docker/tmp && mount -t tmpfs -o size=8m tmpfs /var/lib/docker/tmp")
    try:
        with engines(cluster) as hosts, pytest.raises(ToolkitError) as caught:
            sent(image, hosts)
    finally:
        lab.ok(full, "umount /var/lib/docker/tmp")
    assert caught.value.what == f"the disk of {full}'s engine is full"
    assert (there(lab, full, image), there(lab, well, image)) == ("", image_id(image))
    assert left_by_shipping(lab) == []
    with engines(cluster) as hosts:
        assert sent(image, hosts) == (Shipped(full, "operator", 1), Shipped(well, "there", 0))


@pytest.mark.slow
def test_a_cut_wire_is_reported_with_its_host_and_leaves_nothing(
    lab: RealLab, cluster: Cluster, make: Callable[..., str], tmp_path: Path
) -> None:
    image = make(200, folder=tmp_path)
    first, second = lab.hosts
    cut: list[bool] = []

    def report(progress: Progress) -> None:
        if progress.stage == first and progress.done > 20 * MIB and not cut:
            cut.append(True)
            lab.ssh(first, "setsid sh -c 'sleep 0.1; pkill -f [s]shd:.root' > /dev/null 2>&1 &")

    with engines(cluster) as hosts, pytest.raises(ToolkitError) as caught:
        sent(image, hosts, report)
    assert first in caught.value.what
    assert cut
    assert (there(lab, first, image), there(lab, second, image)) == ("", image_id(image))
    with engines(cluster) as hosts:
        assert sent(image, hosts) == (Shipped(first, "operator", 1), Shipped(second, "there", 0))


PROGRAM = """
import sys
from pathlib import Path
from toolkit.cluster.reader import read_cluster
from toolkit.containers.engine import Engine
from toolkit.hosts.cluster_hosts import Hosts
from toolkit.image.store import ImageStore
from toolkit.shipping.hosts.ship import ship

cluster, store = read_cluster(Path(sys.argv[1])), ImageStore()
addresses = {host.name: host.address for host in cluster.hosts}
with Hosts(cluster) as hosts:
    engines = [Engine(shell) for shell in hosts.shells]
    ship(store.get(sys.argv[2]).image_id, sys.argv[2], store, engines, lambda p: print(p, flush=True),
         relay_image=sys.argv[3], addresses=addresses, tree_from=2)
"""


@pytest.mark.parametrize("when", ["sending layer", "from "])
@pytest.mark.slow
def test_a_ctrl_c_leaves_nothing_on_any_host(
    lab: RealLab, cluster: Cluster, make: Callable[..., str], buckets_image: str, tmp_path: Path, when: str
) -> None:
    image = make(150, folder=tmp_path)
    with engines(cluster) as hosts:
        sent(buckets_image, hosts)
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, lab.cluster_file, image, buckets_image],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=heed_signals,
    )
    assert process.stdout is not None
    next(line for line in process.stdout if f"detail='{when}" in line)
    interrupt(process)
    process.stdout.read()
    assert process.wait(60) != 0
    deadline = time.monotonic() + 60  # the engine itself clears away what it had begun to unpack
    while left_by_shipping(lab) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert left_by_shipping(lab) == []
    assert there(lab, lab.hosts[1], image) in ("", image_id(image))
    with engines(cluster) as hosts:
        sent(image, hosts)
    assert [there(lab, host, image) for host in lab.hosts] == [image_id(image)] * 2


@pytest.mark.slow
def test_a_large_image_passes_through_little_memory(
    lab: RealLab, cluster: Cluster, make: Callable[..., str], tmp_path: Path
) -> None:
    image = make(400, folder=tmp_path)
    program = PROGRAM.replace("lambda p: print(p, flush=True)", "lambda p: None")
    # Not getrusage: what it tells a child begins with the parent's.
    program += "print(next(line for line in Path('/proc/self/status').open() if line.startswith('VmHWM')))\n"
    argv = [sys.executable, "-c", program.replace("tree_from=2", "tree_from=9"), lab.cluster_file, image, image]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=300)
    assert int(done.stdout.split()[1]) < 150_000  # KiB
    assert [there(lab, host, image) for host in lab.hosts] == [image_id(image)] * 2
