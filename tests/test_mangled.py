"""The cheap test on bytes never overlooks what the exact test on texts finds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldimport.mojibake import MANGLED, is_whole, surely_whole

LETTERS = st.text(alphabet="aüßÃÂ¼â€œ”ï»¿\ufffd¿€–é", max_size=12)


@given(LETTERS)
def test_whole_texts_have_no_sign(text: str) -> None:
    assert is_whole(text) == (MANGLED.search(text) is None)


@given(LETTERS | st.text())
def test_bytes_that_pass_hold_only_whole_text(text: str) -> None:
    if not is_whole(text):
        assert not surely_whole(text.encode("utf-8", "surrogatepass"), utf8=True)
        western = text.encode("cp1252", "ignore")
        if not is_whole(western.decode("cp1252")):
            assert not surely_whole(western, utf8=False)


@pytest.mark.parametrize("text", ["Zürich – l’été", "Ägypten", "ÉCOLE", "ça, là, où"])
def test_ordinary_text_passes_cheaply(text: str) -> None:
    assert surely_whole(text.encode(), utf8=True)
    assert surely_whole(text.encode("cp1252"), utf8=False)
