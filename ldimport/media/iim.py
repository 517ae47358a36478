"""IPTC-IIM (version 4.2) inside a Photoshop resource block: the datasets of record 2 as texts."""

from __future__ import annotations

from collections.abc import Iterator

_MAX_DATASETS = 5_000
_RESOURCE = b"8BIM"
_IPTC = 0x0404


def read(resources: bytes) -> dict[int, list[str]]:
    """Dataset number -> its texts in order, from Photoshop image resources. Never raises."""
    found: dict[int, list[str]] = {}
    for block in _blocks(resources):
        for record, dataset, value in _datasets(block):
            if record == 2 and (text := _text(value)):
                found.setdefault(dataset, []).append(text)
    return found


def _blocks(resources: bytes) -> Iterator[bytes]:
    """The IPTC blocks among the resources: 8BIM, id, padded Pascal name, size, padded data."""
    if resources.startswith(b"\x1c"):
        yield resources  # bare, as ImageMagick writes it into a PNG
    position = 0
    while resources.startswith(_RESOURCE, position) and position + 12 <= len(resources):
        kind = int.from_bytes(resources[position + 4 : position + 6], "big")
        name = resources[position + 6] + 1
        start = position + 6 + name + name % 2
        size = int.from_bytes(resources[start : start + 4], "big")
        if kind == _IPTC:
            yield resources[start + 4 : start + 4 + size]
        position = start + 4 + size + size % 2


def _datasets(block: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(record, dataset, value); ends at the first thing that is none, or is an extended one."""
    position = 0
    for _ in range(_MAX_DATASETS):
        if block[position : position + 1] != b"\x1c" or position + 5 > len(block):
            return
        size = int.from_bytes(block[position + 3 : position + 5], "big")
        end = position + 5 + size
        if size > 0x7FFF or end > len(block):
            return
        yield block[position + 1], block[position + 2], block[position + 5 : end]
        position = end


def _text(value: bytes) -> str:
    """Most writers use UTF-8, with or without saying so; what is not UTF-8 is Windows-1252."""
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        text = value.decode("cp1252", "replace")
    return text.replace("\0", "").strip()
