"""How the training data of two runs differs, by their listings. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from toolkit.run.document.model import Data, DataFile, Listing

Differing = tuple[str, str, str]
"""What differs, and how it is in each; an empty text: it is not there."""


def data_differences(first: Data, second: Data) -> Iterator[Differing]:
    """Files that were added, removed or changed, as far as both listings have them; else why that is unknown."""
    ours, theirs = first.listing, second.listing
    if ours is None or theirs is None:
        yield "could not be compared", _why(first), _why(second)
    elif ours.sha256 != theirs.sha256:
        found = list(_file_differences(ours, theirs))
        yield from found or [("listing, but no file that could be compared", _summary(ours), _summary(theirs))]


def _file_differences(first: Listing, second: Listing) -> Iterator[Differing]:
    """Of listings that are cut off, the part that both have is compared."""
    ours, theirs = {one.path: one for one in first.entries}, {one.path: one for one in second.entries}
    last = [max(files) for listing, files in ((first, ours), (second, theirs)) if files and listing.files > len(files)]
    for path in sorted(ours.keys() | theirs.keys()):
        if last and path > min(last):
            return
        one, other = ours.get(path), theirs.get(path)
        if one is None or other is None or _content(one, other) != _content(other, one):
            yield path, _shown(one), _shown(other)


def _content(one: DataFile, other: DataFile) -> tuple[int, str]:
    """What is compared of a file; ETags only if both listings have one."""
    return one.bytes, one.etag if other.etag else ""


def _why(data: Data) -> str:
    return "listed" if data.listing else f"not listed: {data.not_listed}"


def _shown(file: DataFile | None) -> str:
    return f"{file.bytes} bytes{f', ETag {file.etag}' if file.etag else ''}" if file else ""


def _summary(listing: Listing) -> str:
    return f"{listing.files} files, {listing.bytes} bytes, sha256 {listing.sha256[:12]}"
