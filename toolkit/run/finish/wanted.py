"""What a collection brings: the objects of a run that were selected, with the SHA-256 of those that the run wrote."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from toolkit.run.finish.digests import by_listed_key
from toolkit.run.finish.fetch import Named
from toolkit.run.finish.selection import BESIDES, MODEL, Selection, model_fault, no_match, no_model
from toolkit.run.records.record import Record
from toolkit.storage.object_paths import file_names
from toolkit.storage.s3 import Store, StoredObject

_NOT_ASKED = "the model was not asked for"
_EMPTY = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True)
class Wanted:
    """What is to be here after a collection.

    Attributes:
        checked: what the model's check needs: the model and the submitted code.
        besides: the rest.
        digests: SHA-256 by key of what the run's programs wrote.
        unloaded: why there is no model to load; empty if there is one.
    """

    run: str
    selection: Selection
    checked: list[Named]
    besides: list[Named]
    digests: Mapping[str, str]
    unloaded: str

    @property
    def all(self) -> list[Named]:
        """Both parts."""
        return [*self.checked, *self.besides]

    def sums(self, listed: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """Each file's name and SHA-256: the run's, else that of `listed`, by name; empty if neither has one."""
        for name, item in self.all:
            yield name, self.digests.get(item.key) or listed.get(name, "")

    def written(self, part: Sequence[Named]) -> dict[str, str]:
        """SHA-256 by key of all that the run wrote of a part: what must be fetched, listed in the bucket or not."""
        beside = part is self.besides
        return {
            key: sha256
            for key, sha256 in self.digests.items()
            if any(_is_beside(name) is beside for name in self.selection.names_of(key, self.run))
        }


def read_wanted(store: Store, record: Record, selection: Selection, digests: Mapping[str, str]) -> Wanted:
    """What `selection` selects of what the bucket lists. Raises `ToolkitError` if the run does not have it."""
    run = record.training_id
    named = file_names(
        (name, item) for item in _listed(store, record, selection) for name in selection.names_of(item.key, run)
    )
    checked = [one for one in named if not _is_beside(one[0])]
    besides = [one for one in named if _is_beside(one[0])]
    fault = _fault(checked, digests, run) if selection.with_model else _NOT_ASKED
    place = f"{record.results_bucket}/{run}/"
    if fault and MODEL in selection.words:
        raise no_model(place, run, record.state.value, fault, _sizes(store, record))
    if unmatched := selection.unmatched(item.key.removeprefix(f"{run}/") for _, item in besides):
        raise no_match(place, unmatched, _sizes(store, record))
    return Wanted(run, selection, checked, besides, by_listed_key(digests, (item.key for _, item in named)), fault)


def _fault(checked: Sequence[Named], digests: Mapping[str, str], run: str) -> str:
    """What the program's model lacks. Nothing if it wrote all of it and the bucket lost some: that is damage."""
    there = {name.removeprefix("model/"): item.size for name, item in checked if name.startswith("model/")}
    prefix = f"{run}/model/"
    wrote = {
        key.removeprefix(prefix): int(sha256 != _EMPTY) for key, sha256 in digests.items() if key.startswith(prefix)
    }
    return model_fault(wrote) and model_fault(there) if wrote else model_fault(there)


def _listed(store: Store, record: Record, selection: Selection) -> Iterator[StoredObject]:
    """The objects that may be selected, each once."""
    seen = set[str]()
    for place in selection.places:
        for item in store.objects(record.results_bucket, f"{record.training_id}/{place}"):
            if item.key not in seen:
                seen.add(item.key)
                yield item


def _sizes(store: Store, record: Record) -> Iterator[tuple[str, int]]:
    """Everything that the run stored: the paths below its folder, and their bytes."""
    prefix = f"{record.training_id}/"
    for item in store.objects(record.results_bucket, prefix):
        yield item.key.removeprefix(prefix), item.size


def _is_beside(name: str) -> bool:
    return name.startswith(f"{BESIDES}/")
