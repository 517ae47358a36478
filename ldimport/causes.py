"""Why an image was not imported: every cause, what it means, whether trying again can help.

A cause travels as its code, from where an image is refused to the state file and over HTTP;
sentences are made where they are shown. A code may carry a parameter (``origin-503``), whose
values group apart. Imports nothing of ours.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

_PASSING_4XX = frozenset(("408", "425", "429"))
_LASTING_5XX = frozenset(("501", "505"))


class Cause(Enum):
    """Code (with its parameter in braces), whether the same request may work later, meaning, and
    what to do."""

    # fmt: off
    # -- reaching the origin
    ORIGIN_STATUS = ("origin-{status}", False,
                     "the image server answered {status} instead of sending the image",
                     "open the URL in a browser; 404 and 410: correct it in the manifest, 401 and "
                     "403: let the importer in, 5xx and 429: try again later")
    UNREACHABLE = ("unreachable", True, "no connection to the image server could be made",
                   "is the server up, and reachable from where the import runs? Then try again")
    DNS = ("dns", True, "the name of the image server could not be resolved",
           "look at the host name in the URL; if it is right, try again")
    TIMEOUT = ("timeout", True, "the image server took too long to send the file",
               "try again when the server is less busy")
    INCOMPLETE = ("incomplete", True, "the connection was closed before the whole file had arrived",
                  "try again; if it stays, the server tells a wrong Content-Length")
    CONNECTION_LOST = ("connection-lost", True,
                       "the image server closed the connection without an answer", "try again")
    TRANSFER = "transfer", True, "the transfer of the file failed", "try again"
    TLS = ("tls", False,
           "there is no secure connection to the image server: its certificate is not trusted",
           "renew the certificate, or use one that a public authority has signed")
    BAD_HTTP = ("bad-http", False, "what the image server sends breaks the rules of HTTP",
                "is it a web server? Correct the URL, or the server")
    BAD_URL = "bad-url", False, "the URL cannot be used", "correct it in the manifest"
    BAD_REDIRECT = ("bad-redirect", False, "the image server redirects without saying where to",
                    "write the final URL into the manifest")
    TOO_MANY_REDIRECTS = ("too-many-redirects", False, "the image server redirects on and on",
                          "write the final URL into the manifest")
    ENCODED_BODY = ("encoded-body", False,
                    "the image server sent the file compressed, although asked not to",
                    "turn off compression of images on that server")
    EMPTY = "empty", False, "the file is empty", "put the image in its place"
    ADDRESS_NOT_ALLOWED = ("address-not-allowed", False,
        "the URL leads into a private network, or to this machine",
        "if that is meant: ldimport retry --allow-host HOST[:PORT]")
    # -- local files
    NO_SUCH_FILE = ("no-such-file", False,
                    "there is no file of that name below the manifest's folder",
                    "correct the path in the manifest, or put the file there")
    NOT_A_FILE = "not-a-file", False, "the path names no file", "name a file"
    NOT_READABLE = ("not-readable", True, "the file cannot be read",
                    "make it readable for whoever runs the import, then try again")
    OUTSIDE_FOLDER = ("outside-folder", False, "the path leads out of the folder of the manifest",
                      "move the file, or the manifest, so that the file lies below it")
    # -- what the bytes are
    NOT_AN_IMAGE = ("not-an-image", False, "the file is no image",
                    "often a page that says why there is no image: open the URL in a browser")
    FORMAT_NOT_ACCEPTED = ("{format}-not-accepted", False,
        "{format} is not accepted: png, jpg, gif, svg", "convert the image to one of these")
    TRUNCATED = ("truncated", False, "the image is cut off: its end is missing",
                 "get the whole file from where it came from")
    CORRUPT = "corrupt", False, "the image is damaged", "repair or replace it"
    TOO_MANY_BYTES = ("too-many-bytes", False, "the file is larger than the limit",
                      "make a smaller version of the image")
    TOO_MANY_PIXELS = ("too-many-pixels", False, "the image has more pixels than the limit",
                       "make a smaller version of the image")
    TOO_MANY_FRAMES = ("too-many-frames", False, "the animation has more frames than the limit",
                       "make a shorter version of it")
    TOO_COMPLEX = ("too-complex", False,
                   "decoding the image takes more time or memory than any honest image does",
                   "save it again with another program")
    SVG_UNSAFE = ("svg-unsafe", False,
                  "the SVG holds something that must not be shown to readers, or asks for outside "
                  "data", "export it again as plain SVG, in UTF-8")
    SVG_SIZE = "svg-size", False, "the SVG does not say how large it is", "give it a viewBox"
    # -- what was sent with it
    INVALID_METADATA = ("invalid-metadata", False, "the metadata does not fit the project config",
                        "ldimport validate shows where; correct the rows and submit again")
    # -- the run
    JOB_NOT_POSSIBLE = ("job-not-possible", False,
                        "the job could not be carried out under the terms it was accepted with",
                        "look at the project config, then submit again")
    NO_RESULT = "no-result", True, "the target gave no result for this image", "try again"
    BUG = "bug", False, "a bug in ldimport", "please report it with the log file"
    # -- told by a server that gives no cause of its own; see ``migration.guess``
    COULD_NOT_UPLOAD = ("could-not-upload-image", True,
                        "the server could not upload the image and does not say why",
                        "open the URL in a browser; if the image is fine, try again")
    OTHER = ("other", False, "the server gave a reason of its own",
             "read the reason of each image: ldimport results --failed")
    # fmt: on

    def __init__(self, code: str, temporary: bool, meaning: str, hint: str) -> None:
        self.code = code
        self.meaning = meaning
        self.hint = hint
        self._temporary = temporary

    def with_(self, **parameters: str | int) -> KnownCause:
        """This cause, with its parameter filled in: ``ORIGIN_STATUS.with_(status=503)``."""
        retryable = self._temporary
        if self is Cause.ORIGIN_STATUS:
            status = str(parameters["status"])
            retryable = status in _PASSING_4XX or (status[0] == "5" and status not in _LASTING_5XX)
        return KnownCause(
            self,
            self.code.format_map(parameters),
            self.meaning.format_map(parameters),
            self.hint.format_map(parameters),
            retryable,
        )

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        values = "[0-9]{3}" if self is Cause.ORIGIN_STATUS else "[a-z0-9-]+"
        return re.compile(re.sub(r"\\{(\w+)\\}", rf"(?P<\1>{values})", re.escape(self.code)))


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
