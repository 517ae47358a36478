"""What is wrong, or odd, about the address of an image."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urljoin

from ldimport.errors import Rejected
from ldimport.local_names import locate_below, nearest
from ldimport.model import Severity
from ldimport.schema.findings import Finding, cut
from ldimport.url import (
    MAX_LENGTH,
    PLAIN_PLACE,
    PORTS,
    holds_user,
    is_relative,
    parse,
)

MAX_URL = MAX_LENGTH
_LIKELY = ("png", "jpg", "jpeg", "gif", "svg")
PLAIN = re.compile(
    rf"{PLAIN_PLACE}"
    r"/(?:[!$&-\-/-9;=_~A-Za-z]*+(?:%[0-9A-Fa-f]{2}[!$&-\-/-9;=_~A-Za-z]*+)*+\.)++"
    r"(?:jpe?g|JPE?G|png|PNG|gif|GIF|svg|SVG)"
)
"""URLs that nothing can be said about; most are so. At most ``MAX_URL`` characters."""
_HAS_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:")
_ENDING = re.compile(r"\.([A-Za-z0-9]{1,8})$")
_AT_ANOTHER = re.compile(r"(?<![\s;,|])[\s;,|]++(?=https?://)", re.IGNORECASE)
_LONE_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")


def resolved(url: str, base_url: str | None) -> str:
    """The url as it is sent: a relative one from ``base_url``, if there is one. A path is written
    as files are named, so that ``%``, ``#`` and ``?`` are signs of a name like others; what
    addresses cannot hold is percent-encoded."""
    if base_url is None or not is_relative(url):
        return url
    base = base_url if base_url.endswith("/") else f"{base_url}/"
    return urljoin(base, quote(url, safe="/&=+,;:@!$'()*~"))


def url_findings(url: str, folder: Path | None, *, suggest: bool = True) -> Iterator[Finding]:
    """Everything about a url; below ``folder``, if there is one, relative ones are files.
    ``suggest``: look for the file that one which is not there may mean."""
    if not url:
        yield Finding("required", "url is empty", "every image needs an address")
    elif _scheme(url) in PORTS:
        yield from _address(url)
    elif folder is not None and is_relative(url):
        yield from _file(url, folder, suggest=suggest)
    else:
        yield _refused(url, folder)


def _address(url: str) -> Iterator[Finding]:
    if holds_user(url):
        hint = "serve the images without a password, or with signed addresses"
        yield Finding("url-userinfo", "url holds a user name or password", hint)
        return
    several = _AT_ANOTHER.split(url)
    if len(several) > 1:
        sure = all(_looks_like_an_image(each) for each in several)
        told = f"url holds {len(several)} addresses: “{cut(url)}”"
        yield Finding("several-addresses", told, "one row is one image: make a row of each",
                      Severity.ERROR if sure else Severity.WARNING)  # fmt: skip
        if sure:
            return
    try:
        parsed = parse(url)
        yield from _unencoded(url)
        yield from _ending(parsed.rest.partition("?")[0])
    except Rejected as rejected:
        hint = "write a blank in an address as %20" if re.search(r"\s", url) else ""
        why = rejected.reason.partition(": ")[2]
        yield Finding("not-a-url", f"url: “{cut(url)}”: {why}", hint)


def _looks_like_an_image(url: str) -> bool:
    found = _ENDING.search(re.split("[?#]", url, maxsplit=1)[0])
    return found is not None and found[1].lower() in _LIKELY


def _unencoded(url: str) -> Iterator[Finding]:
    """Signs that mean something in an address and probably stand for themselves, as in a name."""
    asked, sign, behind = url.partition("#")
    if sign and (_looks_like_an_image(behind) or not _ENDING.search(asked)):
        text = f"url: what stands behind the # is not asked for, only “{cut(asked, 80)}”"
        hint = f"if it belongs to the name: {url.replace('#', '%23')}"
        yield Finding("hash-in-url", text, hint, Severity.WARNING)
    if _LONE_PERCENT.search(url):
        text = f"url: a % encodes nothing in “{cut(url, 80)}”"
        hint = f"if it belongs to the name: {_LONE_PERCENT.sub('%25', url)}"
        yield Finding("lone-percent", text, hint, Severity.WARNING)


def _ending(path: str) -> Iterator[Finding]:
    found = _ENDING.search(path.rpartition("/")[2])
    if found and found[1].lower() not in _LIKELY and not found[1].isdigit():
        text = f"url ends in .{found[1]}: Livingdocs takes png, jpg, gif and svg"
        hint = "if the bytes are one of these all is well; they decide, not the name"
        yield Finding("unlikely-type", text, hint, Severity.WARNING)


def _file(url: str, folder: Path, *, suggest: bool) -> Iterator[Finding]:
    try:
        locate_below(folder, url)
    except Rejected as rejected:
        hint, severity = "local images stand in the manifest's folder or below it", Severity.ERROR
        if rejected.code == "no-such-file":  # until then it may be there
            hint = "the row is sent, and fails unless the file is there by then"
            severity = Severity.WARNING
            if suggest and (near := nearest(folder, url)):
                hint = f"did you mean {cut(near)}? {hint}"
        yield Finding(rejected.code, f"url: {rejected.reason}", hint, severity)
    else:
        yield from _ending(url)


def _refused(url: str, folder: Path | None) -> Finding:
    scheme, shown = _scheme(url), f"url: “{cut(url)}”"
    if scheme == "data":
        hint = "write the image to a file and give its address"
        return Finding("data-url", "url is a data: URL, which the API does not take", hint)
    if scheme == "file" or url.startswith(("/", "\\")) or (len(scheme) == 1 and folder is not None):
        way = "write the path from the manifest's folder" if folder else "give an http address"
        return Finding("absolute-path", f"{shown} is a path on this machine", way)
    if not scheme and "\\" in url and is_relative(url.replace("\\", "/")):
        return Finding("not-a-url", f"{shown} holds a backslash", "write / instead of \\")
    if not scheme and folder is None and is_relative(url):
        hint = "--base-url https://… says where relative ones begin"
        return Finding("relative-url", f"{shown} is relative, and there is no base for it", hint)
    return Finding("not-a-url", f"{shown} is not an http or https address")


def _scheme(url: str) -> str:
    return url.partition(":")[0].lower() if _HAS_SCHEME.match(url) else ""
