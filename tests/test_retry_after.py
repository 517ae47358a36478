"""``Retry-After`` means the same everywhere on Earth."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from ldimport import retry_after

NOW = 1_800_000_000.0
"""Fri, 15 Jan 2027 08:00:00 GMT."""
DAY = 86_400.0


@pytest.fixture(params=["UTC", "America/New_York", "Asia/Kathmandu", "Pacific/Kiritimati"])
def _zone(request: pytest.FixtureRequest) -> Iterator[None]:
    if not hasattr(time, "tzset"):
        pytest.skip("the zone of a process cannot be changed here")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("TZ", request.param)
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("_zone")
@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        (" 17 ", 17.0),
        ("Fri, 15 Jan 2027 08:00:30 GMT", 30.0),
        ("Fri, 15 Jan 2027 07:00:00 GMT", 0.0),
        ("Friday, 15-Jan-27 08:00:30 GMT", 30.0),
        ("Fri Jan 15 08:00:30 2027", 30.0),
        ("Fri Jan  1 08:00:30 2027", 0.0),
        ("Fri, 15 Jan 2027 08:00:30", 30.0),
        ("Fri, 15 Jan 2027 03:00:30 -0500", 30.0),
        (None, None),
        ("", None),
        ("-1", None),
        ("-1 abc", None),
        ("soon", None),
        ("\u0661\u0667", None),
        ("1.5", None),
        ("100000000000", DAY),
        ("9" * 5_000, DAY),
        ("Fri, 15 Jan 9999 08:00:30 GMT", DAY),
        ("Fri, 99 Foo 2027 99:99:99", None),
    ],
)
def test_every_form_gives_the_same_wait_in_every_zone(
    text: str | None, seconds: float | None
) -> None:
    assert retry_after.seconds(text, NOW, DAY) == seconds
