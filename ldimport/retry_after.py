"""``Retry-After`` (RFC 9110, section 10.2.3): seconds, or a date in one of three forms."""

from datetime import UTC
from email.utils import parsedate_to_datetime


def seconds(text: str | None, now: float, most: float) -> float | None:
    """How long it asks to wait at ``now`` (Unix seconds), from 0 to ``most``; None if it is
    missing or makes no sense. Dates are in GMT, also where they do not say so (asctime)."""
    text = (text or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text), most)
    try:
        moment = parsedate_to_datetime(text)
        wanted = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return min(max(wanted, 0.0), most)
