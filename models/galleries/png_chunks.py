"""Leaves out of a PNG file what is not needed to see the picture, so that it can do no harm.

Text, times, colour profiles and chunks of other programs may be broken or very long; Pillow then refuses the picture.
Chunks are described in https://www.w3.org/TR/png-3/#5DataRep.
"""

import struct
import zlib
from typing import Final

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
NEEDED: Final = frozenset((b"IHDR", b"PLTE", b"IDAT", b"IEND"))
KEPT: Final = frozenset((b"tRNS", b"eXIf", b"acTL", b"fcTL", b"fdAT"))  # if whole: transparency, orientation, frames
_FRAME: Final = 12  # bytes of a chunk's length, name and checksum


def without_extras(data: bytes) -> bytes:
    """The file with the needed chunks and those of the kept ones that are whole; other formats as they are.

    From a chunk on whose length leads out of the file nothing is changed.
    """
    if not data.startswith(SIGNATURE):
        return data
    place, pieces, dropped = len(SIGNATURE), [SIGNATURE], False
    while place + _FRAME <= len(data):
        (length,) = struct.unpack_from(">I", data, place)
        end = place + _FRAME + length
        if end > len(data):
            break
        name = data[place + 4 : place + 8]
        if name in NEEDED or (name in KEPT and _whole(data, place, end)):
            pieces.append(data[place:end])
        else:
            dropped = True
        place = end
        if name == b"IEND":
            break
    return b"".join((*pieces, data[place:])) if dropped else data


def _whole(data: bytes, place: int, end: int) -> bool:
    (checksum,) = struct.unpack_from(">I", data, end - 4)
    return zlib.crc32(data[place + 4 : end - 4]) == int(checksum)
