"""When is an entry the same as the one sent before? (design section 5)"""

from __future__ import annotations

import hashlib
import re
from urllib.parse import urlsplit, urlunsplit

from ldimport.model import Image, canonical_json

_SIGNATURE = re.compile(
    r"^(?:x-amz-.*|x-goog-.*|signature|expires|sig|se|st|sp|sv|sr|awsaccesskeyid|googleaccessid"
    r"|key-pair-id|policy|token)$",
    re.IGNORECASE,
)


def unsigned(url: str) -> str:
    """``url`` without the parameters that a presigned URL changes every time it is made."""
    if "?" not in url:
        return url
    parts = urlsplit(url)
    kept = [p for p in parts.query.split("&") if not _SIGNATURE.match(p.split("=", 1)[0])]
    return urlunsplit(parts._replace(query="&".join(kept)))


def content_digest(image: Image) -> bytes:
    """sha256 of what the target would store: url, fileName, mediaType and metadata as sent."""
    body = {
        "url": unsigned(image.url),
        "fileName": image.file_name,
        "mediaType": image.media_type,
        "metadata": dict(image.metadata),
    }
    return hashlib.sha256(canonical_json(body)).digest()


def fingerprint(content: bytes, stamp: tuple[int, int] | None) -> bytes:
    """``content`` itself; for a local file together with its ``stamp`` (size, mtime in ns)."""
    if stamp is None:
        return content
    return hashlib.sha256(b"%b %d %d" % (content, *stamp)).digest()
