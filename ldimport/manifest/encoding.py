"""Which encoding a file is in: marks first, then UTF-8, then statistics on a sample."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable

from charset_normalizer import from_bytes

from ldimport.errors import ManifestError, UsageError
from ldimport.manifest.streams import CHUNK, buffered

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16: its mark begins with the same two bytes
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CANDIDATES = (
    "cp1252",
    "cp1250",
    "cp1251",
    "cp1253",
    "cp1254",
    "mac_roman",
    "cp850",
    "shift_jis",
    "gb18030",
    "big5",
    "euc_kr",
)
_STATISTICS_BYTES = 1 << 16
_WESTERN_LETTERS = frozenset("äöüÄÖÜßéèêëàâçîïôûùœæåáíóúñÉÈÊÀÂÇÎÔÁÍÓÚÑÅ")
"""Letters that stand at the places of rarer ones in the encodings of Central Europe are left out:
a text that has them is judged by statistics."""
_WESTERN_SIGNS = frozenset("«»„“”‚‘’‹›–—…•·€£§°©®™²³½¼¾±×¡¿ªº\xa0\xad")
_SIGN_IN_WORD = re.compile(r"[A-Za-z][«»„“”‚‘‹›…•€£§©®™²³½¼¾±×¡¿ªº][a-z]")
_WORD = re.compile(r"[^\W\d_]+")
_NAMES = {
    "utf-8": "UTF-8",
    "cp850": "CP850",
    "cp1250": "Windows-1250",
    "cp1251": "Windows-1251",
    "utf-8-sig": "UTF-8 with BOM",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "cp1252": "Windows-1252",
    "mac_roman": "Mac Roman",
}


def encoding_name(encoding: str) -> str:
    """How people call it: ``cp1252`` is Windows-1252."""
    return _NAMES.get(encoding, encoding.upper() if encoding.islower() else encoding)


def prescribed(encoding: str, head: bytes) -> str:
    """The encoding a user named, as Python spells it; with a byte order mark where ``head`` has
    one. Raises UsageError for an unknown one."""
    try:
        info = codecs.lookup(encoding)
        "probe".encode(encoding)  # a codec such as base64 is no text encoding
    except (LookupError, ValueError) as error:
        raise UsageError(
            f"there is no encoding “{encoding}”",
            hint="for example: utf-8, cp1252, utf-16, mac_roman",
            code="encoding",
        ) from error
    marked = info.name == "utf-8" and head.startswith(codecs.BOM_UTF8)
    return "utf-8-sig" if marked else info.name


def detect_encoding(head: bytes, path: str, name: str) -> str:
    """Find it out. Only while a file is pure ASCII does this look further than ``head``: what
    comes first beyond ASCII decides."""
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    wide = _wide(head)
    if wide:
        return wide
    sample = head if not head.isascii() else _beyond_ascii(path, name, len(head))
    if sample is None or _mostly_utf8(sample):
        return "utf-8"
    return _by_statistics(sample)


def undecodable(path: str, name: str, encoding: str) -> ManifestError:
    """The error for a file that is not in ``encoding``, with the place of the first wrong byte."""
    label = encoding_name(encoding)
    with buffered(path, name) as stream:
        found = _first_wrong(stream, encoding)
    if found is None:
        return ManifestError(f"{name} is not {label}", hint="--encoding NAME", code="encoding")
    line, column, byte = found
    where = f"{name}:{line}:{column}"
    if encoding.startswith("utf-8"):
        code, hint = "not-utf8", "read it as Windows-1252? --encoding cp1252"
    else:
        code, hint = "encoding", "say what it is: --encoding NAME"
    return ManifestError(f"{where}: byte 0x{byte:02X} is not {label}", hint=hint, code=code)


def _first_wrong(stream: Iterable[bytes], encoding: str) -> tuple[int, int, int] | None:
    """(line, column in characters, byte); None where lines cannot be told, as in UTF-16."""
    for line, raw in enumerate(stream, 1):
        try:
            raw.decode(encoding)
        except UnicodeDecodeError as error:
            if encoding.startswith(("utf-16", "utf-32", "utf_16", "utf_32")):
                return None
            before = raw[: error.start].decode(encoding)
            return line, len(before) + 1, raw[error.start]
    return None


def _wide(head: bytes) -> str | None:
    """UTF-16 without a mark: text of the West has a NUL in every second byte."""
    even, odd = head[0::2], head[1::2]
    for encoding, high, low in (("utf-16-le", odd, even), ("utf-16-be", even, odd)):
        zeros = high.count(0) > len(high) * 0.4 and low.count(0) < len(low) * 0.1
        if len(head) >= 4 and zeros:
            return encoding
    return None


def _beyond_ascii(path: str, name: str, skip: int) -> bytes | None:
    """The first chunk that is not ASCII, or None. Testing for ASCII costs next to nothing."""
    with buffered(path, name) as stream:
        stream.read(skip)
        while chunk := stream.read(CHUNK):
            if not chunk.isascii():
                return chunk
    return None


def _mostly_utf8(sample: bytes) -> bool:
    """Whether it is UTF-8, perhaps with damage. What is not UTF-8 has hardly ever a character
    that looks like it, so a few wrong bytes among right ones are to be reported, not followed."""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    text = decoder.decode(sample)  # may end inside a character
    beyond_ascii = [char for char in text if not char.isascii()]
    wrong = sum("\udc80" <= char <= "\udcff" for char in beyond_ascii)
    return wrong <= len(beyond_ascii) - wrong


def _plainly_western(text: str) -> bool:
    """Whether a text read as Windows-1252 makes sense: only letters of German, French, Italian and
    Spanish and the usual punctuation, letters inside words, and words that are not made of such
    letters alone. Statistics go wrong on a few lines; this does not, since other encodings put
    signs into the middle of words, and other scripts whole words of such letters."""
    beyond = {char for char in text if not char.isascii()}
    if not beyond <= _WESTERN_LETTERS | _WESTERN_SIGNS or _SIGN_IN_WORD.search(text):
        return False
    words = [word for word in _WORD.findall(text) if not word.isascii()]
    letters = sum(map(len, words))
    return sum(char in _WESTERN_LETTERS for word in words for char in word) * 5 <= letters * 4


def _by_statistics(sample: bytes) -> str:
    """The best guess; where Windows-1252 is as good as another, it is Windows-1252."""
    lines = sample.replace(b"\r", b"\n").split(b"\n")
    telling = b"\n".join(line for line in lines if not line.isascii())[:_STATISTICS_BYTES]
    western = _decoded(telling, "cp1252")
    if western is not None and _plainly_western(western):
        return "cp1252"
    matches = from_bytes(telling, cp_isolation=list(_CANDIDATES))
    best = matches.best()
    if best is None:
        return "latin-1" if western is None else "cp1252"
    for match in matches:
        equal = (match.chaos, match.coherence) == (best.chaos, best.coherence)
        if "cp1252" in match.could_be_from_charset and equal:
            return "cp1252"
    return best.encoding


def _decoded(sample: bytes, encoding: str) -> str | None:
    try:
        return sample.decode(encoding)
    except UnicodeDecodeError:
        return None
