"""The WML dialect: what is read, and how each mistake is pointed at."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolkit.catalogue.model import Framework
from toolkit.errors import ToolkitError
from toolkit.manifest.model import BucketReference, Compute, Connection, Manifest, Step
from toolkit.manifest.reader import framework_error, read_manifest
from toolkit.paths import assets
from toolkit.secrets import Secret, SecretReference

EXAMPLE = (assets() / "examples" / "mnist" / "manifest.yml").read_text()
CANARY = "CANARY0123456789"
EMBEDDED = Connection(
    "embedded",
    SecretReference("embedded", Secret("access_key_id")),
    SecretReference("embedded", Secret("secret_access_key")),
)
COMPUTE = "model_definition.execution.compute_configuration"


def read(tmp_path: Path, text: str) -> Manifest:
    file = tmp_path / "manifest.yml"
    file.write_text(text)
    return read_manifest(file)


def problems(tmp_path: Path, text: str) -> list[tuple[int, int, str, str]]:
    """Line, column, path and words of each problem."""
    with pytest.raises(ToolkitError) as caught:
        read(tmp_path, text)
    assert caught.value.code.label == "C101"
    return [(p.place.line, p.place.column, p.path, p.what) for p in caught.value.problems if p.place]


def test_the_example_means_what_it_says(tmp_path: Path) -> None:
    assert read(tmp_path, EXAMPLE) == Manifest(
        name="mnist-digits",
        author="the toolkit's authors",
        description="A small convolutional network on handwritten digits, gradients averaged by ddl",
        framework=Framework("tensorflow-ddl", "2.19", "3.11"),
        email="toolkit@example.org",
        steps=(Step("python train.py", "all"), Step("python transform.py", "one")),
        compute=Compute("p100", 2),
        training_data=BucketReference("digits in MNIST's own files", EMBEDDED, "mnist-training-data"),
        training_results=BucketReference("trained models", EMBEDDED, "mnist-training-models"),
    )


@pytest.mark.parametrize(
    ("old", "new", "place", "words"),
    [
        ("nodes: 2", "nodes: two", (21, 14, f"{COMPUTE}.nodes"), "expected a whole number, found 'two'"),
        ("nodes: 2", "nodes: 2.0", (21, 14, f"{COMPUTE}.nodes"), "expected a whole number"),
        ("nodes: 2", "nodes: yes", (21, 14, f"{COMPUTE}.nodes"), "expected a whole number"),
        ("nodes: 2", "nodes: 0", (21, 14, f"{COMPUTE}.nodes"), "greater than or equal to 1"),
        ("nodes: 2", "node: 2", (21, 7, f"{COMPUTE}.node"), "did you mean `nodes`?"),
        ("name: p100", "name: p100x20", (20, 13, f"{COMPUTE}.name"), "a node has 1 to 16 GPUs"),
        ("name: p100", "name: p101", (20, 13, f"{COMPUTE}.name"), "did you mean `p100`? known: k80, "),
        ('"2.19"', "2.19", (12, 14, "model_definition.framework.version"), 'put it in quotes: "2.19"'),
        ('"2.19"', "1.10", (12, 14, "model_definition.framework.version"), 'put it in quotes: "1.10"'),
        ('"2.19"', '"2 19"', (12, 14, "model_definition.framework.version"), "is no version"),
        ("name: mnist-digits", "name: no", (5, 9, "model_definition.name"), "reads no as a boolean"),
        (
            "    name: python\n",
            "    name: julia\n",
            (14, 13, "model_definition.framework.runtimes.name"),
            "known: python",
        ),
        (
            "bucket: mnist-training-data",
            "bucket: <bucket>",
            (31, 13, "training_data_reference.source.bucket"),
            "<bucket> is a placeholder",
        ),
        (
            "endpoint_url: embedded",
            "endpoint_url: <auth-url>",
            (27, 19, "training_data_reference.connection.endpoint_url"),
            "<auth-url> is a placeholder",
        ),
        (
            "access_key_id: ${embedded:access_key_id}",
            "access_key_id: ''",
            (28, 20, "training_data_reference.connection.access_key_id"),
            "empty; give the key or a reference",
        ),
        (
            "access_key_id: ${embedded:access_key_id}",
            "access_key_id: two words",
            (28, 20, "training_data_reference.connection.access_key_id"),
            "a key has no spaces",
        ),
        (
            "bucket: mnist-training-data",
            "{}",
            (30, 3, "training_data_reference.source.bucket"),
            "required, but missing",
        ),
        (
            "bucket: mnist-training-models",
            "bukket: x",
            (40, 5, "training_results_reference.target.bukket"),
            "`bucket`?",
        ),
        (
            "command: python train.py ; python transform.py",
            "command: 'for i in 1 2; do x; done'",
            (18, 14, "model_definition.execution.command"),
            "put it in a script",
        ),
    ],
)
def test_a_mistake_is_pointed_at(tmp_path: Path, old: str, new: str, place: tuple[int, int, str], words: str) -> None:
    assert EXAMPLE.count(old) >= 1
    found = problems(tmp_path, EXAMPLE.replace(old, new, 1))
    assert [(line, column, path) for line, column, path, what in found if words in what] == [place], found


@pytest.mark.parametrize(
    "bucket", ["../x", "a b", "$(reboot)", "UPPER", "A", "x..y", "a", "x\\ny", "abc\\n", "-x-", "xn--abc", "x" * 64]
)
def test_a_bucket_cannot_be_a_path_or_a_command(tmp_path: Path, bucket: str) -> None:
    text = EXAMPLE.replace("bucket: mnist-training-data", f'bucket: "{bucket}"')
    assert [
        what for _, _, path, what in problems(tmp_path, text) if "is no bucket name" in what and path.endswith("bucket")
    ]


@pytest.mark.parametrize("url", ["ftp://x", "s3.example.org", "http://user@host", "http://x/path", "http://a b", ""])
def test_an_endpoint_is_a_plain_url(tmp_path: Path, url: str) -> None:
    text = EXAMPLE.replace("endpoint_url: embedded", f"endpoint_url: '{url}'", 1)
    assert [path for _, _, path, _ in problems(tmp_path, text)] == ["training_data_reference.connection.endpoint_url"]


def test_all_mistakes_are_reported_at_once_in_the_files_order(tmp_path: Path) -> None:
    text = EXAMPLE.replace("nodes: 2", "nodes: two").replace('"2.19"', "2.19").replace("  type: s3", "  type: s4", 1)
    assert [line for line, *_ in problems(tmp_path, text)] == [12, 21, 32]


def test_the_author_may_be_left_out(tmp_path: Path) -> None:
    text = EXAMPLE.replace("  author:\n    name: the toolkit's authors\n    email: toolkit@example.org\n", "")
    assert read(tmp_path, text).author == ""


@pytest.mark.parametrize("reference", ["${foo:bar}", "${env:}", "${embedded}", "${env:X"])
def test_an_unknown_reference_is_no_key(tmp_path: Path, reference: str) -> None:
    text = EXAMPLE.replace("${embedded:access_key_id}", reference, 1)
    assert "not a reference that is read here" in problems(tmp_path, text)[0][3]


@pytest.mark.parametrize(
    "line",
    [
        f"access_key_id: {CANARY}",
        f"access_key_id: '{CANARY} with spaces'",
        f"access_key_id: ['{CANARY}']",
        f"access_key_id: '{CANARY}",
        f"access_key_id: {CANARY}: x: y",
        f"secret_acces_key: {CANARY}",
        f"access_key_id:\n      {CANARY} with spaces",
        f"access_key_id: |\n      {CANARY}",
        f"access_key_id:\n      - {CANARY}",
        f'"access_key_id": {CANARY} with spaces',
        f"? access_key_id\n    : {CANARY} with spaces",
        f"- access_key_id: {CANARY}",
        f"access_key_id: {CANARY}\n    access_key_id: {CANARY}",
        f"access_key_id: *{CANARY}",
        f"access_key_id: !{CANARY} x",
        f"access_key_id: @{CANARY}",
        f"access_key_id:{CANARY}",
    ],
)
def test_a_key_that_stands_in_the_manifest_is_never_printed(tmp_path: Path, line: str) -> None:
    text = EXAMPLE.replace("access_key_id: ${embedded:access_key_id}", line, 1).replace("nodes: 2", "nodes: two")
    with pytest.raises(ToolkitError) as caught:
        read(tmp_path, text)
    assert CANARY not in f"{caught.value} {caught.value!r} {caught.value.as_json()}"


@pytest.mark.parametrize(
    "connection",
    [
        f"{{endpoint_url: embedded, access_key_id: x, secret_access_key: {CANARY} x}}",
        f"{{endpoint_url: nope, access_key_id: x, secret_access_key: {CANARY}}}",
        f"{{endpoint_url: embedded, access_key_id: x, secret_access_key: {CANARY}, nodes: 1}}",
        f"{{endpoint_url: embedded, access_key_id: x, secret_access_key: {CANARY}",
        f"{{endpoint_url: 'https://user:{CANARY}@host', access_key_id: x, secret_access_key: x}}",
    ],
)
def test_a_key_in_one_line_with_others_is_never_printed(tmp_path: Path, connection: str) -> None:
    before, after = EXAMPLE.index("  connection:"), EXAMPLE.index("  source:")
    with pytest.raises(ToolkitError) as caught:
        read(tmp_path, f"{EXAMPLE[:before]}  connection: {connection}\n{EXAMPLE[after:]}")
    assert CANARY not in f"{caught.value} {caught.value!r} {caught.value.as_json()}"


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("name: mnist-digits", 'name: "abc\\n"', "model_definition.name"),
        ('"2.19"', '"2.19\\n"', "model_definition.framework.version"),
        (
            "endpoint_url: embedded",
            'endpoint_url: "https://x\\n"',
            "training_data_reference.connection.endpoint_url",
        ),
        (
            "${embedded:access_key_id}",
            '"${env:X}\\n"',
            "training_data_reference.connection.access_key_id",
        ),
    ],
)
def test_a_line_end_at_the_end_is_no_part_of_a_name(tmp_path: Path, old: str, new: str, path: str) -> None:
    assert [found for _, _, found, _ in problems(tmp_path, EXAMPLE.replace(old, new, 1))] == [path]


def test_a_manifest_prints_no_key(tmp_path: Path) -> None:
    text = EXAMPLE.replace("${embedded:secret_access_key}", CANARY)
    assert CANARY not in repr(read(tmp_path, text))


def test_what_the_catalogue_lacks_is_placed_at_its_field(tmp_path: Path) -> None:
    file = tmp_path / "manifest.yml"
    file.write_text(EXAMPLE)
    (problem,) = framework_error(file, "python", "not built").problems
    assert str(problem).splitlines()[0] == (f"{file}:15:16: model_definition.framework.runtimes.version: not built")
