"""Causes: codes that travel, and what they come back as."""

from __future__ import annotations

import tomllib
from importlib import resources

import pytest

from ldimport.causes import Cause, known_cause
from ldimport.errors import Rejected


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
