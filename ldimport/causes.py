"""Why an image was not imported: every cause, what it means, whether trying again can help.

A cause travels as its code, from where an image is refused to the state file and over HTTP;
sentences are made where they are shown. A code may carry a parameter (``origin-503``), whose
values group apart. Imports nothing of ours.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from functools import cache, cached_property

_PASSING_4XX = frozenset(("408", "425", "429"))
_LASTING_5XX = frozenset(("501", "505"))


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
        known = self.code.format_map(parameters)
        words = _texts()[self.code] | _texts().get(known, {})  # one value may have words of its own
        meaning, hint = (words[key].format_map(parameters) for key in ("meaning", "hint"))
        return KnownCause(self, known, meaning, hint, retryable)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        values = "[0-9]{3}" if self is Cause.ORIGIN_STATUS else "[a-z0-9-]+"
        return re.compile(re.sub(r"\\{(\w+)\\}", rf"(?P<\1>{values})", re.escape(self.code)))


@cache
def _texts() -> dict[str, dict[str, str]]:
    import tomllib
    from importlib import resources

    return tomllib.loads(resources.files(__package__).joinpath("causes.toml").read_text("utf-8"))


@dataclass(frozen=True, slots=True)
class KnownCause:
    """A cause with the value of its parameter, if it has one. ``code`` is how it travels, is
    stored and filtered by (``origin-503``)."""

    cause: Cause
    code: str
    meaning: str
    hint: str
    retryable: bool


def known_cause(code: str) -> KnownCause | None:
    """The cause behind a code; None for one that this version does not know."""
    for cause in Cause:
        if found := cause._pattern.fullmatch(code):
            return cause.with_(**found.groupdict())
    return None
