"""Causes: codes that travel, and what they come back as."""

from __future__ import annotations

import tomllib
from importlib import resources

import pytest

from ldimport.causes import FORMATS, Cause, group_of, is_code, known_cause, masked, proposable
from ldimport.errors import Rejected
from ldimport.media import inspect, jpeg


@pytest.mark.parametrize("cause", list(Cause))
def test_every_cause_is_known_by_its_code(cause: Cause) -> None:
    why = cause.with_(status=503, format="tiff")
    found = known_cause(why.code)
    assert found is not None
    assert found.cause is cause
    assert "{" not in found.code + found.meaning + found.hint


@pytest.mark.parametrize(
    ("status", "retryable"),
    [(500, True), (503, True), (599, True), (408, True), (425, True), (429, True),
     (404, False), (410, False), (501, False), (505, False), (204, False)],
)  # fmt: skip
def test_whether_trying_again_can_help_depends_on_the_status(status: int, retryable: bool) -> None:
    refused = Rejected(Cause.ORIGIN_STATUS.with_(status=status))
    assert (refused.code, refused.retryable) == (f"origin-{status}", retryable)
    assert str(status) in refused.reason


def test_a_code_that_nobody_knows_is_none() -> None:
    assert known_cause("the-jpeg-ends-before-its-end") is None
    assert known_cause("origin-timeout") is None


def test_the_table_of_words_holds_every_cause_and_nothing_else() -> None:
    words = tomllib.loads(resources.files("ldimport").joinpath("causes.toml").read_text("utf-8"))
    assert set(words) >= {cause.code for cause in Cause}
    assert all(known_cause(word.format(status=503, format="tiff")) for word in words)


@pytest.mark.parametrize("status", ["100", "404", "418", "503", "599", "999"])
def test_a_code_with_a_number_is_known_for_every_number_of_its_family(status: str) -> None:
    found = known_cause(f"origin-{status}")
    assert found is not None and status in found.meaning
    assert found.parameters == {"status": int(status)}


def test_formats_are_those_that_the_engine_tells_apart() -> None:
    names = {*inspect._IMAGES.values(), *inspect._BRANDS.values(), "WebP", "MP4 video"}
    words = {inspect._NO_WORD.sub("-", name.lower()).strip("-") for name in names}
    words |= {name for name, _ in jpeg._NOT_ACCEPTED.values()} | {"deep-jpeg", "cgbi-png"}
    assert words == set(FORMATS)
    assert known_cause("jpeg-2000-not-accepted").meaning.startswith("JPEG 2000 is")  # type: ignore
    assert known_cause("the-token-is-not-accepted") is None


def test_every_code_that_is_proposed_is_known() -> None:
    assert all(known_cause(code) for code in proposable())
    assert not any("{" in code for code in proposable())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Asset 4711 not found", "Asset 12 not found"),
        ("User “Anna” may not", "User “Berta Meier” may not"),
        ('Could not read "a b.jpg"', 'Could not read "c.jpg"'),
        ("https://a.example/1.jpg: timed-out", "https://b.example/x: timed-out"),
        ("7,000 x 5,000 is too much (id a1)", "80 x 5 is too much (id b2)"),
        ("no\nfile  of 3 bytes", "no file of 4,000 bytes"),
    ],
)
def test_sentences_that_differ_in_names_and_numbers_are_one_group(one: str, other: str) -> None:
    assert masked(one) == masked(other) and "…" in masked(one)
    assert group_of("other", one) == group_of("other", other)


def test_sentences_that_say_another_thing_are_not_one_group() -> None:
    assert group_of("other", "Asset 1 not found") != group_of("other", "Asset 1 not allowed")
    assert group_of("truncated", "cut off after 1 MB") == "truncated"


@pytest.mark.parametrize(
    "text", ["Could not upload", "x" * 65, "", "Origin-503", "a--b", "ä", None]
)
def test_a_sentence_is_no_code(text: str | None) -> None:
    assert not is_code(text)
