"""Which names a store takes for its buckets, and that none is anything but one folder's name."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from toolkit.manifest.dialects.stores import refused_by
from toolkit.manifest.fields import Bucket

BUCKET: TypeAdapter[str] = TypeAdapter(Bucket)


@pytest.mark.parametrize("name", ["leaf_pictures", "LeafPictures", "_leaf", "a" * 64, "10.0.0.1", "leaf.-x", "leaf_"])
def test_only_amazon_and_the_embedded_store_have_amazons_rule(name: str) -> None:
    for url in ("http://10.1.2.3:9000", "https://storage.googleapis.com", "https://amazonaws.com.fern.example"):
        assert refused_by(url, name) == ""
    for url in ("https://s3.amazonaws.com", "https://s3.cn-north-1.amazonaws.com.cn/", "https://S3.AmazonAWS.com"):
        assert "Amazon's rule" in refused_by(url, name)
    assert "embedded store's rule" in refused_by("embedded", name)
    assert BUCKET.validate_python(name) == name


def test_a_name_by_amazons_rule_is_one_everywhere() -> None:
    for url in ("http://10.1.2.3:9000", "https://s3.amazonaws.com", "embedded"):
        assert refused_by(url, "leaf-pictures.2018") == ""


@given(st.text(st.sampled_from("ab1._-/\\ \n:$%*ä\x00"), max_size=8))
def test_what_is_a_bucket_is_one_folder(name: str) -> None:
    try:
        BUCKET.validate_python(name)
    except ValidationError:
        return
    assert PurePosixPath("/mnt/data") / name == PurePosixPath(f"/mnt/data/{name}")
    assert PurePosixPath(name).parts == (name,)
    assert not name.startswith((".", "-"))
    assert name.isascii()
    assert name.isprintable()
