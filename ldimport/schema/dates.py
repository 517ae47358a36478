"""Dates and times as people write them, to ISO 8601. What can be read two ways is not guessed."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, tzinfo
from zoneinfo import ZoneInfo

from ldimport.schema.findings import BadValue, cut

_DAYS = (
    re.compile(r"(?P<year>\d{4})[-/](?P<month>\d{1,2})[-/](?P<day>\d{1,2})"),
    re.compile(r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})"),
    re.compile(r"(?P<day>\d{1,2})\.\s?(?P<month>\d{1,2})\.\s?(?P<year>\d{4})"),
    re.compile(r"(?P<day>\d{1,2})(?P<sign>[/-])(?P<month>\d{1,2})(?P=sign)(?P<year>\d{4})"),
)
_SHORT_YEAR = re.compile(r"\d{1,2}([./-])\d{1,2}\1\d{2}")
_TIME = re.compile(
    r"(\S.*?)(?:[T ] *(\d{1,2}):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?"
    r" ?(Z|z|UTC|[+-]\d\d(?::?\d\d)?)?)?"
)
_STORED_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_STORED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)")
_LONGEST = 200
"""Characters of a date or time at most, blanks and all; longer texts are none."""
_DATE_HINT = 'say how the column writes dates, in ldimport.yaml: {column: …, date: "%d.%m.%Y"}'

_ZONE_HINT = "write …Z or …+02:00, or name it in ldimport.yaml: {column: …, zone: Europe/Zurich}"


def is_date(text: object) -> bool:
    """Whether a value is a day that exists, as ``li-date`` stores it; no text is no complaint."""
    return not isinstance(text, str) or _exists(text, _STORED_DATE, date.fromisoformat)


def is_datetime(text: object) -> bool:
    """Whether a value is a moment that exists, as ``li-datetime`` stores it."""
    return not isinstance(text, str) or _exists(text, _STORED, moment)


def _exists(text: str, form: re.Pattern[str], read: Callable[[str], object]) -> bool:
    try:
        return form.fullmatch(text) is not None and bool(read(text))
    except ValueError:
        return False


def moment(text: str) -> datetime:
    """A stored date and time, else ValueError. Python reads six digits of a second."""
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))


def read_date(text: str, form: str | None = None) -> str:
    """``YYYY-MM-DD``. ``form``: how the column writes dates (``strptime``). Raises BadValue."""
    text = _short(text)
    if form is not None:
        return _by_form(text, form).date().isoformat()
    day, at = _split(text)
    if at is not None and at.replace(tzinfo=None) != time(0):
        raise BadValue("bad-date", f"“{text}” has a time, and only the day is stored", _DATE_HINT)
    return day.isoformat()


def read_datetime(text: str, form: str | None = None, zone: str | None = None) -> str:
    """ISO 8601 with an offset or ``Z``; one that is so already stays as it is. ``zone`` (IANA
    name) is for times that name none. Raises BadValue."""
    text = _short(text)
    if is_datetime(text):
        return text
    if form is not None:
        return _iso(_zoned(_by_form(text, form), zone, text))
    day, at = _split(text)
    if at is None:
        if zone is None:
            raise BadValue("no-time-zone", f"“{text}” is a day, a time with its zone is stored",
                           _ZONE_HINT)  # fmt: skip
        at = time(0)
    return _iso(_zoned(datetime.combine(day, at), zone, text))


def _short(text: str) -> str:
    if len(stripped := text.strip()) > _LONGEST:
        raise _no_date(cut(stripped))
    return stripped


def _zoned(found: datetime, zone: str | None, text: str) -> datetime:
    if found.tzinfo is not None:
        return found
    if zone is None:
        raise BadValue("no-time-zone", f"“{text}” does not say its time zone", _ZONE_HINT)
    at = found.replace(tzinfo=ZoneInfo(zone))
    if at.utcoffset() != at.replace(fold=1).utcoffset():
        raise BadValue(
            "ambiguous-date",
            f"“{text}” is a time that summer time skips or repeats in {zone}",
            "write its offset: …+01:00 or …+02:00",
        )
    return at


def _iso(found: datetime) -> str:
    text = found.isoformat(timespec="milliseconds" if found.microsecond else "seconds")
    return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text


def _by_form(text: str, form: str) -> datetime:
    try:
        return datetime.strptime(text, form)
    except ValueError as error:
        raise BadValue("bad-date", f"“{text}” is not a date written as {form}") from error


def _split(text: str) -> tuple[date, time | None]:
    """The day, and the time behind it if there is one."""
    if (found := _TIME.fullmatch(text)) is None:
        raise _no_date(text)
    head, hour, minute, second, fraction, zone = found.groups()
    day = _day(head, text)
    if hour is None:
        return day, None
    try:
        micro = int((fraction or "0").ljust(6, "0")[:6])
        return day, time(int(hour), int(minute), int(second or 0), micro, tzinfo=_offset(zone))
    except ValueError as error:
        raise BadValue("bad-date", f"“{text}”: there is no such time") from error


def _offset(zone: str | None) -> tzinfo | None:
    if zone is None or zone in ("Z", "z", "UTC"):
        return UTC if zone else None
    return datetime.strptime(zone if len(zone) > 3 else f"{zone}00", "%z").tzinfo


def _day(text: str, whole: str) -> date:
    found = next(filter(None, (form.fullmatch(text) for form in _DAYS)), None)
    if found is None:
        if _SHORT_YEAR.fullmatch(text):
            raise BadValue("ambiguous-date", f"“{whole}” has a year of two digits", _DATE_HINT)
        raise _no_date(whole)
    parts = found.groupdict()
    day, month = parts["day"], parts["month"]
    if "sign" in parts and int(day) <= 12 and day.zfill(2) != month.zfill(2):
        # the day first in most of the world, the month in the USA
        if int(month) <= 12:
            text = f"“{whole}” may begin with the day or with the month"
            raise BadValue("ambiguous-date", text, _DATE_HINT)
        day, month = month, day
    try:
        return date(int(parts["year"]), int(month), int(day))
    except ValueError as error:
        raise BadValue("bad-date", f"“{whole}”: there is no such day") from error


def _no_date(text: str) -> BadValue:
    return BadValue("bad-date", f"“{text}” is not a date", "write it as 2003-04-12; " + _DATE_HINT)
