"""Text that an encoding mangled: UTF-8 read as Windows-1252, or letters lost for good; and signs
that nobody sees: control characters, direction marks, characters of no width.

A cheap test on bytes for whole files, an exact one for texts; the reader and the checks share it.
"""

import re
from unicodedata import category, normalize

_TAILS = "\u0080-\u00bf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ"
MANGLED = re.compile(f"[ÂÃ][{_TAILS}]|â€|ï»¿|\ufffd")
"""What one cannot read any more; the first match tells which kind it is."""
INVISIBLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
    "|(?<=[\x00-\u024f])[\u200c\u200d](?=[\x00-\u024f])"
)
"""What one does not see; joiners only between letters that are never joined by them."""
_CONTROLS = bytes({*range(0x20), 0x7F} - set(b"\t\n\r"))
_UNSEEN = re.compile(
    rb"\xe2(?:\x80[\x8b-\x8f\xa8-\xae]|\x81[\xa0-\xaf])|\xc2[\x80-\x9f]|\xd8\x9c|\xe1\xa0\x8e|\xef(?:\xbb\xbf|\xbf[\xb9-\xbb])"
)
_UNSEEN_LEADS = (b"\xe2", b"\xc2", b"\xd8", b"\xe1", b"\xef")
_UTF8_SIGNS = tuple(sign.encode() for sign in ("Ã", "Â", "\ufffd", "â€", "ï»¿"))
_WESTERN_SIGNS = (b"\xc3", b"\xc2", b"\xe2\x80", b"\xef\xbb\xbf")
_RARE = (b"\x82", b"\x83", b"\xbf", b"\xef")
"""Each UTF-8 sign has one of these bytes, and few other letters of the West do: looking for one
byte costs next to nothing."""


_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u2800\u3164\uffa0")
_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_LOOK = str.maketrans(
    "АВЕЅІЈКМНОРСТХУаеѕіјорсхуԁѵΑΒΕΖΗΙΚΜΝΟΡΤΥΧονρ", "ABESIJKMHOPCTXYaesijopcxydvABEZHIKMNOPTYXovp"
)
"""Letters of Cyrillic and Greek that look like Latin ones."""


def visible(name: str) -> str:
    """A column's name or a key on one line, in NFC, without signs that nobody sees (soft hyphens,
    byte order marks, characters of no width …), nor blanks at its ends. Itself where it is so."""
    if not name.isprintable():
        name = "".join(each for each in name if each.isspace() or category(each)[0] != "C")
    elif name.isascii() and name == name.strip():
        return name
    name = "".join(each for each in _SELECTORS.sub("", name) if each not in _BLANK)
    return normalize("NFC", " ".join(name.split()))


def disguised(name: str) -> str:
    """What to say behind a name that has letters of another script that look like Latin ones."""
    odd = [each for each in dict.fromkeys(name) if each.translate(_LOOK) != each]
    latin = any("a" <= each.lower() <= "z" for each in name)
    if not odd or not (latin or len(odd) == len(set(name))):
        return ""
    return f" (its {', '.join(f'“{each}” is U+{ord(each):04X}' for each in odd[:3])})"


def is_whole(text: str) -> bool:
    """Whether no letter of the text was mangled or lost, and all of it is seen. Looking for five
    signs costs a tenth of the expression."""
    if not text.isprintable() and INVISIBLE.search(text):
        return False
    return text.isascii() or not (
        ("Ã" in text or "Â" in text or "\ufffd" in text or "â€" in text or "ï»¿" in text)
        and MANGLED.search(text)
    )


def surely_whole(chunk: bytes, *, utf8: bool) -> bool:
    """Whether bytes, in UTF-8 or else an encoding of the West, certainly hold no mangled text, and
    nothing that is not seen."""
    if len(chunk.translate(None, _CONTROLS)) < len(chunk):
        return False
    if utf8:
        if any(lead in chunk for lead in _UNSEEN_LEADS) and _UNSEEN.search(chunk):
            return False
        rare = any(byte in chunk for byte in _RARE)
        return not rare or not any(sign in chunk for sign in _UTF8_SIGNS)
    return not any(sign in chunk for sign in _WESTERN_SIGNS)
