"""Runs in an image: which GPU architectures each shared library carries code for. Needs no CUDA and no GPU.

    python - FOLDER < fatbin.py

nvcc puts a library's GPU code into the ELF section `.nv_fatbin`: one fat binary after another, each a header and
entries, each entry a header and its payload. The headers are plain where the payload is compressed, so nothing has
to be unpacked. Not every library leaves it there: cuFFT 11 has 21,652 fat binaries in `.data`, and in `.nv_fatbin`
only the empty module that nvcc links into every library. So all data is searched, and empty modules do not count.

The last line of the output is one JSON object, `{"libraries": [...]}`, each of them with `path`, `cubins` and `ptx`
(60 stands for sm_60), and `damaged`: why it could not be read, or empty.

It is one file and needs nothing but Python 2.7 or 3.5: the image is old where the framework is. What cannot be read
is reported, never raised: a damaged library must not hide the others.
"""

import json
import mmap
import os
import re
import struct
import sys

OWN_SECTION = b".nv_fatbin"
NOT_LINKED = b"__nv_relfatbin"  # what nvcc made the linked code from; nothing loads it
PROGBITS, EXECUTABLE = 1, 4  # ELF: a section with content of its own; a flag for code of the processor
MAGIC = struct.pack("<I", 0xBA55ED50)
HEADER = struct.Struct("<IHHQ")  # magic, version, the header's own size, the size of the entries
# Kind, version, the header's own size, the payload's (padded), architecture, the payload's size when unpacked or 0.
ENTRY = struct.Struct("<HHIQ12xI24xQ")
SHORTEST_ENTRY = 64
PTX, CUBIN = 1, 2
# Bytes, unpacked, below which there is no kernel in it: in CUDA 12's own libraries empty PTX has 56 to 146 and other
# PTX at least 432; empty cubins have up to 1992, others at least 2088.
EMPTY = {PTX: 256, CUBIN: 2048}
LIBRARY = re.compile(r"\.so(\.[0-9.]+)?$")
NOT_OF_THE_IMAGE = ("/proc", "/sys", "/dev")


class Damaged(Exception):
    """A structure that does not hold what its own sizes say."""


def take(layout, data, offset):
    """The fields of `layout` at `offset`; raises Damaged where the file ends before them."""
    piece = data[offset : offset + layout.size] if offset >= 0 else b""
    if len(piece) != layout.size:
        raise Damaged("it ends at byte %d, inside a header" % len(data))
    return layout.unpack(piece)


def data_sections(data):
    """Name, offset and size of each section of a 64-bit little-endian ELF file that holds content and no code."""
    if data[:6] != b"\x7fELF\x02\x01":
        return
    headers = take(struct.Struct("<Q"), data, 40)[0]
    size, count, names = take(struct.Struct("<HHH"), data, 58)
    if not headers or not count:
        return
    layout = struct.Struct("<IIQ8xQQ")  # name, kind, flags, offset, size
    if size < layout.size:
        raise Damaged("section headers of %d bytes" % size)
    names_at = take(layout, data, headers + names * size)[3]
    for index in range(count):
        name, kind, flags, offset, length = take(layout, data, headers + index * size)
        if kind == PROGBITS and not flags & EXECUTABLE:
            if offset + length > len(data):
                raise Damaged("its section %d ends behind the file's end" % index)
            yield data[names_at + name : names_at + name + 32].split(b"\0")[0], offset, length


def fat_binary(data, position, end):
    """Where the fat binary at `position` ends, and the (kind, architecture) of each entry that is not empty."""
    _, version, own, length = take(HEADER, data, position)
    entry, stop = position + own, position + own + length
    if version != 1 or own < HEADER.size or stop > end:
        raise Damaged("the fat binary at byte %d is invalid" % position)
    found = set()
    while entry < stop:
        kind, _, own, length, number, unpacked = take(ENTRY, data, entry)
        if own < SHORTEST_ENTRY or entry + own + length > stop:
            raise Damaged("the entry at byte %d is larger than its fat binary" % entry)
        if (unpacked or length) >= EMPTY.get(kind, unpacked + length + 1):
            found.add((kind, number))
        entry += own + length
    return stop, found


def architectures(data):
    """The numbers of the architectures (60 for sm_60) that the file has code for: (cubins, PTX)."""
    found = set()
    for name, start, length in data_sections(data):
        position = -1 if name == NOT_LINKED else data.find(MAGIC, start, start + length)
        while position >= 0:
            try:
                stop, entries = fat_binary(data, position, start + length)
                found |= entries
            except Damaged:
                if name == OWN_SECTION:
                    raise
                stop = position + len(MAGIC)  # elsewhere the same four bytes may mean anything
            position = data.find(MAGIC, stop, start + length)
    return [sorted(number for kind, number in found if kind == wanted) for wanted in (CUBIN, PTX)]


def read(path):
    """What one file carries: (cubins, PTX)."""
    with open(path, "rb") as stream:
        if os.fstat(stream.fileno()).st_size < 64:
            return [], []
        data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    try:
        return architectures(data)
    finally:
        data.close()


def libraries(top):
    """Every file below `top` that is named like a shared library; links are not followed."""
    for folder, folders, files in os.walk(top):
        folders[:] = sorted(name for name in folders if os.path.join(folder, name) not in NOT_OF_THE_IMAGE)
        for name in sorted(files):
            path = os.path.join(folder, name)
            if LIBRARY.search(name) and os.path.isfile(path) and not os.path.islink(path):
                yield path


def text(path):
    return path.decode("utf-8", "replace") if isinstance(path, bytes) else path


def main(top):
    found = []
    for path in libraries(top):
        library = {"path": text(path), "cubins": [], "ptx": [], "damaged": ""}
        try:
            library["cubins"], library["ptx"] = read(path)
        except (Damaged, OSError, IOError, ValueError) as error:
            library["damaged"] = str(error)
        if library["cubins"] or library["ptx"] or library["damaged"]:
            found.append(library)
    sys.stdout.write("\n%s\n" % json.dumps({"libraries": found}, sort_keys=True))


if __name__ == "__main__":
    main(sys.argv[1])
