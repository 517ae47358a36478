"""Images in other sizes and formats over HTTP: forms, what suits a client, caches, crowds."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from PIL import Image as Picture
from served import Api, an_origin, client, image, picture, process, served, until
from starlette.datastructures import Headers, QueryParams

from ldimport.media import sandbox
from ldimport.media.rendition import Fitting, Rendition, RenditionFormat
from ldimport.model import Facts
from ldimport.server import endpoint, variants
from ldimport.server.responses import Refusal

BROWSER = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"
PHOTO = picture(size=(400, 200))
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><path d="M0 0"/></svg>'


def animated() -> bytes:
    frames = [Picture.new("RGB", (40, 20), colour) for colour in ("red", "blue")]
    stream = BytesIO()
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:])
    return stream.getvalue()


FILES = {"photo": (PHOTO, "image/jpeg"), "svg": (SVG, "image/svg+xml"),
         "png": (picture("PNG", (60, 60)), "image/png"),
         "gif": (animated(), "image/gif")}  # fmt: skip


class Shelf:
    """A served engine with an image of each kind; ``get`` is a public client without a token."""

    def __init__(self, api: Api, public: httpx.Client, paths: dict[str, str]) -> None:
        self.api, self.public, self.paths = api, public, paths

    def get(self, name: str, query: str = "", accept: str | None = None, **headers: str):  # type: ignore[no-untyped-def]
        given = {key.replace("_", "-"): value for key, value in headers.items()}
        accepted = {"Accept": accept} if accept is not None else {}
        return self.public.get(self.paths[name] + query, headers={**accepted, **given})


def shelf_of(api: Api, public: httpx.Client, origin_host: str) -> Shelf:
    job = api.start(*(image(name, f"http://{origin_host}/{name}", fileName=f"A {name}.jpg")
                      for name in FILES))  # fmt: skip
    paths = {each["externalId"]: each["image"]["originalUrl"].removeprefix(api.url)
             for each in api.ended(job)["images"]}  # fmt: skip
    return Shelf(api, public, paths)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    folder = tmp_path_factory.mktemp("shelf")
    with an_origin() as origin:
        for name, (data, kind) in FILES.items():
            origin.put(name, data, kind)
        with (
            served(folder, allow=(origin.host,)) as api,
            client(api.url, None) as public,
        ):
            yield shelf_of(api, public, origin.host)


def size_of(answer: httpx.Response) -> tuple[int, int]:
    assert answer.status_code == 200, answer.text
    return Picture.open(BytesIO(answer.content)).size


# -- forms -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "size", "kind"),
    [
        ("&w=100", (100, 50), "jpeg"),
        ("&h=100", (200, 100), "jpeg"),
        ("&w=100&h=100", (100, 50), "jpeg"),
        ("&w=100&h=100&fit=contain", (100, 50), "jpeg"),
        ("&w=100&h=100&fit=clip", (100, 50), "jpeg"),
        ("&w=100&h=100&fit=cover", (100, 100), "jpeg"),
        ("&w=100&h=100&fit=crop", (100, 100), "jpeg"),
        ("&w=4096&h=4096", (400, 200), "jpeg"),
        ("&w=1", (1, 1), "jpeg"),
        ("&w=100&format=webp", (100, 50), "webp"),
        ("&w=100&format=avif", (100, 50), "avif"),
        ("&format=png", (400, 200), "png"),
        ("&format=jpg", (400, 200), "jpeg"),
        ("&format=jpeg", (400, 200), "jpeg"),
        ("?w=100&format=webp", (100, 50), "webp"),
        ("?format=auto&w=100&format=webp", (100, 50), "webp"),
        ("%3Fw=100%26format=webp", (100, 50), "webp"),
        ("&auto=format&w=100&format=webp", (100, 50), "webp"),
        ("&w=100&unknown=1&quality=5", (100, 50), "jpeg"),
    ],
)
def test_forms(shelf: Shelf, query: str, size: tuple[int, int], kind: str) -> None:
    found = shelf.get("photo", query)
    assert size_of(found) == size
    assert found.headers["content-type"] == f"image/{kind}"
    assert Picture.open(BytesIO(found.content)).format == kind.upper()
    assert int(found.headers["content-length"]) == len(found.content)
    assert "vary" not in found.headers
    assert found.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert found.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in found.headers["content-security-policy"]
    ending = kind.replace("jpeg", "jpg")
    assert found.headers["content-disposition"].startswith(f'inline; filename="A photo.{ending}"')


@pytest.mark.parametrize(
    ("query", "name"),
    [
        *((f"&{name}={value}", name) for name in ("w", "h") for value in (
            "", "0", "-1", "4097", "99999", "1.5", "1e3", "+5", "%205", "5%20", "0x10", "007",
            "%D9%A3%D9%A2%D9%A0", "%C2%B2", "w", "5%00", "5%0A", "auto", "9" * 400)),
        *((f"&fit={value}", "fit") for value in ("", "fill", "COVER", "%00", "x" * 300)),
        *((f"&format={value}", "format") for value in ("", "gif", "svg", "keep", "AUTO", "bmp")),
        ("?format=tiff", "format"),
        ("?w=0", "w"),
        ("&w=5&w=6", "w"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_by_its_name(shelf: Shelf, query: str, name: str) -> None:
    answer = shelf.get("photo", query)
    assert answer.status_code == 400
    assert answer.json()["status"] == 400 and [*answer.json()["error_details"]] == [name]
    assert answer.headers["cache-control"] == "no-store"


def test_all_that_is_wrong_is_named_at_once(shelf: Shelf) -> None:
    found = shelf.get("photo", "&w=0&h=x&fit=y&format=z").json()["error_details"]
    assert {*found} == {"w", "h", "fit", "format"}
    assert found["w"] == "must be a whole number from 1 to 4096"
    assert found["fit"] == "must be one of contain, cover, clip, crop"


def test_an_unknown_image_is_404_in_any_size(shelf: Shelf) -> None:
    for query in ("id=x", "id=x&w=5", "id=x?format=auto", "id=&w=5", "w=5"):
        answer = shelf.public.get(f"/api/v1/images/x?{query}")
        assert answer.status_code == (400 if query in ("id=&w=5", "w=5") else 404)


# -- what suits the client -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (BROWSER, "avif"),
        ("image/avif", "avif"),
        ("image/webp", "webp"),
        ("IMAGE/WebP ; Q=0.4", "webp"),
        ("image/webp,image/avif", "avif"),
        ("image/webp, image/avif;q=0.9", "webp"),
        ("image/webp;q=0.5, image/avif;q=0.9", "avif"),
        ("image/avif;q=0, image/webp", "webp"),
        ("image/avif;q=0.000, image/webp;q=0", "jpeg"),
        ("image/avif;q=2, image/webp;q=x", "jpeg"),
        ("image/avif;q=, image/webp;q=-1", "jpeg"),
        ("image/*", "jpeg"),
        ("*/*", "jpeg"),
        ("", "jpeg"),
        ("image/jpeg,image/png", "jpeg"),
        ("text/html, ;;;,,,q=1;image/webp", "jpeg"),
        ("image/webp;level=1;q=0.3", "webp"),
        ("x" * 20_000 + ",image/webp", "webp"),
    ],
)
def test_auto_goes_by_what_the_client_takes(shelf: Shelf, accept: str, kind: str) -> None:
    for query in ("&w=100&format=auto", "?format=auto&w=100", "&auto=format,compress&w=100"):
        found = shelf.get("photo", query, accept)
        assert size_of(found) == (100, 50)
        assert found.headers["content-type"] == f"image/{kind}"
        assert found.headers["vary"] == "Accept"
        assert "immutable" not in found.headers["cache-control"]


def test_several_headers_count_as_one(shelf: Shelf) -> None:
    url = shelf.api.url + shelf.paths["photo"] + "&format=auto&w=100"
    found = httpx.get(url, headers=[("accept", "text/html"), ("Accept", "image/webp")])
    assert found.headers["content-type"] == "image/webp"


@pytest.mark.parametrize("query", ["?format=auto", "&format=auto", "&auto=format"])
def test_auto_without_a_size(shelf: Shelf, query: str) -> None:
    plain = shelf.get("photo", query, "*/*")
    assert plain.content == PHOTO and plain.headers["vary"] == "Accept"
    assert plain.headers["etag"] == shelf.get("photo").headers["etag"]
    found = shelf.get("photo", query, BROWSER)
    assert (size_of(found), found.headers["content-type"]) == ((400, 200), "image/avif")
    part = shelf.get("photo", query, "*/*", Range="bytes=0-9")
    assert (part.status_code, part.content) == (206, PHOTO[:10])


@pytest.mark.parametrize("name", ["photo", "png", "gif", "svg"])
def test_the_original_is_what_was_stored(shelf: Shelf, name: str) -> None:
    """A plain address, whatever the client takes, and what it does not ask for."""
    for query in ("", "&fit=cover", "&quality=1"):
        found = shelf.get(name, query, BROWSER)
        assert found.headers["content-type"] == FILES[name][1] and "vary" not in found.headers
        if name != "svg":
            assert found.content == FILES[name][0]


@pytest.mark.parametrize("query", ["&w=5", "&w=5&format=png", "&format=auto", "&format=webp"])
def test_an_svg_comes_as_it_is(shelf: Shelf, query: str) -> None:
    found, plain = shelf.get("svg", query, BROWSER), shelf.get("svg")
    assert (found.content, found.headers["etag"]) == (plain.content, plain.headers["etag"])
    assert found.headers["content-type"] == "image/svg+xml"
    assert found.headers["content-disposition"].startswith("attachment")


def test_an_animation_stays_one_unless_a_size_is_asked(shelf: Shelf) -> None:
    for _ in range(2):
        for query in ("&format=auto", "&format=webp"):
            found = shelf.get("gif", query, BROWSER)
            assert (found.content, found.headers["content-type"]) == (FILES["gif"][0], "image/gif")
    small = shelf.get("gif", "&format=auto&w=20", BROWSER)
    assert (size_of(small), small.headers["content-type"]) == ((20, 10), "image/avif")
    assert shelf.get("gif", "&w=20").headers["content-type"] == "image/gif"


@pytest.mark.parametrize(
    ("size", "wanted"),
    [((2_000, 2_000), "avif"), ((2_001, 2_000), "webp"), ((6_000, 4_000), "webp"),
     ((6_001, 4_000), "keep")],
)  # fmt: skip
def test_large_pictures_are_not_made_for_auto(
    shelf: Shelf, size: tuple[int, int], wanted: str
) -> None:
    assert shelf.api.engine is not None
    key = QueryParams(shelf.paths["photo"].partition("?")[2])["id"]
    found = shelf.api.engine.original(key)
    assert found is not None
    large = replace(found, width=size[0], height=size[1])
    accept = Headers({"accept": BROWSER})
    form = variants.wish({"format": "auto"}).settled(large, accept)
    assert form == Rendition(format=RenditionFormat(wanted))
    small = variants.wish({"format": "auto", "w": "900"}).settled(large, accept)
    assert small.format is RenditionFormat.AVIF


def test_a_wish_is_read_without_a_server() -> None:
    assert variants.wish({"id": "x", "w": "5", "fit": "crop"}) == variants.Wish(
        Rendition(5, None, Fitting.COVER), auto=False)  # fmt: skip
    with pytest.raises(Refusal):
        variants.wish({"w": "5.0"})


# -- caches ----------------------------------------------------------------------------------------


def test_each_form_has_its_etag(shelf: Shelf) -> None:
    queries = ("", "&w=90", "&w=91", "&w=90&format=webp", "&w=90&h=9&fit=cover", "&w=90&h=9")
    tags = [shelf.get("photo", query).headers["etag"] for query in queries]
    assert len(set(tags)) == len(queries)
    for query, etag in zip(queries, tags, strict=True):
        same = shelf.get("photo", query, If_None_Match=f'"other", W/{etag}')
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", etag)
        assert shelf.get("photo", query, If_None_Match="*").status_code == 304
        assert shelf.get("photo", query, If_None_Match='"other"').status_code == 200
        assert shelf.get("photo", query, If_None_Match="").status_code == 200
        assert shelf.get("photo", query).headers["etag"] == etag
    other = shelf.get("photo", "&w=92&format=auto", BROWSER)
    same = shelf.get("photo", "&w=92&format=auto", BROWSER, If_None_Match=other.headers["etag"])
    assert (same.status_code, same.headers["vary"]) == (304, "Accept")
    changed = shelf.get("photo", "&w=92&format=auto", "*/*", If_None_Match=other.headers["etag"])
    assert changed.headers["content-type"] == "image/jpeg"


def test_head_and_range(shelf: Shelf) -> None:
    path = shelf.paths["photo"] + "&w=93&format=webp"
    head = shelf.public.head(path)
    whole = shelf.public.get(path)
    assert (head.status_code, head.content) == (200, b"")
    assert dict(head.headers) | {"date": ""} == dict(whole.headers) | {"date": ""}
    part = shelf.public.get(path, headers={"Range": "bytes=0-3"})
    assert (part.status_code, part.content) == (200, whole.content)


def test_it_is_made_for_all_versions_and_behind_any_prefix(shelf: Shelf) -> None:
    found = shelf.public.get("/proxy/api" + shelf.paths["photo"].replace("/v1/", "/2026-03/")
                             + "&w=94")  # fmt: skip
    assert size_of(found) == (94, 47)


# -- what cannot be drawn --------------------------------------------------------------------------


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Shelf]:
    """A shelf whose engine may be harmed."""
    with an_origin() as origin:
        for name, (data, kind) in FILES.items():
            origin.put(name, data, kind)
        with (
            served(tmp_path / "engine", allow=(origin.host,)) as api,
            client(api.url, None) as public,
        ):
            yield shelf_of(api, public, origin.host)


def test_a_damaged_image_is_422_and_with_auto_alone_itself(own: Shelf) -> None:
    assert own.api.engine is not None
    etag = own.get("photo").headers["etag"].strip('"')
    blob = own.api.engine.folder / "blobs" / etag[:2] / etag
    blob.write_bytes(PHOTO[:-100] + bytes(100))
    for query in ("&w=90", "&format=webp", "&w=90&format=auto"):
        for _ in range(2):
            answer = own.get("photo", query, BROWSER)
            assert answer.status_code == 422
            details = answer.json()["error_details"]
            assert details["cause"] in ("truncated", "corrupt") and details["message"]
            assert answer.headers["cache-control"] == "no-store"
    auto = own.get("photo", "?format=auto", BROWSER)
    assert (auto.status_code, auto.content) == (200, PHOTO[:-100] + bytes(100))
    assert size_of(own.get("png", "&w=5")) == (5, 5)


@contextmanager
def opened_at_the_end(gate: threading.Event) -> Iterator[None]:
    """Whatever fails inside, nobody waits for the gate for ever."""
    try:
        yield
    finally:
        gate.set()


def test_a_crowd_waits_or_is_told_to_ask_again_and_nobody_else_waits(
    own: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, begun = threading.Event(), threading.Semaphore(0)
    render = sandbox.Sandbox.render

    def slowly(self: sandbox.Sandbox, data: bytes, facts: Facts, form: Rendition) -> bytes | None:
        begun.release()
        assert gate.wait(60)
        return render(self, data, facts, form)

    most = endpoint.MOST_WAITING
    assert size_of(own.get("photo", "&w=7")) == (7, 4)  # there already
    monkeypatch.setattr(sandbox.Sandbox, "render", slowly)
    with ThreadPoolExecutor(most + 1) as pool, opened_at_the_end(gate):
        crowd = [pool.submit(own.get, "photo", f"&w={100 + n}") for n in range(most + 1)]
        assert begun.acquire(timeout=60)
        (one,) = until(lambda: [each for each in crowd if each.done()])
        refused = one.result()
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
        assert refused.json() == {"status": 503, "error": "Service Unavailable"}
        assert own.get("photo").content == PHOTO
        assert size_of(own.get("photo", "&w=7")) == (7, 4), "what is there needs no turn"
        assert own.get("photo", "?format=auto", "*/*").content == PHOTO
        assert own.api.get("/health").status_code == 200
        assert own.api.get("/api/v1/projectConfig").status_code == 200
        gate.set()
        assert [each.result().status_code for each in crowd if each is not one] == [200] * most
    assert size_of(own.get("photo", "&w=99")) == (99, 50)


def test_nothing_is_made_for_who_has_gone(own: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, forms = threading.Event(), list[Rendition]()
    render = sandbox.Sandbox.render

    def slowly(self: sandbox.Sandbox, data: bytes, facts: Facts, form: Rendition) -> bytes | None:
        forms.append(form)
        assert gate.wait(60)
        return render(self, data, facts, form)

    monkeypatch.setattr(sandbox.Sandbox, "render", slowly)
    busy = endpoint.MAKERS
    with ThreadPoolExecutor(busy) as pool, opened_at_the_end(gate):
        first = [pool.submit(own.get, "photo", f"&w={200 + n}") for n in range(busy)]
        until(lambda: forms)
        for n in range(3):
            with pytest.raises(httpx.ReadTimeout), client(own.api.url, None) as impatient:
                impatient.get(own.paths["photo"] + f"&w={300 + n}", timeout=0.3)
        gate.set()
        assert {each.result().status_code for each in first} == {200}
    assert size_of(own.get("photo", "&w=210")) == (210, 105)
    assert {form.width for form in forms} == {*(200 + n for n in range(busy)), 210}


def test_a_decoder_that_cannot_work_is_no_answer_about_the_image(
    own: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("ldimport.media.child_process.sys.executable", "/bin/false")
        answer = own.get("photo", "&w=80")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")
    assert size_of(own.get("photo", "&w=80")) == (80, 40)


def test_the_limit_of_what_is_kept_is_a_setting(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("engine: {renditionCache: 0}")
    with an_origin() as origin:
        origin.put("photo", *FILES["photo"])
        options = ("--port", "0", "--workers", "1", "--allow-host", origin.host,
                   *("--config", "mine.yaml"))  # fmt: skip
        with process(tmp_path, *options) as running, client(running.url) as http:
            api = Api(running.url, http)
            job = api.start(image("1", origin.url("photo")))
            path = api.ended(job)["images"][0]["image"]["originalUrl"].removeprefix(api.url)
            assert size_of(http.get(path + "&w=20")) == (20, 10)
    assert not (tmp_path / "engine" / "renditions").exists()


def test_names_of_files_that_people_give(own: Shelf) -> None:
    """The ending is that of what comes."""
    found = own.get("png", "&w=5&format=webp").headers["content-disposition"]
    assert (
        found == f"inline; filename=\"A png.jpg.webp\"; filename*=UTF-8''{quote('A png.jpg.webp')}"
    )
