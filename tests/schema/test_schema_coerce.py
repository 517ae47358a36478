"""Cells to values: what people write, in the languages of Switzerland and beyond."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from schema_projects import checked, entry, errors, project

from ldimport.cells import Writing
from ldimport.model import Json
from ldimport.schema.check import CheckOptions
from ldimport.schema.coerce import PLAIN, coercion
from ldimport.schema.dates import is_date, is_datetime, read_datetime
from ldimport.schema.findings import BadValue
from ldimport.schema.properties import Property


def value(plugin: str, text: str, writing: Writing = PLAIN) -> Json:
    return coercion(Property("x", plugin), writing)(text)


def refusal(plugin: str, text: str, writing: Writing = PLAIN) -> str:
    with pytest.raises(BadValue) as caught:
        value(plugin, text, writing)
    assert caught.value.message
    return caught.value.code


@pytest.mark.parametrize(
    ("text", "number"),
    [("5", 5), ("+5", 5), ("-3", -3), (" 7 ", 7), ("1'204", 1204), ("1’204’113", 1204113),
     ("1 204", 1204), ("5.0", 5), ("5,0", 5), ("5,00", 5), ("007", 7)],
)  # fmt: skip
def test_whole_numbers(text: str, number: int) -> None:
    assert value("li-integer", text) == number


@pytest.mark.parametrize(
    "text", ["1.204", "1,204", "5.000", "5.5", "four", "0x10", "1e3", "٣", "--5", "9" * 400]
)
def test_what_may_be_another_number_is_not_guessed(text: str) -> None:
    assert refusal("li-integer", text) == "not-an-integer"


@pytest.mark.parametrize("text", ["yes", "true", "1", "ja", "oui", "si", "Sì", "WAHR", "Y", "on"])
def test_yes(text: str) -> None:
    assert value("li-boolean", text) is True


@pytest.mark.parametrize("text", ["no", "false", "0", "nein", "non", "falsch", "N", "off"])
def test_no(text: str) -> None:
    assert value("li-boolean", text) is False


@pytest.mark.parametrize("text", ["perhaps", "2", "x", "-"])
def test_perhaps(text: str) -> None:
    assert refusal("li-boolean", text) == "not-a-boolean"


@pytest.mark.parametrize(
    "text",
    ["2003-04-12", "2003/04/12", "20030412", "12.04.2003", "12.4.2003", "12. 4. 2003",
     "2003-04-12 00:00:00", "2003-04-12T00:00:00Z", " 2003-04-12 "],
)  # fmt: skip
def test_days(text: str) -> None:
    assert value("li-date", text) == "2003-04-12"


@pytest.mark.parametrize(
    ("text", "day"), [("25/12/2003", "2003-12-25"), ("12/25/2003", "2003-12-25"),
                      ("04/04/2003", "2003-04-04"), ("25-12-2003", "2003-12-25")]
)  # fmt: skip
def test_slashes_are_read_where_only_one_reading_exists(text: str, day: str) -> None:
    assert value("li-date", text) == day


@pytest.mark.parametrize("text", ["03/04/2003", "3-4-2003", "12.04.03", "1/2/99"])
def test_ambiguous_days_are_a_problem_not_a_guess(text: str) -> None:
    assert refusal("li-date", text) == "ambiguous-date"


@pytest.mark.parametrize("text", ["2003-02-31", "31.02.1998", "2003-13-01", "12. April 2003", "N/A",
                                  "2003", "2003-04-12 10:30", "0000-01-01"])  # fmt: skip
def test_days_that_are_none(text: str) -> None:
    assert refusal("li-date", text) == "bad-date"


def test_a_declared_format_wins() -> None:
    assert value("li-date", "03/04/2003", Writing(date="%d/%m/%Y")) == "2003-04-03"
    assert value("li-date", "03/04/2003", Writing(date="%m/%d/%Y")) == "2003-03-04"
    assert refusal("li-date", "2003-04-03", Writing(date="%d/%m/%Y")) == "bad-date"


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("2026-05-01T11:00:00.000Z", "2026-05-01T11:00:00.000Z"),
        ("2020-08-28T12:21:29+02:00", "2020-08-28T12:21:29+02:00"),
        ("2020-08-28 12:21:29Z", "2020-08-28T12:21:29Z"),
        ("2020-08-28 12:21:29 +0200", "2020-08-28T12:21:29+02:00"),
        ("28.08.2020 12:21 +02:00", "2020-08-28T12:21:00+02:00"),
        ("2020-08-28 12:21:29.5 UTC", "2020-08-28T12:21:29.500Z"),
    ],
)
def test_moments(text: str, stored: str) -> None:
    assert value("li-datetime", text) == stored
    assert is_datetime(stored)


@pytest.mark.parametrize("text", ["2024-03-12", "2024-03-12 10:00:00", "12.03.2024 10:00"])
def test_a_moment_needs_its_zone(text: str) -> None:
    assert refusal("li-datetime", text) == "no-time-zone"


@pytest.mark.parametrize("text", ["2024-03-31 02:30", "27.10.2024 02:30"])
def test_an_hour_that_summer_time_skips_or_repeats_is_not_guessed(text: str) -> None:
    with pytest.raises(BadValue) as caught:
        read_datetime(text, zone="Europe/Zurich")
    assert caught.value.code == "ambiguous-date"
    assert read_datetime(text, zone="Asia/Tokyo").endswith("02:30:00+09:00")


def test_a_declared_zone_knows_summer_and_winter() -> None:
    zurich = Writing(zone="Europe/Zurich")
    assert value("li-datetime", "2003-07-01 10:00", zurich) == "2003-07-01T10:00:00+02:00"
    assert value("li-datetime", "2003-01-01", zurich) == "2003-01-01T00:00:00+01:00"
    written = Writing(date="%d.%m.%Y %H.%M", zone="Europe/Zurich")
    assert value("li-datetime", "01.07.2003 10.30", written) == "2003-07-01T10:30:00+02:00"


@pytest.mark.parametrize("text", ["yesterday", "2003-02-31T10:00:00Z", "2003-02-01 25:00 Z"])
def test_moments_that_are_none(text: str) -> None:
    assert refusal("li-datetime", text) == "bad-date"


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("lake|morning", ["lake", "morning"]),
        ("lake; morning ;", ["lake", "morning"]),
        ("lake, morning", ["lake", "morning"]),
        ("Müller, Hans; Meier, Eva", ["Müller, Hans", "Meier, Eva"]),
        ("lake\nmorning", ["lake", "morning"]),
        ('["a|b", "c"]', ["a|b", "c"]),
        ("lake", ["lake"]),
    ],
)
def test_lists(text: str, items: list[Json]) -> None:
    assert value("li-string-list", text) == items


def test_a_declared_separator_is_the_only_one() -> None:
    assert value("li-string-list", "a|b, c", Writing(separator=",")) == ["a|b", "c"]
    assert value("li-numeric-list", "1|2", Writing(separator="|")) == [1, 2]
    assert refusal("li-numeric-list", "1|x") == "not-an-integer"


def test_structured_plugins_take_json_in_a_cell() -> None:
    assert value("li-license-profile", '{"handle": "freelancer"}') == {"handle": "freelancer"}
    assert refusal("li-license-profile", "{") == "bad-json"
    assert refusal("li-license-profile", '{"a": NaN}') == "bad-json"
    assert refusal("li-named-crops", "[" * 100_000) == "too-deep"


def test_texts_are_taken_as_they_are() -> None:
    for text in ("  5 ", "no", "2003-02-31", "[1]"):
        assert value("li-text", text) == text


# -- where coercion applies -------------------------------------------------------------------

PROJECT = project(
    n=("li-integer", {}), b=("li-boolean", {}), d=("li-date", {}), t=("li-text", {}),
    k=("li-string-list", {}),
)  # fmt: skip


def test_csv_and_yaml_texts_become_what_is_stored() -> None:
    texts: dict[str, Json] = {"n": "5", "b": "ja", "d": "12.04.2003", "t": "5", "k": "a|b"}
    image = checked(PROJECT, entry(texts, textual=True)).image
    assert image is not None
    assert image.metadata == {"n": 5, "b": True, "d": "2003-04-12", "t": "5", "k": ["a", "b"]}


def test_json_has_types_of_its_own_and_dates_as_they_are_stored() -> None:
    found = checked(PROJECT, entry({"n": "5", "b": "ja", "k": "a|b"}))
    assert errors(found) == ["wrong-type"] * 3
    assert errors(checked(PROJECT, entry({"d": "12.04.2003"}))) == ["bad-date"]
    described = CheckOptions(writings={"metadata.d": Writing(date="%d.%m.%Y")})
    for text, options in (("2003-04-12", None), ("12.04.2003", described)):
        image = checked(PROJECT, entry({"d": text}), options).image
        assert image is not None and image.metadata == {"d": "2003-04-12"}


def test_nothing_and_empty_texts_are_absent() -> None:
    image = checked(PROJECT, entry({"n": None, "b": "", "d": "", "t": ""})).image
    assert image is not None and image.metadata == {"t": ""}


def test_options_describe_a_column() -> None:
    options = CheckOptions(
        writings={"metadata.d": Writing(date="%d/%m/%Y"), "metadata.k": Writing("/")}
    )
    image = checked(PROJECT, entry({"d": "03/04/2003", "k": "a/b"}, textual=True), options).image
    assert image is not None and image.metadata == {"d": "2003-04-03", "k": ["a", "b"]}


# -- round trips ------------------------------------------------------------------------------


@given(st.integers())
def test_every_whole_number_survives_its_digits(number: int) -> None:
    assert value("li-integer", str(number)) == number


@given(st.dates(min_value=date(1, 1, 1)))
def test_every_day_survives_its_iso_form(day: date) -> None:
    assert value("li-date", day.isoformat()) == day.isoformat()
    assert is_date(day.isoformat())


@given(
    st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)),
    st.integers(-14 * 60, 14 * 60),
)
def test_every_moment_keeps_its_instant(moment: datetime, minutes: int) -> None:
    aware = moment.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=minutes)))
    for text in (
        aware.isoformat(),
        aware.strftime("%Y-%m-%d").rjust(10, "0")[-10:] + " " + aware.strftime("%H:%M:%S %z"),
    ):
        stored = value("li-datetime", text)
        assert isinstance(stored, str) and is_datetime(stored)
        assert datetime.fromisoformat(stored).astimezone(UTC) == aware.astimezone(UTC)


@given(st.lists(st.text(min_size=1).map(str.strip).filter(bool), max_size=5))
def test_every_list_survives_as_json_in_a_cell(items: list[str]) -> None:
    assert value("li-string-list", json.dumps(items)) == items


@given(st.text())
def test_any_text_becomes_a_value_or_a_sentence(text: str) -> None:
    for plugin in ("li-integer", "li-boolean", "li-date", "li-datetime", "li-string-list",
                   "li-numeric-list", "li-named-crops"):  # fmt: skip
        try:
            json.dumps(value(plugin, text))
        except BadValue as bad:
            assert bad.code and bad.message
