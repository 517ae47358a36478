"""Is the picture that a target serves the one that was imported?"""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from PIL import Image
from standin import StandIn

from ldimport.errors import Rejected
from ldimport.migration.pictures import PictureLook, Pictures
from ldimport.migration.proof import Expected
from ldimport.model import Asset, Status


@dataclass
class Web:
    """An origin and a target on the loopback address."""

    url: str = ""
    files: dict[str, bytes | int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    tokens: list[str | None] = field(default_factory=list)


@contextmanager
def running() -> Iterator[Web]:
    web = Web()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            web.asked.append(self.path)
            web.tokens.append(self.headers["Authorization"])
            found = web.files.get(self.path, 404)
            body = found if isinstance(found, bytes) else b""
            self.send_response(found if isinstance(found, int) else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    web.url = f"http://127.0.0.1:{server.server_port}"
    yield web
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def web() -> Iterator[Web]:
    with running() as found:
        yield found


def picture(colour: str, size: tuple[int, int] = (40, 30), form: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, form)
    return out.getvalue()


def look(web: Web, *, service: str | None = "imgix", size: int | None = None, sources: bool = True,
         allow: tuple[str, ...] = (), address: str | None = None) -> PictureLook:  # fmt: skip
    expected = Expected("1", True, Status.SUCCESS, None, "a", "a", "m1", 40, 30, "image/png",
                        service, None, f"{web.url}/source.png", "{}", 1.0, None, None, None, None,
                        None)  # fmt: skip
    place = f"{web.url}/original" if address is None else address
    found = Asset("m1", place, place, 40, 30, "image/png", None, size=size)
    target = replace(StandIn(), identity=f"{web.url}/api", local=False)
    with Pictures(target, allow, lambda ask: ask(), web_sources=sources) as pictures:
        return pictures.compare(expected, found)


def test_equal_bytes_are_equal(web: Web) -> None:
    web.files = {"/source.png": picture("red"), "/original": picture("red")}
    assert look(web) == PictureLook(True)
    assert web.tokens == [None, None]


def test_another_picture_of_the_same_size_is_found_where_originals_are_kept(web: Web) -> None:
    other = picture("blue") + b"more"
    web.files = {"/source.png": picture("red"), "/original": other}
    assert look(web) == PictureLook(False)
    for known in ({"size": len(picture("red"))}, {"service": "ldimport"}):
        found = look(web, **known)  # type: ignore[arg-type]
        assert found.by_hash and found.differs is not None


def test_an_image_service_is_held_to_the_decoded_size(web: Web) -> None:
    web.files = {"/source.png": picture("red"), "/original": picture("red", form="JPEG")}
    assert look(web) == PictureLook(False)
    web.files["/original"] = picture("red", (30, 40), "JPEG")
    assert look(web) == PictureLook(False)
    web.files["/original"] = picture("red", (20, 15), "JPEG")
    assert look(web).differs == ("40\u00d730", "20\u00d715")


def test_without_its_source_the_decoded_size_counts(web: Web) -> None:
    web.files = {"/original": picture("blue")}
    assert look(web) == PictureLook(False)
    web.asked.clear()
    assert look(web, sources=False) == PictureLook(False)
    assert web.asked == ["/original"]


@pytest.mark.parametrize(
    ("served", "said"),
    [(404, "404"), (403, "403"), (b"<html>no</html>", "not an image"), (picture("red")[:60], "")],
)
def test_what_is_no_picture_differs(web: Web, served: bytes | int, said: str) -> None:
    web.files = {"/original": served}
    found = look(web)
    assert found.differs is not None and said in str(found.differs[1])


def test_what_is_away_for_now_is_no_difference(web: Web) -> None:
    web.files = {"/original": 503}
    with pytest.raises(Rejected) as caught:
        look(web)
    assert caught.value.retryable


@pytest.mark.parametrize(
    "address", ["http://169.254.169.254/latest", "http://127.0.0.1:1/", "file:///etc/passwd", ""]
)
def test_a_hostile_address_is_not_fetched(web: Web, address: str) -> None:
    found = look(web, address=address)
    assert found.differs is not None and found.differs[1] and web.asked == []
