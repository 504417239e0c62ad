"""What an image must not hold: one file at a time."""

from __future__ import annotations

import io
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.validation.file_checks import judge_files
from toolkit.validation.file_scan import Seen, seen_in

from .conftest import reported, text


def test_a_stream_gives_every_member_with_what_decides(tar: io.BytesIO) -> None:
    seen = {file.path: file for file in seen_in(tar)}
    assert {path: (file.kind, file.mode, file.uid, file.size, file.capable) for path, file in seen.items()} == {
        "etc": ("folder", 0o755, 0, 0, False),
        "usr/bin/su": ("file", 0o4755, 0, 2, False),
        "usr/bin/also-su": ("file", 0o4755, 0, 0, False),
        "usr/bin/link": ("link", 0o644, 0, 0, False),
        "disk": ("device", 0o600, 0, 0, False),
        "pipe": ("other", 0o644, 0, 0, False),
        "usr/bin/ping": ("file", 0o755, 0, 0, True),
        "large": ("file", 0o644, 1000, 200_000, False),
        "etc/ssl/certs/ca-certificates.crt": ("file", 0o644, 0, 200_000, False),
    }
    assert seen["large"].content == b""
    assert len(seen["etc/ssl/certs/ca-certificates.crt"].content) == 200_000


def test_an_image_in_order_is_reported_check_by_check() -> None:
    findings = judge_files([Seen("usr/bin/su", mode=0o4755)], {"Env": ["PATH=/usr/bin"]})
    assert [(finding.check, finding.verdict) for finding in findings] == [
        (check, "ok") for check in ("privileges", "private keys", "secrets", "caches", "building site", "certificates")
    ]


def test_an_image_without_a_file_proves_nothing() -> None:
    (finding,) = judge_files([], {})
    assert (finding.check, finding.verdict) == ("files", "fail")


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (Seen("usr/bin/sudo", mode=0o4755), ["/usr/bin/sudo is set-user-id (mode 4755, user 0)"]),
        (Seen("opt/venv/bin/x", mode=0o2755), ["/opt/venv/bin/x is set-group-id (mode 2755)"]),
        (Seen("usr/bin/wall", mode=0o4755), ["/usr/bin/wall is set-user-id (mode 4755, user 0)"]),
        (
            Seen("bin/su", mode=0o4755, uid=1000),
            ["/bin/su runs with elevated privileges and belongs to user 1000, not to root"],
        ),
        (
            Seen("bin/su", mode=0o4757),
            ["/bin/su runs with elevated privileges and is writable by others (mode 4757)"],
        ),
        (Seen("usr/bin/tcpdump", capable=True), ["/usr/bin/tcpdump has file capabilities"]),
        (Seen("opt/disk", "device"), ["/opt/disk is a device"]),
        (Seen("bin/mount", mode=0o4755), []),
        (Seen("usr/bin/fusermount3", mode=0o4755), []),
        (Seen("usr/lib/openssh/ssh-keysign", mode=0o4755), []),
        (Seen("usr/sbin/unix_chkpwd", mode=0o2755), []),
        (Seen("usr/bin/ping", mode=0o755, capable=True), []),
        (Seen("var/local", "folder", 0o2775), []),
        (Seen("dev/console", "device"), []),
    ],
)
def test_rights_that_nothing_needs(file: Seen, said: list[str]) -> None:
    assert reported(file) == [f"privileges: {line}" for line in said]


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("var/lib/apt/lists/deb.debian.org_dists_bookworm_InRelease", "a list of packages, from a package archive"),
        ("var/cache/apt/archives/x_1_amd64.deb", "an apt cache"),
        ("var/cache/apt/pkgcache.bin", "an apt cache"),
        ("root/.cache/pip/http/a/b", "a user's cache"),
        ("home/learner/.cache/x", "a user's cache"),
        ("tmp/x", "a temporary file"),
        ("var/tmp/a/b", "a temporary file"),
        ("var/log/dpkg.log", "a log"),
        ("build/wheels/x-1-py3-none-any.whl", "a wheel"),
    ],
)
def test_what_is_left_of_the_build(path: str, what: str) -> None:
    assert reported(text(path, "x")) == [f"caches: /{path} is {what}"]


@pytest.mark.parametrize(
    "file",
    [
        Seen("tmp", "folder", 0o1777),
        Seen("var/log/apt", "folder"),
        Seen("var/log/btmp"),
        Seen("var/lib/apt/lists/lock"),
        Seen("usr/lib/python3.11/ensurepip/_bundled/pip-23-py3-none-any.whl", size=9),
        Seen("usr/share/python-wheels/pip-23-py3-none-any.whl", size=9),
        Seen("var/cache/debconf/templates.dat", size=9),
    ],
)
def test_what_belongs_there(file: Seen) -> None:
    assert reported(file) == []


def test_an_empty_temporary_file_is_one() -> None:
    assert reported(Seen("tmp/lock")) == ["caches: /tmp/lock is a temporary file"]


@pytest.mark.parametrize(
    ("path", "content", "said"),
    [
        ("etc/hostname", "builder-7\n", "holds the build machine's name"),
        ("etc/resolv.conf", "nameserver 10.0.0.1\n", "holds the build site's name servers"),
        ("etc/machine-id", "0123456789abcdef\n", "holds an ID of a single machine"),
        ("etc/apt/apt.conf.d/80proxy", 'Acquire::http::Proxy "http://proxy:3128";\n', "names a proxy"),
        ("etc/environment", "https_proxy=http://proxy.site:3128\n", "names a proxy"),
        (
            "etc/pip.conf",
            "[global]\nindex-url = https://pypi.site/simple\n",
            "names a package index of the build site",
        ),
    ],
)
def test_what_the_building_site_left(path: str, content: str, said: str) -> None:
    assert reported(text(path, content)) == [f"building site: /{path} {said}"]
    assert reported(text(path, "")) == []


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("etc/wgetrc", "# https_proxy = http://proxy.yoyodyne.com:18023/\n"),
        ("etc/environment", "PATH=/usr/bin\n"),
        ("etc/apt/apt.conf.d/01autoremove", 'APT::NeverAutoRemove { "^firmware-linux.*"; };\n'),
    ],
)
def test_settings_as_packages_bring_them(path: str, content: str) -> None:
    assert reported(text(path, content)) == []


def test_a_forgotten_cache_is_not_reported_file_by_file() -> None:
    said = reported(*(text(f"root/.cache/pip/{number}", "x") for number in range(1000)))
    assert len(said) == 21
    assert said[-1] == "caches: and 980 more"


@given(st.text(st.characters(exclude_categories=["Cs"])), st.binary(), st.integers(0, 0o7777), st.booleans())
def test_no_file_makes_a_check_fall(path: str, content: bytes, mode: int, capable: bool) -> None:
    findings = judge_files([Seen(path, mode=mode, size=len(content), capable=capable, content=content)], {})
    assert {finding.verdict for finding in findings} <= {"ok", "fail"}


@pytest.mark.parametrize(
    "piece", [b"a", b"-----BEGIN PRIVATE KEY-----\n", b"A: b\n", b"http://a:", b"proxy ", b"aws_secret"]
)
@pytest.mark.timeout(20)
def test_no_content_takes_long(piece: bytes) -> None:
    """Patterns are tried at every byte: none may look far ahead from each."""
    content = (piece * (131072 // len(piece)))[:131072]
    for path in ("etc/environment", "root/x", "opt/venv/pip.conf"):
        judge_files([Seen(path, size=len(content), content=content)], {})


def test_a_large_image_is_never_in_memory() -> None:
    def files() -> object:
        for number in range(2000):
            yield Seen(f"opt/{number}", size=65536, content=bytes(65536))

    tracemalloc.start()
    judge_files(files(), {})  # type: ignore[arg-type]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 << 20
