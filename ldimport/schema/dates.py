"""Dates and times as people write them, to ISO 8601. What can be read two ways is not guessed."""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, time, tzinfo
from functools import cache
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
_FORMS = (
    "%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%d-%m-%y", "%y-%m-%d", "%y/%m/%d", "%d/%m/%Y", "%m/%d/%Y",
    "%d-%m-%Y", "%m-%d-%Y", "%d.%m.%Y", "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d. %B %Y", "%d %B %Y",
    "%d. %b %Y", "%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%B %d, %Y", "%b %d, %Y", "%Y:%m:%d", "%Y%m%d",
)  # fmt: skip
_TIMES = ("", " %H:%M", " %H:%M:%S", ", %H:%M", ", %H:%M:%S", "T%H:%M", "T%H:%M:%S", " %I:%M %p",
          " %H:%M%z", " %H:%M:%S%z", " %H:%M %z", "T%H:%M%z", "T%H:%M:%S%z")  # fmt: skip
FIELD = "FIELD"
"""Stands in hints for the field, which is not known here."""


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
        told = f"“{text}” has a time, and only the day is stored"
        raise BadValue("bad-date", told, _hint(text))
    return day.isoformat()


def read_datetime(text: str, form: str | None = None, zone: str | None = None) -> str:
    """ISO 8601 with an offset or ``Z``; one that is so already stays as it is. ``zone`` (IANA
    name) is for times that name none. Raises BadValue."""
    text = _short(text)
    if is_datetime(text):
        return text
    if form is not None:
        return _iso(_zoned(_by_form(text, form), zone, text))
    day, at = _split(text, moment=True)
    if at is None:
        if zone is None:
            told = f"“{text}” is a day, a time with its zone is stored"
            raise BadValue("no-time-zone", told, _ZONE_HINT)
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


def _split(text: str, *, moment: bool = False) -> tuple[date, time | None]:
    """The day, and the time behind it if there is one. ``moment``: its zone will be asked for."""
    if (found := _TIME.fullmatch(text)) is None:
        raise _no_date(text, moment=moment)
    head, hour, minute, second, fraction, zone = found.groups()
    day = _day(head, text, moment=moment and zone is None)
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


def _day(text: str, whole: str, *, moment: bool) -> date:
    found = next(filter(None, (form.fullmatch(text) for form in _DAYS)), None)
    if found is None:
        if _SHORT_YEAR.fullmatch(text):
            told = f"“{whole}” has a year of two digits"
            raise BadValue("ambiguous-date", told, _hint(whole, moment=moment))
        raise _no_date(whole, moment=moment)
    parts = found.groupdict()
    day, month = parts["day"], parts["month"]
    if "sign" in parts and int(day) <= 12 and day.zfill(2) != month.zfill(2):
        # the day first in most of the world, the month in the USA
        if int(month) <= 12:
            text = f"“{whole}” may begin with the day or with the month"
            raise BadValue("ambiguous-date", text, _hint(whole, moment=moment))
        day, month = month, day
    try:
        return date(int(parts["year"]), int(month), int(day))
    except ValueError as error:
        raise BadValue("bad-date", f"“{whole}”: there is no such day") from error


def _no_date(text: str, *, moment: bool = False) -> BadValue:
    plain = "write it as 2003-04-12T09:30:00Z" if moment else "write it as 2003-04-12"
    told = f"“{text}” is not a date"
    ways = filter(None, (plain, _hint(text, moment=moment)))
    return BadValue("bad-date", told, "; or ".join(ways))


_ZONE_HINT = (
    "write …Z or …+02:00, or name it for the whole column, below manifest: in ldimport.yaml: "
    f"{FIELD}: {{zone: Europe/Zurich}}"
)


def _hint(text: str, *, moment: bool = False) -> str:
    """The settings by which this text would be read, "" where there are none. ``moment``: it needs
    a zone too."""
    zone = ", zone: Europe/Zurich" if moment else ""
    ways = [f'{FIELD}: {{date: "{form}"{zone}}}' for form in fitting(text)]
    told = "say how the column writes dates, below manifest: in ldimport.yaml: "
    return told + " or ".join(ways[:2]) if ways else ""


def fitting(text: str) -> Iterator[str]:
    """The formats by which a text is read, the likeliest first."""
    for form, looks in _looks().items():
        if looks.fullmatch(text):
            with suppress(ValueError):
                datetime.strptime(text, form)
                yield form


@cache
def _looks() -> dict[str, re.Pattern[str]]:
    """Form -> what a text that it reads looks like: ``strptime`` takes long to find out."""
    parts = {"%Y": r"\d{4}", "%B": r"[^\W\d_]{3,}", "%b": r"[^\W\d_]{3,4}", "%p": "[AaPp][Mm]",
             "%z": r"(?:Z|[+-]\d\d:?\d\d)"}  # fmt: skip
    return {
        form: re.compile(re.sub("%.", lambda sign: parts.get(sign[0], r"\d{1,2}"), re.escape(form)))
        for form in (day + at for day in _FORMS for at in _TIMES)
    }
