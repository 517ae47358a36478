"""What may stand in ``url``: the request's own rules, before anything is fetched."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urljoin

from ldimport.errors import Rejected
from ldimport.model import Severity
from ldimport.paths import locate_below
from ldimport.schema.findings import Finding, cut
from ldimport.url import MAX_LENGTH, PLAIN_PLACE, PORTS, holds_user, is_relative, parse

MAX_URL = MAX_LENGTH
_LIKELY = ("png", "jpg", "jpeg", "gif", "svg")
PLAIN = re.compile(
    rf"{PLAIN_PLACE}"
    r"/(?:[!#$&-\-/-;=_~A-Za-z]*+(?:%[0-9A-Fa-f]{2}[!#$&-\-/-;=_~A-Za-z]*+)*+\.)++"
    r"(?:jpe?g|JPE?G|png|PNG|gif|GIF|svg|SVG)"
)
"""URLs that nothing can be said about; most are so. At most ``MAX_URL`` characters."""
_HAS_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:")
_ENDING = re.compile(r"\.([A-Za-z0-9]{1,8})$")


def resolved(url: str, base_url: str | None) -> str:
    """The url as it is sent: a relative one from ``base_url``, if there is one. A path is written
    as files are named; what addresses cannot hold is percent-encoded."""
    if base_url is None or not is_relative(url):
        return url
    base = base_url if base_url.endswith("/") else f"{base_url}/"
    return urljoin(base, quote(url, safe="/%?&=+,;:@!$'()*~"))


def url_findings(url: str, folder: Path | None) -> Iterator[Finding]:
    """Everything about a url. ``folder``: below it relative urls are files; None: there are no
    relative urls."""
    if not url:
        yield _error("required", "url is empty", "every image needs an address")
    elif _scheme(url) in PORTS:
        yield from _address(url)
    elif folder is not None and is_relative(url):
        yield from _file(url, folder)
    else:
        yield _refused(url, folder)


def _address(url: str) -> Iterator[Finding]:
    if holds_user(url):
        hint = "serve the images without a password, or with signed addresses"
        yield _error("url-userinfo", "url holds a user name or password", hint)
        return
    try:
        yield from _ending(parse(url).rest.partition("?")[0])
    except Rejected as rejected:
        hint = "write a blank in an address as %20" if re.search(r"\s", url) else ""
        yield _error("not-a-url", f"url: “{cut(url)}”: {rejected.reason}", hint)


def _ending(path: str) -> Iterator[Finding]:
    found = _ENDING.search(path.rpartition("/")[2])
    if found and found[1].lower() not in _LIKELY and not found[1].isdigit():
        text = f"url ends in .{found[1]}: Livingdocs takes png, jpg, gif and svg"
        hint = "if the bytes are one of these all is well; they decide, not the name"
        yield Finding("unlikely-type", text, hint, Severity.WARNING)


def _file(url: str, folder: Path) -> Iterator[Finding]:
    try:
        locate_below(folder, url)
    except Rejected as rejected:
        if rejected.code == "no-such-file":  # until then it may be there
            hint = "the row is sent, and fails unless the file is there by then"
            yield Finding("no-such-file", f"url: {rejected.reason}", hint, Severity.WARNING)
            return
        hint = "local images stand in the manifest's folder or below it"
        yield _error(rejected.code, f"url: {rejected.reason}", hint)
        return
    yield from _ending(url)


def _refused(url: str, folder: Path | None) -> Finding:
    scheme, shown = _scheme(url), cut(url)
    if scheme == "data":
        return _error("data-url", "url is a data: URL, which the API does not take",
                      "write the image to a file and give its address")  # fmt: skip
    if scheme == "file" or url.startswith(("/", "\\")) or (len(scheme) == 1 and folder is not None):
        way = "write the path from the manifest's folder" if folder else "give an http address"
        return _error("absolute-path", f"url: “{shown}” is a path on this machine", way)
    if scheme:
        return _error("not-a-url", f"url: “{shown}” is not an http or https address")
    if "\\" in url and is_relative(url.replace("\\", "/")):
        return _error("not-a-url", f"url: “{shown}” holds a backslash", "write / instead of \\")
    if folder is None and is_relative(url):
        return _error("relative-url", f"url: “{shown}” is relative, and there is no base for it",
                      "--base-url https://… says where relative ones begin")  # fmt: skip
    return _error("not-a-url", f"url: “{shown}” is not an http or https address")


def _scheme(url: str) -> str:
    return url.partition(":")[0].lower() if _HAS_SCHEME.match(url) else ""


def _error(code: str, message: str, hint: str = "") -> Finding:
    return Finding(code, message, hint)
