"""Why an image was not imported: every cause, what it means, whether trying again can help.

A cause travels as its code, from where an image is refused to the state file and over HTTP;
sentences are made where they are shown. A code may carry a parameter (``origin-503``), whose
values group apart. Foreign sentences group by what is left without their names and numbers
(``masked``), and never become codes. Imports nothing of ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cache, cached_property, lru_cache

_PASSING_4XX = frozenset(("408", "425", "429"))
_LASTING_5XX = frozenset(("501", "505"))
FORMATS: Mapping[str, str] = {
    "webp": "WebP", "avif": "AVIF", "heic": "HEIC", "heif": "HEIF", "tiff": "TIFF", "bmp": "BMP",
    "bigtiff": "BigTIFF", "ico": "ICO", "cur": "CUR", "icns": "ICNS", "dds": "DDS", "qoi": "QOI",
    "pdf": "PDF", "photoshop-psd": "Photoshop (PSD)", "postscript-eps": "PostScript (EPS)",
    "jpeg-2000": "JPEG 2000", "jpeg-xl": "JPEG XL", "jpeg-ls": "JPEG-LS",
    "deep-jpeg": "JPEG with more than 8 bits a colour", "hierarchical-jpeg": "hierarchical JPEG",
    "cgbi-png": "PNG of Xcode (CgBI)", "gzip-compressed-data-svgz": "gzip-compressed SVG (svgz)",
    "canon-cr3": "Canon CR3", "quicktime": "QuickTime", "mp4-video": "MP4 video",
}  # fmt: skip
"""Formats that ``FORMAT_NOT_ACCEPTED`` may name, by the word in its code."""


class Cause(Enum):
    """Code (with its parameter in braces), and whether the same request may work later. What each
    means and what to do stands in ``causes.toml``."""

    # -- reaching the origin
    ORIGIN_STATUS = "origin-{status}", False
    UNREACHABLE = "unreachable", True
    DNS = "dns", True
    TIMEOUT = "timeout", True
    INCOMPLETE = "incomplete", True
    CONNECTION_LOST = "connection-lost", True
    TRANSFER = "transfer", True
    TLS = "tls", False
    BAD_HTTP = "bad-http", False
    BAD_URL = "bad-url", False
    BAD_REDIRECT = "bad-redirect", False
    TOO_MANY_REDIRECTS = "too-many-redirects", False
    ENCODED_BODY = "encoded-body", False
    EMPTY = "empty", False
    ADDRESS_NOT_ALLOWED = "address-not-allowed", False
    # -- local files
    NO_SUCH_FILE = "no-such-file", False
    NOT_A_FILE = "not-a-file", False
    NOT_READABLE = "not-readable", True
    OUTSIDE_FOLDER = "outside-folder", False
    # -- what the bytes are
    NOT_AN_IMAGE = "not-an-image", False
    FORMAT_NOT_ACCEPTED = "{format}-not-accepted", False
    TRUNCATED = "truncated", False
    CORRUPT = "corrupt", False
    TOO_MANY_BYTES = "too-many-bytes", False
    TOO_MANY_PIXELS = "too-many-pixels", False
    TOO_MANY_FRAMES = "too-many-frames", False
    TOO_COMPLEX = "too-complex", False
    SVG_UNSAFE = "svg-unsafe", False
    SVG_SIZE = "svg-size", False
    # -- taken all the same: notes to images that were imported
    UNPACKED = "unpacked", False
    DAMAGED_CHUNK = "damaged-chunk", False
    NO_END_MARK = "no-end-mark", False
    STRAY_BYTES = "stray-bytes", False
    METADATA_LEFT_OUT = "metadata-left-out", False
    # -- what was sent with it
    INVALID_METADATA = "invalid-metadata", False
    # -- the run
    JOB_NOT_POSSIBLE = "job-not-possible", False
    TOO_LARGE_TO_SEND = "too-large-to-send", False
    NO_RESULT = "no-result", True
    BUG = "bug", False
    STOPPED_WORKER = "stopped-worker", False
    # -- told by a server that gives no cause of its own; see ``migration.causes``
    COULD_NOT_UPLOAD = "could-not-upload-image", True
    NO_REASON = "no-reason", True
    UNKNOWN_AT_TARGET = "unknown-at-target", True
    OTHER = "other", False

    def __init__(self, code: str, temporary: bool) -> None:
        self.code = code
        self._temporary = temporary

    @property
    def meaning(self) -> str:
        """What it means, the parameter still in braces."""
        return _texts()[self.code]["meaning"]

    def with_(self, **parameters: str | int) -> KnownCause:
        """This cause, with its parameter filled in: ``ORIGIN_STATUS.with_(status=503)``."""
        retryable = self._temporary
        if self is Cause.ORIGIN_STATUS:
            status = str(parameters["status"])
            retryable = status in _PASSING_4XX or (status[0] == "5" and status not in _LASTING_5XX)
        known, shown = self.code.format_map(parameters), dict(parameters)
        if self is Cause.FORMAT_NOT_ACCEPTED:
            shown["format"] = FORMATS.get(str(shown["format"]), shown["format"])
        words = _texts()[self.code] | _texts().get(known, {})  # one value may have words of its own
        meaning, hint = (words[key].format_map(shown) for key in ("meaning", "hint"))
        own = {name: parameters[name] for name in self._pattern.groupindex}
        own |= {name: int(value) for name, value in own.items() if str(value).isdigit()}
        return KnownCause(self, known, meaning, hint, retryable, own)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        values = "[0-9]{3}" if self is Cause.ORIGIN_STATUS else "|".join(FORMATS)
        return re.compile(re.sub(r"\\{(\w+)\\}", rf"(?P<\1>{values})", re.escape(self.code)))


@cache
def _texts() -> dict[str, dict[str, str]]:
    import tomllib
    from importlib import resources

    return tomllib.loads(resources.files(__package__).joinpath("causes.toml").read_text("utf-8"))


@dataclass(frozen=True, slots=True)
class KnownCause:
    """A cause with the value of its parameter, if it has one. ``code`` is how it travels, is
    stored and filtered by (``origin-503``); ``parameters`` are those of the code, by name."""

    cause: Cause
    code: str
    meaning: str
    hint: str
    retryable: bool
    parameters: Mapping[str, str | int] = field(default_factory=dict, hash=False)

    @property
    def of_the_host(self) -> bool:
        """Whether the host that the image comes from has to do with it."""
        return self.cause in _OF_THE_HOST


@lru_cache(maxsize=1_024)
def known_cause(code: str) -> KnownCause | None:
    """The cause behind a code; None for one that this version does not know."""
    for cause in Cause:
        if found := cause._pattern.fullmatch(code):
            return cause.with_(**found.groupdict())
    return None


_OF_THE_HOST = frozenset((
    Cause.ORIGIN_STATUS, Cause.UNREACHABLE, Cause.DNS, Cause.TIMEOUT, Cause.INCOMPLETE,
    Cause.CONNECTION_LOST, Cause.TRANSFER, Cause.TLS, Cause.BAD_HTTP, Cause.BAD_REDIRECT,
    Cause.TOO_MANY_REDIRECTS, Cause.ENCODED_BODY, Cause.ADDRESS_NOT_ALLOWED,
))  # fmt: skip


def proposable() -> list[str]:
    """Codes to propose for one that nobody knows; of the statuses those that servers answer."""
    statuses = (400, 401, 403, 404, 408, 410, 429, 500, 502, 503, 504)
    parameters = {"status": [*map(str, statuses)], "format": [*FORMATS]}
    found: list[str] = []
    for cause in Cause:
        name = next(iter(cause._pattern.groupindex), "")
        values = parameters.get(name, [""])
        found += (cause.code.format_map({name: value}) for value in values)
    return found


_CODE = re.compile(r"(?=.{1,64}\Z)[a-z0-9]+(?:-[a-z0-9]+)*")


def is_code(text: str | None) -> bool:
    """Whether this may be a cause's code, perhaps of a newer version's; no sentence is one."""
    return text is not None and _CODE.fullmatch(text) is not None


_QUOTED = re.compile('"[^"]*"|“[^”]*”|«[^»]*»|„[^“]*“|`[^`]*`')
_WORD = re.compile(r"\S+")
_MASK = "…"


def masked(sentence: str) -> str:
    """A sentence without what differs from image to image: quoted texts, addresses, and words with
    digits in them; what equal reasons have in common."""
    words = _WORD.findall(_QUOTED.sub(_MASK, sentence[:1_000]))
    return " ".join(map(_bare, words))


def _bare(word: str) -> str:
    if "://" not in word and not any(map(str.isdigit, word)):
        return word
    core = word.strip("()[]{},;:.!?'")
    return word.replace(core, _MASK, 1)


def group_of(code: str, reason: str) -> str:
    """What equal failures have in common: the cause, or the masked sentence of an unknown one."""
    return masked(reason) if code == Cause.OTHER.code else code
