"""Words, numbers, and outside text made harmless."""

from __future__ import annotations

import json
import re

import pytest
from hostile_strings import CONTROLS
from hypothesis import assume, given
from hypothesis import strategies as st

from ldimport import wording
from ldimport.cli.output import text
from ldimport.cli.output.documents import dumps, redacted
from ldimport.url import without_secrets

HARMFUL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


@given(st.text(st.characters()))
def test_clean_text_holds_nothing_harmful(outside: str) -> None:
    assert not HARMFUL.search(wording.clean(outside))


@given(st.text(st.characters(exclude_categories=["C", "Zl", "Zp"])))
def test_clean_leaves_harmless_text_alone(outside: str) -> None:
    assume(without_secrets(outside) == outside)  # ``0:0@0`` may be a name and a password
    assert wording.clean(outside) == outside


@given(st.dictionaries(st.text(), st.text(st.characters())))
def test_json_has_no_raw_control_character_and_reads_back_as_the_same(
    document: dict[str, str],
) -> None:
    line = dumps(document)
    assert not HARMFUL.search(line)
    assert json.loads(line) == redacted(document), "``0:0@0`` may be a name and a password"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "0.2 s"),
        (5, "5 s"),
        (48, "48 s"),
        (59.6, "1 min"),
        (252, "4 min 12 s"),
        (3_600, "1 h"),
        (75_780, "21 h 3 min"),
        (86_400, "1 day"),
        (180_000, "2 days 2 h"),
    ],
)
def test_duration_in_two_units(seconds: float, words: str) -> None:
    assert wording.duration(seconds) == words


@pytest.mark.parametrize(
    ("part", "whole", "words"),
    [
        (0, 0, "0.0 %"),
        (0, 5, "0.0 %"),
        (77, 1_204_113, "<0.1 %"),
        (1_204_036, 1_204_113, ">99.9 %"),
        (612_252, 1_204_113, "50.8 %"),
        (5, 5, "100.0 %"),
    ],
)
def test_small_shares_are_never_shown_as_nothing(part: int, whole: int, words: str) -> None:
    assert wording.percent(part, whole) == words


def test_clock_names_the_day() -> None:
    now = 1_795_421_460.0
    day = 86_400
    assert re.fullmatch(r"\d\d:\d\d", wording.clock(now, now))
    assert wording.clock(now + day, now).startswith("tomorrow ")
    assert wording.clock(now - day, now).startswith("yesterday ")
    assert re.fullmatch(r"\d+ \w+ \d\d:\d\d", wording.clock(now - 20 * day, now))
    assert re.fullmatch(r"\d+ \w+ \d{4} \d\d:\d\d", wording.clock(now - 500 * day, now))


@pytest.mark.parametrize(
    ("count", "noun", "words"),
    [(1, "image", "1 image"), (2_000, "image", "2,000 images"), (2, "entry", "2 entries")],
)
def test_counts_with_their_noun(count: int, noun: str, words: str) -> None:
    assert wording.counted(count, noun) == words


@given(st.text(st.characters(exclude_categories=["C"])), st.integers(1, 60))
def test_no_digit_stands_before_the_mark_of_a_cut(outside: str, width: int) -> None:
    short = text.cut(outside, width)
    assert text.cells(short) <= max(width, 1)
    if short != outside:
        assert not re.search(r"[\d.,]…$", short)


@given(st.text(st.characters(exclude_categories=["C"])), st.integers(1, 60))
def test_a_cut_on_the_left_keeps_the_end(outside: str, width: int) -> None:
    short = text.cut_left(outside, width)
    assert text.cells(short) <= max(width, 1)
    assert outside.endswith(short.removeprefix("…"))


@pytest.mark.parametrize(
    ("count", "words"),
    [(830, "830 bytes"), (1_500, "1.5 kB"), (480_000, "480 kB"), (412_000_000, "412 MB"),
     (1_100_000_000, "1.1 GB"), (2_500_000_000_000, "2,500 GB")],
)  # fmt: skip
def test_sizes(count: int, words: str) -> None:
    assert wording.size(count) == words


@pytest.mark.parametrize("outside", CONTROLS)
def test_terminal_strings_are_disarmed(outside: str) -> None:
    assert HARMFUL.search(outside)
    assert not HARMFUL.search(wording.clean(outside))


@pytest.mark.parametrize("width", [16, 24, 30, 45, 60])
@pytest.mark.parametrize(
    "url",
    [
        "https://img.tagblatt.ch/2003/archiv/region/ostschweiz/2003-04511-rheinfall.jpg",
        "http://127.0.0.1:9095/api/v1/images/rheinfall?id=2003/04511.jpg&w=200",
        "https://a-very-long-host-name-of-a-cloud.storage.example.com/1.jpg?key=kurz",
    ],
)
def test_an_address_is_shortened_in_its_middle(url: str, width: int) -> None:
    short = text.cut_url(url, width)
    assert text.cells(short) <= width and short.count("…") == 1
    begin, end = short.split("…")
    assert url.startswith(begin) and url.endswith(end)
    assert len(end) >= width // 2 - 1, "never its host alone"
    assert begin.startswith("http") and not begin[-1:].isdigit()


def test_what_fits_or_is_no_address_is_cut_as_ever() -> None:
    assert text.cut_url("https://a.example/1.jpg", 23) == "https://a.example/1.jpg"
    assert text.cut_url("not an image: text/html", 12) == text.cut("not an image: text/html", 12)
