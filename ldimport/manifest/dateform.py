"""How a column writes dates: as people say it (``DD.MM.YYYY``, ``TT.MM.JJJJ``,
``yyyy-MM-dd HH:mm``) or as ``strptime`` takes it."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_TOKENS = re.compile(r"(?i)(yyyy|jjjj|aaaa|yy|jj|aa|mmmm|mmm|mm?|dd?|tt?|gg?|hh?|ss?)|(\w)")
"""Of English, German (Tag, Jahr), French (jour, an), Italian and Spanish (giorno, anno)."""
_MEANS = {"y": "%y", "j": "%y", "a": "%y", "d": "%d", "t": "%d", "g": "%d", "h": "%H", "s": "%S"}
_PROBE = datetime(2003, 4, 12, 21, 30, 15, tzinfo=UTC)


def date_form(text: str) -> str:
    """The same for ``strptime``. Raises ValueError, with a reason, for what is none."""
    form = text.strip() if "%" in text else _from_words(text.strip().replace("'T'", "T"))
    if not re.search("%[YyGcx]", form):
        raise ValueError("it names no year")
    try:
        written = _PROBE.strftime(form)
        datetime.strptime(written, form)
    except (ValueError, re.error):  # unknown, or twice the same
        raise ValueError("it cannot be read") from None
    return form


def _from_words(text: str) -> str:
    """``m`` right behind ``h:``, or small behind an hour, are minutes."""
    text = re.sub("(?i)(h:)mm?", r"\1mm", text)
    french, seen = "aa" in text.casefold(), ""

    def token(found: re.Match[str]) -> str:
        nonlocal seen
        word = found[0]
        if found[2]:
            raise ValueError(f"“{word}” means nothing in it")
        letter = word[0].casefold()
        if letter == "t" and text[found.end() : found.end() + 1].casefold() == "h":
            return word
        if letter == "m":
            minutes = "h" in seen and len(word) < 3 and word[0] == "m"
            return "%M" if minutes else {4: "%B", 3: "%b"}.get(len(word), "%m")
        seen += letter
        if letter in "yja" and len(word) == 4:
            return "%Y"
        return "%d" if letter == "j" and french else _MEANS[letter]

    return _TOKENS.sub(token, text)
