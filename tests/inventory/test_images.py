"""Images as a person names them."""

from __future__ import annotations

import pytest

from toolkit.errors import ToolkitError
from toolkit.image.labels import INPUTS_SHA256
from toolkit.inventory.images import Asked, EngineImage, asked_of, pick


def image(digit: str, *references: str, ours: bool = True) -> EngineImage:
    labels = {INPUTS_SHA256: "x", "org.opencontainers.image.version": references[-1]} if ours else {}
    return EngineImage(f"sha256:{digit * 64}", references, 1, "2020-01-01T00:00:00Z", labels)


CPU = image("a", "other/name:1", "tensorflow-2.19-py3.11-cpu:111111111111")
CUDA = image("b", "tensorflow-2.19-py3.11-cuda:222222222222")
FOREIGN = image("c", "tensor:latest", ours=False)
ALL = (CPU, CUDA, FOREIGN)


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("tensorflow-2.19-py3.11-cpu:111111111111", CPU),
        ("tensorflow-2.19-py3.11-cp", CPU),
        ("other/name", CPU),
        ("tensorflow-2.19-py3.11-cu", CUDA),
        ("bbb", CUDA),
        (f"sha256:{'b' * 64}", CUDA),
        ("tensor:latest", FOREIGN),
        ("ccc", FOREIGN),
    ],
)
def test_the_beginning_of_one_images_name_or_id_is_enough(word: str, found: EngineImage) -> None:
    assert pick(word, ALL) == found


def test_the_beginning_of_several_is_reported_with_all_of_them() -> None:
    with pytest.raises(ToolkitError) as caught:
        pick("tensorflow-2.19", ALL)
    assert [problem.what.split()[0] for problem in caught.value.problems] == [CPU.reference, CUDA.reference]


@pytest.mark.parametrize("word", ["tensorflow-2.19-py3.11-cdua", "tensorflw-2.19-py3.11-cuda:222222222222"])
def test_a_mistyped_name_gets_the_nearest_as_a_hint(word: str) -> None:
    with pytest.raises(ToolkitError) as caught:
        pick(word, ALL)
    assert caught.value.hint == f"did you mean {CUDA.reference}?"


def test_an_empty_word_names_nothing() -> None:
    with pytest.raises(ToolkitError, match="no such image"):
        pick("", ALL)


def test_an_image_is_called_what_it_was_built_as() -> None:
    assert CPU.reference == "tensorflow-2.19-py3.11-cpu:111111111111"
    assert EngineImage("sha256:" + "d" * 64, (), 1, "", {}).reference == "sha256:" + "d" * 64
    assert CPU.short_id == "a" * 12


def test_what_the_recipe_asked_for_is_in_the_label() -> None:
    label = '{"base":"Debian 12","packages":["python3"],"python":"3.11","requirements":["a==1"],"trees":["/opt/a"]}'
    assert asked_of(label) == Asked("Debian 12", ("python3",), "3.11", ("a==1",), ("/opt/a",))


@pytest.mark.parametrize("label", ["", "{", "[]", '"text"', '{"packages": 3}', "{}"])
def test_a_label_that_cannot_be_read_says_nothing(label: str) -> None:
    assert asked_of(label) == Asked()
