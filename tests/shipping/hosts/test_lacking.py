"""What a host lacks, and which layer a saved member is before its content has passed."""

from __future__ import annotations

import hashlib
import json

from hypothesis import given
from hypothesis import strategies as st

from toolkit.shipping.hosts.missing_layers import LayerNames, chain_ids, prefix_there

LAYERS = st.lists(st.sampled_from("abc"), max_size=5)

# Saved by Engine 20.10.24 for an image of two layers.
DIFF_IDS = (
    "sha256:2b5a1ab272cb69b5ac9cefa5f7351ef546d42485d1c29f2143ae1c04505f4dbc",
    "sha256:f3c3162848bac9971aed27ebe06096a42aa6660c0035e5ae551289a09b495bf6",
)
LOW, TOP = (
    "d0fbe0ded86a4585c46fef7b0256dd3b993597a05e4d31ca817613c3dcf6a26f",
    "fd441abc2f260d60a36f4669b994c859090e6abed7105acb0c1bcc2939c73039",
)
LOW_JSON = (
    f'{{"id":"{LOW}","created":"1970-01-01T00:00:00Z","container_config":{{"Hostname":"","Domainname":"","User":"",'
    '"AttachStdin":false,"AttachStdout":false,"AttachStderr":false,"Tty":false,"OpenStdin":false,"StdinOnce":false,'
    '"Env":null,"Cmd":null,"Image":"","Volumes":null,"WorkingDir":"","Entrypoint":null,"OnBuild":null,"Labels":null},'
    '"os":"linux"}'
)
TOP_JSON = json.dumps({"id": TOP, "parent": LOW, "created": "2020-01-01T00:00:00Z", "config": {}, "os": "linux"})


@given(LAYERS, st.lists(LAYERS, max_size=4))
def test_what_is_there_is_the_longest_common_beginning(wanted: list[str], there: list[list[str]]) -> None:
    count = prefix_there(wanted, there)
    assert any(layers[:count] == wanted[:count] for layers in there) or count == 0
    assert all(layers[: count + 1] != wanted[: count + 1] for layers in there) or count == len(wanted)


def test_a_layer_on_another_one_is_not_there() -> None:
    assert prefix_there(["a", "b", "c"], [["x", "b", "c"], ["b", "c"], ["a", "x", "c"]]) == 1


def test_a_chain_names_a_layer_with_all_below_it() -> None:
    # From the example of OCI's image-spec: the lowest is its diff id, each other the hash of both.
    assert chain_ids(["sha256:aa"]) == ["sha256:aa"]
    first, second = chain_ids(["sha256:aa", "sha256:bb"])
    assert first == "sha256:aa"
    assert second == f"sha256:{hashlib.sha256(b'sha256:aa sha256:bb').hexdigest()}"


def test_engine_20s_own_names_are_known_by_the_document_before_the_layer() -> None:
    names = LayerNames(DIFF_IDS)
    assert names.diff_id(f"{LOW}/layer.tar") == ""
    names.learn(f"{LOW}/json", LOW_JSON.encode())
    names.learn(f"{TOP}/json", TOP_JSON.encode())
    assert (names.diff_id(f"{LOW}/layer.tar"), names.diff_id(f"{TOP}/layer.tar")) == DIFF_IDS


def test_of_an_image_with_one_layer_there_is_no_doubt() -> None:
    names = LayerNames(DIFF_IDS[:1])
    names.learn("abc/json", b'{"id":"abc"}')
    assert names.diff_id("abc/layer.tar") == DIFF_IDS[0]


def test_a_document_of_another_making_proves_nothing() -> None:
    names = LayerNames(DIFF_IDS)
    names.learn(f"{LOW}/json", LOW_JSON.replace("1970", "1971").encode())
    names.learn(f"{TOP}/json", TOP_JSON.encode())
    assert (names.diff_id(f"{LOW}/layer.tar"), names.diff_id(f"{TOP}/layer.tar")) == ("", "")


@given(st.binary(max_size=50))
def test_a_document_that_is_none_is_passed_over(text: bytes) -> None:
    names = LayerNames(DIFF_IDS)
    names.learn("x/json", text)
    assert names.diff_id("x/layer.tar") == ""


def test_newer_engines_and_podman_name_a_layer_by_its_diff_id() -> None:
    names, digits = LayerNames(DIFF_IDS), DIFF_IDS[1].removeprefix("sha256:")
    assert names.diff_id(f"blobs/sha256/{digits}") == DIFF_IDS[1]
    assert names.diff_id(f"{digits}.tar") == DIFF_IDS[1]
    assert names.diff_id(f"blobs/sha256/{'0' * 64}") == ""
