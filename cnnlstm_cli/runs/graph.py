"""How many nodes a network in ONNX has, before anything is built of them: the file may come from someone else.

Read off the bytes, for the package `onnx` takes longer to import than a forecast takes.
"""

from __future__ import annotations

from collections.abc import Iterator

GRAPH, NODE = 7, 1  # field numbers in ModelProto and GraphProto (onnx.proto)
FIXED = {1: 8, 5: 4}  # bytes of a value, by wire type


def nodes(model: bytes) -> int:
    """Raises ValueError where the bytes are no protocol buffer."""
    view = memoryview(model)
    graphs = (content for field, content in _fields(view) if field == GRAPH)
    return sum(1 for graph in graphs for field, _ in _fields(graph) if field == NODE)


def _fields(view: memoryview) -> Iterator[tuple[int, memoryview]]:
    """The number of each field, and its bytes where it has a length."""
    place = 0
    while place < len(view):
        key, place = _varint(view, place)
        field, wire = key >> 3, key & 7
        size = 0
        if wire == 0:
            _, place = _varint(view, place)
        elif wire == 2:
            size, place = _varint(view, place)
        elif wire in FIXED:
            size = FIXED[wire]
        else:
            raise ValueError("not the bytes of a network")
        if place + size > len(view):
            raise ValueError("the bytes of a network, cut short")
        yield field, view[place : place + size]
        place += size


def _varint(view: memoryview, place: int) -> tuple[int, int]:
    """A number of seven bits a byte, the lowest first, and where the next begins."""
    number = 0
    for shift in range(0, 70, 7):
        if place >= len(view):
            break
        byte = view[place]
        place += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, place
    raise ValueError("not the bytes of a network")
