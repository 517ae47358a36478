"""What the engine's tests are made of: a real origin on 127.0.0.1, real pictures, requests."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from PIL import Image as Picture

from ldimport.engine import Engine
from ldimport.model import Image, ImportRequest, Json

Open = Callable[..., Engine]
"""Opens an engine: the folder's name, then options of ``Engine``."""

CONFIG: Json = {
    "mediaTypes": [
        {
            "handle": "image",
            "type": "mediaImage",
            "metadata": [
                {"handle": "title", "type": "li-text", "config": {"required": True}},
                {"handle": "caption", "type": "li-text", "config": {"maxLength": 40}},
                {"handle": "credit", "type": "li-text"},
                {"handle": "shot", "type": "li-integer"},
            ],
            "exifExtraction": {
                "mappings": [
                    {"field": "Description", "metadataPropertyName": "caption"},
                    {"field": "Credit Line", "metadataPropertyName": "credit"},
                    {"field": "Headline", "metadataPropertyName": "shot"},
                ]
            },
        },
        {
            "handle": "photo",
            "type": "mediaImage",
            "metadata": [{"handle": "caption", "type": "li-text"}],
        },
    ]
}

XMP = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
 xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"><rdf:Description
 photoshop:Credit="Staff" photoshop:Headline="not a number"><dc:description><rdf:Alt>
 <rdf:li xml:lang="x-default">From the file</rdf:li></rdf:Alt></dc:description>
</rdf:Description></rdf:RDF></x:xmpmeta>"""


def picture(
    kind: str = "JPEG", size: tuple[int, int] = (40, 30), color: str = "navy", xmp: str = ""
) -> bytes:
    """The bytes of a small real picture."""
    file = io.BytesIO()
    extra = {"xmp": xmp.encode()} if xmp else {}
    Picture.new("RGB", size, color).save(file, kind, **extra)
    return file.getvalue()


@dataclass
class Origin:
    """Pictures by path, over HTTP. ``hits`` are the requests it saw, in order, ``agents`` who they
    said they were, of whom ``only_for`` alone is let in, if it is said; ``delay`` makes
    every answer late, in seconds; what waits in ``held`` is answered when it is set."""

    server: ThreadingHTTPServer
    files: dict[str, bytes] = field(default_factory=dict)
    headers: dict[str, Mapping[str, str]] = field(default_factory=dict)
    hits: list[tuple[str, str | None]] = field(default_factory=list)
    delay: float = 0.0
    held: threading.Event | None = None
    agents: list[str] = field(default_factory=list)
    only_for: str = ""

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server.server_port}"

    def put(self, path: str, data: bytes, **headers: str) -> str:
        """Serve ``data`` (headers with _ for -); returns its address."""
        self.files[path] = data
        self.headers[path] = {name.replace("_", "-"): text for name, text in headers.items()}
        return self.url(path)

    def hold(self) -> threading.Event:
        """Answer nothing that is asked from now on until this is set."""
        self.held = threading.Event()
        return self.held

    def url(self, path: str) -> str:
        return f"http://{self.host}/{path}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    origin: Origin

    def do_GET(self) -> None:
        origin, path = self.origin, self.path.lstrip("/").split("?")[0]
        asked = self.headers.get("If-None-Match")
        origin.hits.append((path, asked))
        origin.agents.append(self.headers["User-Agent"])
        if origin.only_for not in ("", self.headers["User-Agent"]):
            self.send_error(403)
            return
        time.sleep(origin.delay)
        if origin.held is not None:
            origin.held.wait()
        data, headers = origin.files.get(path), origin.headers.get(path, {})
        unchanged = data is not None and asked is not None and asked == headers.get("ETag")
        self.send_response(404 if data is None else 304 if unchanged else 200)
        body = b"" if data is None or unchanged else data
        for name, text in headers.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


class RoomyServer(ThreadingHTTPServer):
    """A backlog for all connections that come at once: a dropped one costs a second."""

    daemon_threads = True
    request_queue_size = 128


def wait_for(true: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until something holds; the limit only keeps a broken test from hanging."""
    until = time.monotonic() + seconds
    while not true():
        if time.monotonic() > until:
            pytest.fail("it did not come to pass")
        time.sleep(0.01)


class Clock:
    """Unix seconds that tests set."""

    def __init__(self) -> None:
        self.at = 1_700_000_000.0

    def __call__(self) -> float:
        return self.at


def image(identifier: str, url: str, **fields: object) -> Image:
    """One image of a request; ``fields`` override."""
    given: dict[str, object] = {"file_name": f"Picture {identifier}", "metadata": {}}
    return Image(identifier, url, **{**given, **fields})  # type: ignore[arg-type]


def request(*images: Image, system_name: str = "archive", **fields: object) -> ImportRequest:
    """A request with these images."""
    return ImportRequest(system_name, tuple(images), **fields)  # type: ignore[arg-type]
