"""Words and numbers as people read them, on a screen or a page, and outside text made harmless.
Imports nothing heavy."""

import re
import time

from ldimport.harmless import BREAK, HIDDEN
from ldimport.url import without_secrets

_UNSAFE = re.compile(f"[\x00-\x1f{HIDDEN}\ud800-\udfff]")
_BLANK = re.compile(f"[\t{BREAK}]")


def clean(text: str) -> str:
    """Outside text for one line of a screen or log: no control, no bidi, no invisible
    characters, nothing of a URL that lets others in; line breaks and tabs become blanks."""
    return without_secrets(_UNSAFE.sub("", _BLANK.sub(" ", text)))


def number(count: int) -> str:
    """A count with its thousands grouped: ``1,204,113``."""
    return f"{count:,}"


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """A count with its noun: ``1 image``, ``2 images``, ``3 entries``."""
    if count == 1:
        return f"1 {noun}"
    if plural is None:
        plural = f"{noun[:-1]}ies" if noun.endswith("ry") else f"{noun}s"
    return f"{number(count)} {plural}"


def percent(part: int, whole: int) -> str:
    """A share with one decimal; what is there but small is ``<0.1 %``, never ``0.0 %``."""
    share = 100 * part / whole if whole else 0.0
    if 0 < share < 0.1:
        return "<0.1 %"
    if 99.9 < share < 100:
        return ">99.9 %"
    return f"{share:.1f} %"


def duration(seconds: float) -> str:
    """A span in its two largest units: ``0.4 s``, ``4 min 12 s``, ``21 h 3 min``, ``3 days``."""
    if 0 <= seconds < 9.95:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    whole = max(0, round(seconds))
    for size, unit, small, small_unit in (
        (86_400, "day", 3_600, "h"),
        (3_600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= size:
            many, rest = divmod(whole, size)
            text = f"{many} {unit}s" if unit == "day" and many != 1 else f"{many} {unit}"
            return f"{text} {rest // small} {small_unit}" if rest // small else text
    return f"{whole} s"


def size(count: int) -> str:
    """A number of bytes in decimal units: ``412 MB``, ``1.1 GB``, ``830 bytes``."""
    if count < 1000:
        return f"{count} bytes"
    power = min(3, (len(str(count)) - 1) // 3)
    amount = count / 1000**power
    return f"{amount:,.{int(amount < 10)}f} {('kB', 'MB', 'GB')[power - 1]}"


def utc(moment: float) -> str:
    """A Unix time for logs and JSON: ``2026-11-23T08:09:30Z``."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def utc_day(moment: float) -> str:
    """The day of a Unix time for a page: ``12 Nov 2026``."""
    return time.strftime("%d %b %Y", time.gmtime(moment)).removeprefix("0")


def utc_minute(moment: float) -> str:
    """The minute of a Unix time for a page: ``12 Nov 2026 14:06``."""
    return f"{utc_day(moment)} {time.strftime('%H:%M', time.gmtime(moment))}"


def clock(moment: float, now: float) -> str:
    """A Unix time for a screen, local: ``14:06`` today, ``tomorrow 06:14``, ``12 Nov 09:30``."""
    from datetime import datetime

    then, today = datetime.fromtimestamp(moment), datetime.fromtimestamp(now)
    days = (then.date() - today.date()).days
    word = {0: "", 1: "tomorrow ", -1: "yesterday "}.get(days)
    if word is None:
        word = f"{then.day} {then:%b} " + (f"{then.year} " if then.year != today.year else "")
    return f"{word}{then:%H:%M}"


def exact_clock(moment: float) -> str:
    """A Unix time of about now for a screen, local and with seconds: ``14:06:09``."""
    return time.strftime("%H:%M:%S", time.localtime(moment))
