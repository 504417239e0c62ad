"""The proof of an image by a real engine: images as they are built, and images with everything wrong."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from toolkit.catalogue.model import LEARNER_UID, FrameworkRow
from toolkit.progress import silent
from toolkit.validation import validate as module
from toolkit.validation.expectations import expectation
from toolkit.validation.gpu_code import judge, libraries_of
from toolkit.validation.in_container import fatbin
from toolkit.validation.model import TOOL_IMAGE, Expectation, Proof
from toolkit.validation.validate import prove

from .bench import MANIFEST, Bench

ALL_CHECKS = {
    *("framework", "ranks", "ddl", "GPU code"),
    *("privileges", "private keys", "secrets", "caches", "building site", "certificates"),
}


def docker(*words: str, data: bytes | None = None) -> str:
    done = subprocess.run(["docker", *words], input=data, capture_output=True, check=True, timeout=300)
    return done.stdout.decode()


def verdicts(proof: Proof) -> dict[str, set[str]]:
    return {check: {f.verdict for f in proof.findings if f.check == check} for check in ALL_CHECKS}


@pytest.fixture
def made(image: str) -> Iterator[list[str]]:
    """Names of images to remove again."""
    names: list[str] = []
    yield names
    for name in names:
        docker("image", "rm", "--force", name)


def on_top(image: str, instructions: str, made: list[str]) -> str:
    """An image with `instructions` carried out by root on top of `image`."""
    name = f"toolkit-test-proof:{uuid.uuid4().hex[:12]}"
    text = f"FROM {image}\nUSER 0:0\n{instructions}\n"
    docker("build", "--network", "none", "--tag", name, "-", data=text.encode())
    made.append(name)
    return name


@pytest.fixture(scope="session")
def expected(row: FrameworkRow) -> Expectation:
    return expectation(row)


def test_the_examples_image_does_what_its_row_promises(image: str, expected: Expectation) -> None:
    proof = prove(image, expected, silent)
    assert proof.ok, proof.failed
    assert verdicts(proof) == {check: {"skipped"} if check == "GPU code" else {"ok"} for check in ALL_CHECKS}
    said = {finding.check: finding.said for finding in proof.findings}
    assert said["framework"].startswith(f"tensorflow {expected.version}.")
    assert said["ddl"] == "/opt/ddl/ddl connected 2 ranks"


def test_the_side_containers_image_holds_nothing_that_it_must_not(bench: Bench) -> None:
    buckets = json.loads(bench.ok("build", "--json", MANIFEST).stdout)["buckets_image"]["reference"]
    proof = prove(buckets, TOOL_IMAGE, silent)
    assert proof.ok, proof.failed
    inside = {"framework", "ranks", "ddl", "GPU code"}
    assert verdicts(proof) == {check: {"skipped"} if check in inside else {"ok"} for check in ALL_CHECKS}


@pytest.mark.slow
def test_an_image_that_is_not_what_was_asked_for(image: str, expected: Expectation) -> None:
    other = replace(expected, version="2.1", architectures=("sm_60",))
    failed = {finding.check: finding.said for finding in prove(image, other, silent).failed}
    assert failed["framework"].endswith("not 2.1")
    assert failed["GPU code"] == "no library of tensorflow or CUDA has code for any GPU"
    assert set(failed) == {"framework", "GPU code"}


SINS = r"""
RUN cp /bin/cat /usr/bin/reader && chmod 4755 /usr/bin/reader
RUN cp /bin/cat /usr/bin/capable && python -c "import os; \
    os.setxattr('/usr/bin/capable', 'security.capability', bytes.fromhex('0100000200200000000000000000000000000000'))"
RUN ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
RUN ssh-keygen -q -t ed25519 -N '' -f /opt/key
RUN mkdir -p /root/.docker && echo '{"auths": {}}' > /root/.docker/config.json
RUN mkdir -p /root/.cache/pip && echo x > /root/.cache/pip/x && echo x > /var/log/apt.log
RUN mkdir -p /usr/local/share/ca-certificates && echo x > /usr/local/share/ca-certificates/site.crt
RUN echo 'Acquire::http::Proxy "http://proxy.site:3128";' > /etc/apt/apt.conf.d/80proxy
ENV https_proxy=http://proxy.site:3128 REGISTRY_PASSWORD=word
"""


@pytest.mark.slow
def test_every_sin_is_found(image: str, made: list[str]) -> None:
    """Also that an engine's export tells of set-user-id and of file capabilities."""
    proof = prove(on_top(image, SINS, made), TOOL_IMAGE, silent)
    assert sorted(str(finding) for finding in proof.failed) == [
        "building site: /etc/apt/apt.conf.d/80proxy names a proxy",
        "building site: the image sets https_proxy, which only the build site knows",
        "caches: /root/.cache/pip/x is a user's cache",
        "caches: /var/log/apt.log is a log",
        "certificates: /usr/local/share/ca-certificates/site.crt was added to the CAs that the distribution trusts",
        "private keys: /etc/ssh/ssh_host_ed25519_key is a host key: every container of this image would answer with it",
        "private keys: /etc/ssh/ssh_host_ed25519_key.pub is a host key: "
        "every container of this image would answer with it",
        "private keys: /opt/key holds a private key",
        "privileges: /usr/bin/capable has file capabilities",
        "privileges: /usr/bin/reader is set-user-id (mode 4755, user 0)",
        "secrets: /root/.docker/config.json is a credentials file",
        "secrets: the image sets REGISTRY_PASSWORD",
    ]


BROKEN = r"""
RUN printf 'import os\nos.abort()\n' > /opt/tensorflow.py
RUN printf '#!/bin/sh\necho no slots; exit 3\n' > /usr/bin/mpirun.sh && chmod 755 /usr/bin/mpirun.sh \
 && ln -sf /usr/bin/mpirun.sh /etc/alternatives/mpirun
ENV PYTHONPATH=/opt
"""


def test_what_does_not_work_is_said_with_its_own_words(image: str, expected: Expectation, made: list[str]) -> None:
    failed = {finding.check: finding.said for finding in prove(on_top(image, BROKEN, made), expected, silent).failed}
    assert failed["framework"].splitlines()[0] == "Python was ended by SIGABRT"
    assert failed["ranks"].splitlines() == [
        "mpirun ended with status 3; ranks answered (number, of how many): none",
        "no slots",
    ]
    assert set(failed) == {"framework", "ranks", "ddl", "ddl ops"}


@pytest.mark.slow
def test_an_image_without_python_has_failed(image: str, expected: Expectation, made: list[str]) -> None:
    without = on_top(image, "ENV PATH=/nowhere", made)
    failed = {finding.check: finding.said for finding in prove(without, expected, silent).failed}
    assert {said.splitlines()[0] for said in failed.values()} == {"the image's `python` could not be started"}


def test_a_check_that_never_ends_leaves_no_container(image: str, expected: Expectation, made: list[str]) -> None:
    endless = on_top(
        image, "RUN printf 'import time\\ntime.sleep(600)\\n' > /opt/tensorflow.py\nENV PYTHONPATH=/opt", made
    )
    check = replace(next(module.checks(expected)), seconds=3)
    (finding,) = module.carry_out(check, endless, expected)
    assert (finding.verdict, finding.said.splitlines()[0]) == ("fail", "no answer in 3 s")
    assert docker("ps", "--all", "--quiet", "--filter", f"ancestor={endless}") == ""


def test_nothing_inside_can_write_to_the_image(image: str, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import json, os\n"
        "places = [p for p in ('/', '/opt', '/opt/venv', '/home', '/var/tmp') if os.access(p, os.W_OK)]\n"
        "print(json.dumps({'said': [os.getuid(), places, sorted(os.listdir('/sys/class/net'))]}))\n"
    )
    argv = module.run_inside(image, f"toolkit-test-{uuid.uuid4().hex[:12]}", ())
    done = subprocess.run(argv, input=program.read_bytes(), capture_output=True, check=True, timeout=60)
    assert json.loads(done.stdout) == {"said": [LEARNER_UID, [], ["lo"]]}


def wheel(folder: Path, requirement: str) -> Path:
    """The libraries of a wheel from the package index."""
    platforms = ("manylinux1_x86_64", "manylinux2014_x86_64", "manylinux_2_27_x86_64")
    argv = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--only-binary=:all:",
        "--dest",
        str(folder),
    ]
    argv += [word for platform in platforms for word in ("--platform", platform)]
    subprocess.run([*argv, requirement], check=True, capture_output=True, timeout=600)
    (file,) = folder.glob("*.whl")
    with zipfile.ZipFile(file) as archive:
        archive.extractall(folder, [name for name in archive.namelist() if ".so" in name])
    file.unlink()
    return folder


def libraries(folder: Path) -> dict[str, tuple[list[int], list[int]]]:
    found = {Path(path).name: fatbin.read(path) for path in fatbin.libraries(str(folder))}
    return {name: (cubins, ptx) for name, (cubins, ptx) in found.items() if cubins or ptx}


def test_cufft_keeps_its_code_where_others_keep_data(tmp_path: Path) -> None:
    """Its section `.nv_fatbin` alone would say sm_52."""
    cubins, ptx = libraries(wheel(tmp_path, "nvidia-cufft-cu12==11.2.3.61"))["libcufft.so.11"]
    assert cubins == [50, 53, 60, 62, 70, 72, 75, 80, 86, 87, 89, 90]
    assert ptx == [50, 53, 70, 80, 86, 90]


@pytest.mark.slow
def test_cudnn_9_11_has_no_pascal_in_four_of_five_libraries(tmp_path: Path) -> None:
    folder = wheel(tmp_path, "nvidia-cudnn-cu12==9.11.0.98")
    found = libraries(folder)
    assert {name for name, (cubins, _) in found.items() if 60 in cubins} == {"libcudnn_engines_precompiled.so.9"}
    reply = {
        "libraries": [{"path": f"/x/{n}", "cubins": c, "ptx": p, "damaged": ""} for n, (c, p) in sorted(found.items())]
    }
    findings = judge(libraries_of(reply), Expectation("tensorflow", architectures=("sm_60",)))
    assert [finding.said.split()[0] for finding in findings if finding.verdict == "fail"] == [
        f"/x/libcudnn_{name}.so.9" for name in ("adv", "cnn", "engines_runtime_compiled", "ops")
    ]
