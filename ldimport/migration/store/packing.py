"""Batches and images as they are kept: compressed JSON, which schema 1 wrote too."""

import json
import zlib
from collections.abc import Mapping
from typing import Any

from ldimport.migration.batch import Envelope, Outgoing
from ldimport.migration.store.schema import damaged
from ldimport.model import Image, compact_json

_QUICKLY = 1
"""A batch is kept for minutes."""


def pack(envelope: Envelope, images: tuple[Outgoing, ...]) -> bytes:
    """Envelope and images, until their job has ended."""
    shared = {"systemName": envelope.system_name, "webhook": envelope.webhook}
    head = compact_json({**shared, "context": envelope.context})
    text = b'%b,"images":[%b]}' % (head[:-1], b",".join(map(_outgoing, images)))
    return zlib.compress(text, _QUICKLY)


def unpack(packed: bytes) -> tuple[Envelope, tuple[Outgoing, ...]]:
    """What ``pack`` packed."""
    body = _parsed(packed)
    envelope = Envelope(body["systemName"], body["webhook"], body["context"])
    return envelope, tuple(map(_from_json, body["images"]))


def pack_one(outgoing: Outgoing) -> bytes:
    """One image, for keeping a failed one until it succeeds."""
    return zlib.compress(_outgoing(outgoing))


def unpack_one(packed: bytes) -> Outgoing:
    """What ``pack_one`` packed."""
    return _from_json(_parsed(packed))


def _outgoing(each: Outgoing) -> bytes:
    """The entry stands there as it was rendered; the original row keeps its order of columns. The
    digests follow from the entry, but for the fingerprint of a local file."""
    own: dict[str, Any] = {
        "row": each.row,
        "line": each.line,
        "original": dict(each.original.items()),
    }
    if each.fingerprint != each.content:
        own["fingerprint"] = each.fingerprint.hex()
    return b'{"image":%b,%b' % (each.body, compact_json(own)[1:])


def _from_json(body: Mapping[str, Any]) -> Outgoing:
    entry = body["image"]
    image = Image(
        entry["id"], entry["url"], entry["fileName"], entry["metadata"], entry.get("mediaType")
    )
    made = Outgoing.of(image, body["row"], body["line"], body["original"])
    kept = body.get("fingerprint")
    return made if kept is None else made._replace(fingerprint=bytes.fromhex(kept))


def _parsed(packed: bytes) -> Any:
    try:
        return json.loads(zlib.decompress(packed).decode("utf-8", "surrogatepass"))
    except (zlib.error, TypeError, ValueError) as error:
        raise damaged(error) from error
