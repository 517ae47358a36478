"""How batches and images are kept in the state file: compressed JSON, which schema 1 wrote too."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any

from ldimport.migration.batch import Envelope, Outgoing
from ldimport.model import Image
from ldimport.wire import image_body


def pack(envelope: Envelope, images: tuple[Outgoing, ...]) -> bytes:
    """Envelope and images, until their job has ended."""
    shared = {"systemName": envelope.system_name, "webhook": envelope.webhook}
    head = _json({**shared, "context": envelope.context})
    text = b'%b,"images":[%b]}' % (head[:-1], b",".join(map(_outgoing, images)))
    return zlib.compress(text, 3)


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
    """The entry stands there as it was rendered; the original row keeps its order of columns."""
    place = {"row": each.row, "line": each.line, "original": each.original}
    digests = {"fingerprint": each.fingerprint.hex(), "content": each.content.hex()}
    own = _json({**place, **digests})
    return b'{"image":%b,%b' % (each.body, own[1:])


def _from_json(body: Mapping[str, Any]) -> Outgoing:
    entry = body["image"]
    image = Image(
        entry["id"], entry["url"], entry["fileName"], entry["metadata"], entry.get("mediaType")
    )
    fingerprint, content = bytes.fromhex(body["fingerprint"]), bytes.fromhex(body["content"])
    place, original = (body["row"], body["line"]), body["original"]
    return Outgoing(image, *place, image_body(image), fingerprint, content, original)


def _json(body: Mapping[str, Any]) -> bytes:
    text = json.dumps(body, ensure_ascii=False, default=dict)
    return text.encode("utf-8", "surrogatepass")


def _parsed(packed: bytes) -> Any:
    return json.loads(zlib.decompress(packed).decode("utf-8", "surrogatepass"))
