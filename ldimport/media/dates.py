"""Dates as XMP, IIM and EXIF write them -> full ISO 8601 in UTC, as the API stores dates."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_DATE = re.compile(
    r"(\d{4})(?:[-:./]?(\d\d)(?:[-:./]?(\d\d))?)?"
    r"(?:[T ]?(\d\d):?(\d\d)(?::?(\d\d)(?:[.,](\d{1,6})\d*)?)?)?"
    r"\s*(Z|[+-]\d\d:?\d\d)?"
)

_CLOCK = re.compile(r"(\d\d):?(\d\d):?(\d\d)(\.\d+)?([+-]\d\d:?\d\d)?")


def iso(text: str, offset: str = "") -> str:
    """``2010:01:02 03:04:05`` -> ``2010-01-02T03:04:05.000Z``; a missing month or day is the
    first, a missing time midnight, a missing zone ``offset``, else UTC. Empty for no date."""
    found = _DATE.fullmatch(text.strip())
    if found is None:
        return ""
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    local = (
        f"{year}-{month or '01'}-{day or '01'}T{hour or '00'}:{minute or '00'}:{second or '00'}"
        f".{(fraction or '0').ljust(6, '0')}{_zone(zone) or _zone(offset) or '+00:00'}"
    )
    try:
        moment = datetime.fromisoformat(local).astimezone(UTC)
    except (ValueError, OverflowError):
        return ""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _zone(text: str | None) -> str:
    found = re.fullmatch(r"([+-]\d\d):?(\d\d)", (text or "").strip())
    return f"{found[1]}:{found[2]}" if found else ""


def clock(text: str) -> str:
    """IIM's ``030405+0100`` -> ``03:04:05+01:00``; other text stays as it is."""
    found = _CLOCK.fullmatch(text)
    if found is None:
        return text
    hour, minute, second, fraction, zone = found.groups()
    return f"{hour}:{minute}:{second}{fraction or ''}{_zone(zone)}"
