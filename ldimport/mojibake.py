"""Text that an encoding mangled: UTF-8 read as Windows-1252, or letters lost for good.

A cheap test on bytes for whole files, an exact one for texts; the reader and the checks share it.
"""

import re

_TAILS = "\u0080-\u00bf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ"
MANGLED = re.compile(f"[ÂÃ][{_TAILS}]|â€|ï»¿|\ufffd")
"""What one cannot read any more; the first match tells which kind it is."""
_UTF8_SIGNS = tuple(sign.encode() for sign in ("Ã", "Â", "\ufffd", "â€", "ï»¿"))
_WESTERN_SIGNS = (b"\xc3", b"\xc2", b"\xe2\x80", b"\xef\xbb\xbf")
_RARE = (b"\x82", b"\x83", b"\xbf", b"\xef")
"""Each UTF-8 sign has one of these bytes, and few other letters of the West do: looking for one
byte costs next to nothing."""


def is_whole(text: str) -> bool:
    """Whether no letter of the text was mangled or lost. Looking for five signs costs a tenth of
    the expression."""
    return text.isascii() or not (
        ("Ã" in text or "Â" in text or "\ufffd" in text or "â€" in text or "ï»¿" in text)
        and MANGLED.search(text)
    )


def surely_whole(chunk: bytes, *, utf8: bool) -> bool:
    """Whether bytes, in UTF-8 or else an encoding of the West, certainly hold no mangled text."""
    if utf8:
        rare = any(byte in chunk for byte in _RARE)
        return not rare or not any(sign in chunk for sign in _UTF8_SIGNS)
    return not any(sign in chunk for sign in _WESTERN_SIGNS)
