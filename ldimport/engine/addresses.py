"""Where a stored image is found: storage keys, ids and addresses in the API's form.

``originalUrl`` is ``{publicUrl}/api/v1/images/{slug}?id={base64}``; the API's ids decode to
``1<TAB>/2019/11/21/<uuid>.jpeg<TAB>673``, a version, the storage key and a number (here: bytes).
"""

import base64
import binascii
import os
import re
import string
import unicodedata
import uuid
from datetime import UTC, datetime
from functools import cache, lru_cache

from ldimport.engine.records import StoredAsset
from ldimport.model import IMAGE_SERVICE, Asset, ImageType, Variants

DEFAULT_PUBLIC_URL = "http://127.0.0.1:9095"
_QUERIES = {Variants.FORMAT: "?format=auto", Variants.AUTO: "&auto=format", Variants.NONE: ""}
_ENDINGS = {ImageType.JPG: "jpeg", ImageType.PNG: "png", ImageType.GIF: "gif", ImageType.SVG: "svg"}
_TYPES = {kind.mime: kind for kind in ImageType}
_KEY = re.compile(r"\d{4}/\d\d/\d\d/[0-9a-f-]{36}\.(?:jpeg|png|gif|svg)")


def new_job_id() -> str:
    """14 random characters ``[a-z0-9]``: not to be guessed."""
    return _random(14, string.ascii_lowercase + string.digits)


def new_media_id(number: int) -> str:
    """12 characters ``[A-Za-z0-9]``, as Livingdocs' media ids look: six of the number of the
    entry's first asset, so that new entries follow each other in the store, and six random ones.
    The first one is a letter: no spreadsheet takes it for a number."""
    rest, head = number + _FIRST, ""
    while rest:
        rest, digit = divmod(rest, len(_DIGITS))
        head = _DIGITS[digit] + head
    return head + _random(12 - len(head), _DIGITS)


_DIGITS = "".join(sorted(string.digits + string.ascii_letters))
"""In the order in which the store sorts them."""
_FIRST = _DIGITS.index("A") * len(_DIGITS) ** 5


def _random(length: int, letters: str) -> str:
    """So many of these letters, all of them equally likely, by one call of the system's."""
    found, table = b"", _tables(letters)
    while len(found) < length:
        found += os.urandom(2 * length).translate(*table)
    return found[:length].decode()


@cache
def _tables(letters: str) -> tuple[bytes, bytes]:
    """A letter for each byte, and those that would make some letters likelier."""
    most = 256 - 256 % len(letters)
    return (letters.encode() * (256 // len(letters) + 1))[:256], bytes(range(most, 256))


def new_key(kind: ImageType, now: float) -> str:
    """A storage key for an image of this type, dated ``now`` in UTC; its UUID begins with the time
    (RFC 9562, version 7), so that they follow each other in the store, and cannot be guessed."""
    drawn = int.from_bytes(os.urandom(10), "big") & ~(0xF << 76 | 0x3 << 62) | 0x7 << 76 | 0x2 << 62
    own = uuid.UUID(int=int(now * 1000) << 80 | drawn)
    return f"{_day(int(now // 86_400))}/{own}.{_ENDINGS[kind]}"


@lru_cache(maxsize=16)
def _day(number: int) -> str:
    """A day since 1970-01-01 as ``YYYY/MM/DD``."""
    return datetime.fromtimestamp(number * 86_400, UTC).strftime("%Y/%m/%d")


def slug(title: str) -> str:
    """``title`` as ``[a-z0-9-]``, at most 80 characters, ``image`` when nothing is left. Only its
    first 100 count: marks that follow each other are put in order in quadratic time."""
    plain = unicodedata.normalize("NFKD", title[:100].casefold()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain)[:80].strip("-") or "image"


def image_id(key: str, size: int) -> str:
    """The ``id`` of an image address. It never holds ``+``, which a query would turn into a blank,
    nor ``/``: the few characters of such a text do not encode to them."""
    return base64.b64encode(f"1\t/{key}\t{size}".encode()).decode()


def key_of(text: str) -> str | None:
    """The storage key that ``text`` names, an ``id`` of an image address (perhaps followed by
    ``?format=auto``) or a key itself; None when it is neither."""
    text = re.split(r"[?&]", text, maxsplit=1)[0]
    if not _KEY.fullmatch(text):
        try:
            parts = base64.b64decode(text, validate=True).decode("ascii").split("\t")
        except (binascii.Error, ValueError):
            return None
        text = parts[1].removeprefix("/") if len(parts) == 3 and parts[0] == "1" else ""
    return text if _KEY.fullmatch(text) else None


def type_of(mime_type: str) -> ImageType:
    """The image type stored under this media type."""
    return _TYPES[mime_type]


def asset(
    public_url: str, title: str, stored: StoredAsset, variants: Variants = Variants.FORMAT
) -> Asset:
    """The ``image`` object of an answer, its addresses built now for ``public_url``."""
    key = image_id(stored.key, stored.size)
    original = f"{public_url.rstrip('/')}/api/v1/images/{slug(title)}?id={key}"
    urls, size = (original, original + _QUERIES[variants]), (stored.width, stored.height)
    service = None if variants is Variants.NONE else IMAGE_SERVICE
    return Asset(stored.media, *urls, *size, stored.mime_type, service)
