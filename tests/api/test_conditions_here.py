"""What a recorded run would run with here, besides what is compared as a value."""

from __future__ import annotations

from dataclasses import replace

from tests.run.document.sample import manifest
from tests.storage.stand_in_s3 import Held, standing_in
from toolkit.api.conditions_here import continued_by
from toolkit.run.comparison.conditions import Difference
from toolkit.secrets import Secret
from toolkit.storage.client import Access
from toolkit.storage.open_storage import Opened

EARLIER = "training-zzzz2345"
PLACE = f"mnist-training-models/{EARLIER}/"


def test_a_run_whose_beginning_is_no_longer_in_the_bucket_names_it() -> None:
    resumed = replace(manifest(), resume=EARLIER)
    absent = Difference("data", f"of {EARLIER}, which it continues", "there", f"no files in {PLACE}")
    with standing_in() as server:
        opened = Opened({"results": Access(server.url, Secret("AKIDEXAMPLE"), Secret("secret"))})
        assert [one.name for one in continued_by(resumed, opened)] == [absent.name], "there is no such bucket"
        server.buckets.add("mnist-training-models")
        assert list(continued_by(resumed, opened)) == [absent]
        server.objects[f"{PLACE}model.pt"] = Held(b"1", "e" * 32)
        assert list(continued_by(resumed, opened)) == []
        assert list(continued_by(manifest(), opened)) == []
    assert list(continued_by(resumed, Opened({}))) == [], "results on other hosts: seen at the start"
