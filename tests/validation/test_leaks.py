"""What no image may give away: keys, passwords, tokens."""

from __future__ import annotations

import base64
import hashlib

import pytest

from .conftest import PRIVATE_KEY, reported, text


@pytest.mark.parametrize("kind", ["", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED ", "DSA "])
@pytest.mark.parametrize("path", ["opt/user/key.pem", "etc/ssl/private/server.key", "usr/share/doc/x/example"])
def test_a_private_key_anywhere(kind: str, path: str) -> None:
    assert reported(text(path, f"a line before\n{PRIVATE_KEY.format(kind)}")) == [
        f"private keys: /{path} holds a private key"
    ]


@pytest.mark.parametrize(
    "content",
    [
        PRIVATE_KEY.format("RSA ").replace("-----\n", "-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0\n\n", 1),
        PRIVATE_KEY.format("").replace("\n", "\r\n"),
        '{"private_key": "' + PRIVATE_KEY.format("").replace("\n", "\\n") + '"}',
        "PuTTY-User-Key-File-2: ssh-rsa\nEncryption: none\n",
    ],
)
def test_a_private_key_in_other_forms(content: str) -> None:
    assert reported(text("opt/key", content)) == ["private keys: /opt/key holds a private key"]


@pytest.mark.parametrize(
    "content",
    [
        'HEAD = "-----BEGIN PRIVATE KEY-----"\nif data.startswith(HEAD):\n    return True\n',
        "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuEfffff\n",
        'b"-----BEGIN RSA PRIVATE KEY-----\\n" + body\n',
    ],
)
def test_a_program_that_knows_keys_holds_none(content: str) -> None:
    assert reported(text("opt/venv/x.py", content)) == []


@pytest.mark.parametrize("first", [True, False])
def test_a_key_that_a_package_published_is_no_secret(first: bool) -> None:
    """Tornado's wheel brings the key of its tests."""
    key = PRIVATE_KEY.format("")
    digest = base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest()).decode().rstrip("=")
    listed = text(
        "opt/user/lib/x-1.dist-info/RECORD", f"x/test.key,sha256={digest},{len(key)}\nx-1.dist-info/RECORD,,\n"
    )
    published = text("opt/user/lib/x/test.key", key)
    assert reported(*((listed, published) if first else (published, listed))) == []
    assert reported(listed, text("opt/user/lib/x/test.key", key + "\n")) == [
        "private keys: /opt/user/lib/x/test.key holds a private key"
    ]


def test_a_host_key_is_reported_once_and_its_public_half_as_well() -> None:
    assert reported(
        text("etc/ssh/ssh_host_ed25519_key", PRIVATE_KEY.format("OPENSSH ")),
        text("etc/ssh/ssh_host_ed25519_key.pub", "ssh-ed25519 AAAA"),
    ) == [
        f"private keys: /etc/ssh/ssh_host_ed25519_key{ending} is a host key: "
        "every container of this image would answer with it"
        for ending in ("", ".pub")
    ]


@pytest.mark.parametrize(
    "path",
    [
        "root/.netrc",
        "home/learner/.pypirc",
        "root/.docker/config.json",
        "root/.aws/credentials",
        "home/x/.git-credentials",
        "root/.ssh/id_ed25519",
        "root/.ssh/authorized_keys",
        "root/.config/gcloud/application_default_credentials.json",
        "root/.config/rclone/rclone.conf",
        "opt/user/.kube/config",
        "etc/apt/auth.conf.d/site.conf",
    ],
)
def test_where_credentials_are_kept(path: str) -> None:
    assert reported(text(path, "x")) == [f"secrets: /{path} is a credentials file"]
    assert reported(text(path, "")) == []


AWS = "AKIA" + "Q7ZX2M4N6P8R1T3V"
GITHUB = "ghp_" + "a1B2" * 9


@pytest.mark.parametrize(
    ("path", "content", "what"),
    [
        ("etc/environment", f"AWS_ACCESS_KEY_ID={AWS}\n", "an AWS access key"),
        ("root/.profile", "export AWS_SECRET_ACCESS_KEY=" + "aB3/" * 10, "an AWS secret key"),
        ("home/learner/notes", f"token {GITHUB}\n", "a GitHub token"),
        ("etc/x.conf", "pypi-AgEIcHlwaS5vcmc" + "x" * 50, "a PyPI token"),
        ("etc/pip.conf", "[global]\nextra = https://me:word@index.example/simple\n", "a password in a URL"),
        ("opt/venv/pip.conf", "[global]\nextra = https://me:word@index.example/simple\n", "a password in a URL"),
        ("root/.npmrc", "//registry.example/:_authToken=abc\n", "an npm token"),
    ],
)
def test_secrets_in_settings_are_named_and_not_quoted(path: str, content: str, what: str) -> None:
    assert reported(text(path, content)) == [f"secrets: /{path} holds {what}"]


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("etc/wgetrc", "# proxy = http://user:password@proxy.example:3128/\n"),
        ("etc/x.conf", "url = http://$USER:$PASSWORD@host\n"),
        ("etc/x.conf", "time 12:30, mail me@example.org, see http://example.org/a:b\n"),
        ("opt/venv/lib/boto/test.py", f'KEY = "{AWS}"\n'),
    ],
)
def test_what_only_looks_like_a_secret(path: str, content: str) -> None:
    assert reported(text(path, content)) == []


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"Env": [f"X={AWS}"]}, ["secrets: the image's configuration holds an AWS access key"]),
        ({"Env": ["DB_PASSWORD=x"]}, ["secrets: the image sets DB_PASSWORD"]),
        ({"Env": ["API_TOKEN=x", "TOKENIZERS_PARALLELISM=false"]}, ["secrets: the image sets API_TOKEN"]),
        ({"Env": ["API_TOKEN="]}, []),
        ({"Labels": {"a": GITHUB}}, ["secrets: the image's configuration holds a GitHub token"]),
        (
            {"Cmd": ["sh", "-c", "curl https://me:word@example.org/x"]},
            ["secrets: the image's configuration holds a password in a URL"],
        ),
        (
            {"Env": ["https_proxy=http://proxy:3128", "PATH=/bin"]},
            ["building site: the image sets https_proxy, which only the build site knows"],
        ),
        (
            {"Env": ["PIP_EXTRA_INDEX_URL=https://pypi.site.example"]},
            ["building site: the image sets PIP_EXTRA_INDEX_URL, which only the build site knows"],
        ),
        ({"Env": None, "Labels": {"x": "sha256:abc@1"}}, []),
    ],
)
def test_what_the_configuration_gives_away(settings: dict[str, object], said: list[str]) -> None:
    assert reported(settings=settings) == said
