"""When is an entry the same as the one sent before?"""

from __future__ import annotations

import hashlib
import re
from urllib.parse import urlsplit, urlunsplit

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


def fingerprint(content: bytes, stamp: tuple[int, int] | None) -> bytes:
    """The digest ``content`` itself; for a local file together with its ``stamp`` (size, mtime
    in ns)."""
    if stamp is None:
        return content
    return hashlib.sha256(b"%b %d %d" % (content, *stamp)).digest()
