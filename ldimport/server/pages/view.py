"""From a document to an answer: a page, JSON, a file of the pages; and who may look."""

import base64
import binascii
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from ldimport import html
from ldimport.engine import Engine
from ldimport.server.contract import ServeOptions
from ldimport.server.responses import Refusal, answer
from ldimport.url import is_loopback

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
}
STATIC = {
    "look.css": "text/css",
    "pages.css": "text/css",
    "pages.js": "text/javascript",
    "htmx.min.js": "text/javascript",
    "favicon.svg": "image/svg+xml",
}
_FORWARDED = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
MOST = 10_000
"""Rows of one answer, whoever asks for more."""


class ArchiveSource(Protocol):
    """What a state file tells of its archives, as documents."""

    def overview(self) -> dict[str, Any]:
        """All archives; ``archives.html`` shows it."""

    def archive(self, target: str, system_name: str) -> dict[str, Any] | None:
        """One of them; ``archive.html`` shows it. None: there is none of this name."""


@dataclass(frozen=True, slots=True)
class PageRequest:
    """One request for a page, and all that may be shown."""

    request: Request
    engine: Engine
    options: ServeOptions
    archives: ArchiveSource | None = None
    machine: bool = False
    """Whether its ``.json`` is asked for."""
    now: float = field(default_factory=time.time)

    @property
    def path(self) -> str:
        """The page's path, without ``.json``."""
        return self.request.url.path.removesuffix(".json")

    def text(self, name: str, default: str = "") -> str:
        """A parameter of the query."""
        return self.request.query_params.get(name, default)

    def count(self, name: str, default: int, most: int = MOST) -> int:
        """A parameter that is a whole number. Raises Refusal 400 for one that is none."""
        text = self.text(name)
        if not text:
            return default
        if not (text.isascii() and text.isdigit() and len(text) < 16):
            raise Refusal(400, {name: "must be a whole number"})
        return min(int(text), most)

    def link(self, **changes: object) -> str:
        """The address of this page, but for what changes in its query; None takes a parameter
        away."""
        return self.path + self._query(changes)

    def _query(self, changes: Mapping[str, object]) -> str:
        query = {**self.request.query_params, **changes}
        told = urlencode({name: str(value) for name, value in query.items() if value})
        return f"?{told}" if told else ""

    def same(self, ending: str, **changes: object) -> str:
        """The same as CSV or JSON."""
        path = "/jobs" if self.path == "/" else self.path
        return path + ending + self._query(changes)

    def page(self, template: str, document: Mapping[str, Any], **screen: Any) -> Response:
        """The document as this look wants it; ``screen`` is what a page has beside it."""
        if self.machine:
            return answer({"format": 1, **document})
        values = {"machine": self.same(".json"), "here": self.link(), "every": 0, **screen}
        shown = {**document, **values, "chrome": self._chrome(), "now": self.now}
        return Response(html.render(template, **shown), 200, HEADERS, "text/html")

    def refused(self, refusal: Refusal) -> Response:
        """A refusal as this look wants it."""
        if self.machine:
            return refusal.response()
        title = f"{refusal.status} {str(refusal).partition(' ')[2]}"
        values = {"title": title, "text": refusal.note, "machine": ""}
        text = html.render("refused.html", **values, chrome=self._chrome(), now=self.now)
        return Response(text, refusal.status, {**HEADERS, **refusal.headers}, "text/html")

    def _chrome(self) -> dict[str, Any]:
        """What stands above every page."""
        pages, read_only = [("/", "Jobs"), ("/library", "Library")], self.archives is not None
        limit = self.engine.daily_limit
        about = f"quota {limit:,} a day" if limit else "no quota"
        if read_only:
            pages.insert(0, ("/migration", "Migration"))
            about = "read only"
        here = "/" + self.path.split("/")[1].replace("jobs", "")
        about = f"local engine · {about}"
        return {"pages": pages, "here": here, "about": about, "read_only": read_only}


def static(name: str, request: Request) -> Response:
    """A file of the pages. Raises Refusal 404."""
    if name not in STATIC:
        raise Refusal(404, {"url": request.url.path})
    body = html.styles().encode() if name == "look.css" else html.static(name)
    tag = f'"{binascii.crc32(body):08x}"'
    headers = {**HEADERS, "Cache-Control": "no-cache", "ETag": tag}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(body, 200, headers, STATIC[name])


def check_host(request: Request, options: ServeOptions) -> bool:
    """Whether this browser may look without a token: it is on this machine, and so is what it
    believes to talk to; a page elsewhere whose name was pointed here is refused (DNS rebinding).
    Raises Refusal 421 for a name that is not ours."""
    name = request.headers.get("host", "")
    here = is_loopback(f"http://{_literal(options.host)}")
    public = options.public_url
    at_home = here and (public is None or is_loopback(public))
    if is_loopback(f"http://{name}"):
        return at_home and not any(each in request.headers for each in _FORWARDED)
    if at_home:
        raise Refusal(421, "These pages are shown at 127.0.0.1 and localhost only")
    return False


def _literal(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def as_bearer(header: str | None) -> str | None:
    """An Authorization header as the API takes it: of Basic, which browsers ask a person for, the
    password is the token."""
    scheme, _, rest = (header or "").partition(" ")
    if scheme.lower() != "basic":
        return header
    try:
        return f"Bearer {base64.b64decode(rest, validate=True).decode().partition(':')[2]}"
    except (binascii.Error, UnicodeDecodeError):
        return header
