"""From a server's sentence to a cause that groups: (cause code, worth a retry).

A reason is kept raw for every image; numbers, ids and addresses are cut out before grouping, so
that "file is cut off after 1.2 MB" and "… 3.4 MB" are one cause (ux.md 1).
"""

from __future__ import annotations

import re
import unicodedata

_KNOWN: tuple[tuple[re.Pattern[str], str, bool], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), cause, retryable)
    for pattern, cause, retryable in (
        (r"\borigin answered (5\d\d|408|425|429)\b", r"origin-\1", True),
        (r"\borigin answered (\d+)\b", r"origin-\1", False),
        (r"\bnot allowed\b.*--allow-host|address .*not allowed", "address-not-allowed", True),
        (r"\btimed? ?out\b|\btook longer than\b|\bno answer within\b", "timeout", True),
        (r"\bcould not (connect|be reached)|connection (refused|reset|closed)", "connection", True),
        (r"\bname .*(not be resolved|unknown)|\bDNS\b", "dns", True),
        (r"\bcould not upload image\b", "could-not-upload-image", True),
        (r"\bpixels\b", "too-many-pixels", False),
        (r"\bframes\b.*\blimit\b", "too-many-frames", False),
        (r"\bbytes\b.*\blimit\b|\blarger than\b", "too-many-bytes", False),
        (r"\bcut off\b|\btruncated\b", "truncated", False),
        (r"\binvalid metadata\b|\bmetadata validation\b", "invalid-metadata", False),
        (r"\bnot an image\b", "not-an-image", False),
        (r"\bno such file\b", "no-such-file", False),
        (r"\bgave no result\b", "no-result", True),
    )
)
_SPECIFIC = re.compile(
    r"https?://\S+|[“\"'][^“”\"']*[”\"']|\S*/\S+|\b[0-9a-f]{8,}\b|\d[\d,.'  ]*", re.IGNORECASE
)


def cause_of(reason: str | None) -> tuple[str, bool]:
    """The stable cause of a reason, and whether trying again without a change can help."""
    text = reason or ""
    for pattern, cause, retryable in _KNOWN:
        found = pattern.search(text)
        if found:
            return found.expand(cause), retryable
    plain = unicodedata.normalize("NFKD", _SPECIFIC.sub(" ", text)).lower()
    words = re.findall(r"[a-z]+", plain)
    return "-".join(words[:6]) or "unknown", False
