"""The versions of the API by the calendar, and what a server says of the end of one
(docs/livingdocs-api.md, "Versions and dialects")."""

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache

API_VERSION = re.compile(r"v[0-9]{1,3}|20[0-9]{2}-(0[1-9]|1[0-2])")
"""``v1``, or dated like the releases (``2025-03``)."""
CLASSIC = "v1"
FIRST = "2025-03"
"""The first release whose version has these paths; there is one in each odd month."""
LIFE = {CLASSIC: ("2026-09", "2027-03"), "2025-03": ("2026-11", "2027-05")}
"""Versions with an announced end: deprecated since this release, removed in that one."""
_WARNING = re.compile(r'[0-9]{3} \S+ "((?:[^"\\]|\\.)*)"')
_DATE = re.compile(r"@([0-9]{1,11})")


@lru_cache(maxsize=8)
def _until(year: int, month: int) -> tuple[str, ...]:
    first_year, first_month = map(int, FIRST.split("-"))
    months = range(first_year * 12 + first_month - 1, year * 12 + month, 2)
    return (CLASSIC, *(f"{each // 12}-{each % 12 + 1:02}" for each in months))


def versions(now: float) -> tuple[str, ...]:
    """The versions there are at this Unix time, the oldest first."""
    moment = datetime.fromtimestamp(now, UTC)
    return _until(moment.year, moment.month)


def advised(now: float) -> str:
    """The version to take: of the newest release but one, which every server of today has."""
    return versions(now)[-2:][0]


def farewell(headers: Mapping[str, str], version: str, now: float) -> str | None:
    """What an answer's headers (by lower-case name) say of the end of ``version``, in a sentence
    with the version to take; None where they say nothing. ``Deprecation`` is a date (RFC 9745) or
    ``true`` (its drafts), ``Sunset`` one (RFC 8594), ``Warning`` a text (RFC 7234 5.5)."""
    since, ends = headers.get("deprecation"), _date(headers.get("sunset", ""))
    said = _WARNING.findall(headers.get("warning", ""))
    if since is None and ends is None and not said:
        return None
    text = f"API version {version} is deprecated"
    if since is None and ends is None:
        text = f"the server warns of API version {version}"
    if ends is not None:
        text = f"API version {version} ends on {ends:%Y-%m-%d}"
    words = f" (“{said[0][:200]}”)" if said else ""
    other = "" if version == advised(now) else f"; take apiVersion {advised(now)}"
    return f"{text}{words}{other}"


def _date(text: str) -> datetime | None:
    if found := _DATE.fullmatch(text.strip()):
        return datetime.fromtimestamp(int(found[1]), UTC)
    with suppress(ValueError, TypeError, IndexError, OverflowError):
        return parsedate_to_datetime(text)
    return None
