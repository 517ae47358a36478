"""One entry of ``images`` as canonical JSON, and the text that its fingerprints are taken of."""

from __future__ import annotations

import json

from ldimport.model import Image

_encoded = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
).encode


def image_body(image: Image) -> bytes:
    """One entry of ``images`` as canonical JSON: what is sent, measured and kept."""
    return rendered(image)[0]


def image_content(image: Image) -> bytes:
    """All that an entry says but its id, as canonical JSON: equal texts ask for the same."""
    return rendered(image)[1]


def rendered(image: Image, url: str | None = None) -> tuple[bytes, bytes]:
    """``image_body`` and ``image_content``, each value rendered once; ``url`` takes the place of
    the image's own in the content."""
    name, metadata = _encoded(image.file_name), _encoded(dict(image.metadata))
    kind, place = _encoded(image.media_type), _encoded(image.url)
    content_place = place if url is None or url == image.url else _encoded(url)
    own_kind = "" if image.media_type is None else f',"mediaType":{kind}'
    body = (
        f'{{"fileName":{name},"id":{_encoded(image.id)}{own_kind},"metadata":{metadata},'
        f'"url":{place}}}'
    )
    content = (
        f'{{"fileName":{name},"mediaType":{kind},"metadata":{metadata},"url":{content_place}}}'
    )
    return body.encode("utf-8", "surrogatepass"), content.encode("utf-8", "surrogatepass")
