"""The wire format of protocol buffers, as far as reading weights needs it.

"Protocol Buffers: Encoding", https://protobuf.dev/programming-guides/encoding/.
"""

from collections.abc import Iterator
from typing import Final

VARINT: Final = 0
FIXED64: Final = 1
BYTES: Final = 2
FIXED32: Final = 5

Value = int | memoryview


class BadMessage(ValueError):
    """Bytes that are no message."""


def varint(data: memoryview, place: int) -> tuple[int, int]:
    """A number of up to 64 bits and the place after it."""
    number, shift = 0, 0
    while shift < 70:
        if place >= len(data):
            raise BadMessage("the message ends inside a number")
        byte = data[place]
        place += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number & (2**64 - 1), place
        shift += 7
    raise BadMessage("a number has more than 64 bits")


def fields(data: memoryview) -> Iterator[tuple[int, int, Value]]:
    """Number, wire type and value of each field; a value is a number or the field's bytes, not copied."""
    place, end = 0, len(data)
    while place < end:
        key, place = varint(data, place)
        number, kind = key >> 3, key & 7
        if number == 0:
            raise BadMessage("a field has the number 0")
        if kind == VARINT:
            value, place = varint(data, place)
            yield number, kind, value
            continue
        if kind == BYTES:
            length, place = varint(data, place)
        elif kind in (FIXED64, FIXED32):
            length = 8 if kind == FIXED64 else 4
        else:
            raise BadMessage(f"there is no wire type {kind}")
        if place + length > end:
            raise BadMessage("a field is longer than its message")
        yield number, kind, data[place : place + length]
        place += length


def numbers(kind: int, value: Value) -> list[int]:
    """A repeated integer field, packed or not."""
    if isinstance(value, int):
        return [value]
    if kind != BYTES:
        raise BadMessage("expected integers")
    found, place = [], 0
    while place < len(value):
        number, place = varint(value, place)
        found.append(number)
    return found


def text(value: Value, *, most: int = 256) -> str:
    """A string field, cut to `most` characters."""
    if isinstance(value, int):
        raise BadMessage("expected text")
    return bytes(value[: 4 * most]).decode("utf-8", "replace")[:most]
