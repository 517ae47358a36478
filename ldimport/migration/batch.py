"""Batches: what goes into one POST, and how it is kept until its job has ended."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from ldimport import wire
from ldimport.model import Image, ImportRequest, Integrity, JobOptions, Json
from ldimport.targets.base import BatchLimits


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One image on its way: ``fingerprint`` tells whether the row was edited since,
    ``content`` whether the target's answer is about this content; ``original`` is the row of
    the manifest with all its columns."""

    image: Image
    row: int
    line: int
    fingerprint: bytes
    content: bytes
    original: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Envelope:
    """What the images of one batch share."""

    system_name: str
    webhook: str | None = None
    context: Mapping[str, Json] | None = None

    def request(self, images: Iterable[Outgoing]) -> ImportRequest:
        """The request that carries these images."""
        return ImportRequest(
            self.system_name, tuple(each.image for each in images), self.webhook, self.context
        )

    @property
    def size(self) -> int:
        """Bytes of the request body without its images."""
        return len(wire.encode(wire.request_to_json(self.request(()))))


def size_of(outgoing: Outgoing) -> int:
    """Bytes of one image in the request body, with its comma."""
    return len(wire.encode(wire.image_to_json(outgoing.image))) + 1


def cut(
    images: Iterable[Outgoing], envelope_size: int, limits: Callable[[], BatchLimits]
) -> Iterator[tuple[list[Outgoing], int]]:
    """Group images into batches within ``limits``, each with the bytes of its body. An image
    that is larger than a whole batch goes alone; the target will say so. The limits are asked
    for each image: a target may learn on the way that less fits."""
    batch: list[Outgoing] = []
    total = envelope_size
    for each in images:
        size, most = size_of(each), limits()
        if batch and (len(batch) >= most.images or total + size > most.bytes):
            yield batch, total
            batch, total = [], envelope_size
        batch.append(each)
        total += size
    if batch:
        yield batch, total


# -- keeping a batch -----------------------------------------------------------------------


def pack(envelope: Envelope, images: Iterable[Outgoing]) -> bytes:
    """Envelope and images as compressed JSON, for the state file."""
    body = {
        "systemName": envelope.system_name,
        "webhook": envelope.webhook,
        "context": None if envelope.context is None else dict(envelope.context),
        "images": [_outgoing_to_json(each) for each in images],
    }
    return zlib.compress(json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass"), 3)


def unpack(packed: bytes) -> tuple[Envelope, list[Outgoing]]:
    """What ``pack`` packed."""
    body = json.loads(zlib.decompress(packed).decode("utf-8", "surrogatepass"))
    envelope = Envelope(body["systemName"], body["webhook"], body["context"])
    return envelope, [_outgoing_from_json(each) for each in body["images"]]


def pack_one(outgoing: Outgoing) -> bytes:
    """One image, for keeping a failed one until it succeeds."""
    return zlib.compress(
        json.dumps(_outgoing_to_json(outgoing), ensure_ascii=False).encode("utf-8", "surrogatepass")
    )


def unpack_one(packed: bytes) -> Outgoing:
    """What ``pack_one`` packed."""
    return _outgoing_from_json(json.loads(zlib.decompress(packed).decode("utf-8", "surrogatepass")))


def _outgoing_to_json(each: Outgoing) -> dict[str, Json]:
    return {
        "image": wire.image_to_json(each.image),
        "row": each.row,
        "line": each.line,
        "fingerprint": each.fingerprint.hex(),
        "content": each.content.hex(),
        "original": dict(each.original),
    }


def _outgoing_from_json(body: dict[str, Json]) -> Outgoing:
    image, original = body["image"], body["original"]
    row, line = body["row"], body["line"]
    assert isinstance(image, dict) and isinstance(original, dict)
    assert isinstance(row, int) and isinstance(line, int)
    metadata = image["metadata"]
    media_type = image.get("mediaType")
    assert isinstance(metadata, dict)
    return Outgoing(
        Image(
            str(image["id"]),
            str(image["url"]),
            str(image["fileName"]),
            metadata,
            None if media_type is None else str(media_type),
        ),
        row,
        line,
        bytes.fromhex(str(body["fingerprint"])),
        bytes.fromhex(str(body["content"])),
        original,
    )


def with_options(
    recorded: JobOptions, allow_hosts: tuple[str, ...] | None, integrity: Integrity | None
) -> JobOptions:
    """Recorded options, but for what is given again (design section 7)."""
    return replace(
        recorded,
        allow_hosts=recorded.allow_hosts if allow_hosts is None else allow_hosts,
        integrity=recorded.integrity if integrity is None else integrity,
    )
