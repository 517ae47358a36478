"""``report`` as people and scripts get it: one file that adds up; no outside text breaks it."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hostile_strings import ALL
from PIL import Image
from report_archive import TARGET, Told, record

from ldimport.cli import main
from ldimport.cli.output.stream import Stream
from ldimport.cli.session import Session
from ldimport.model import Status

Call = Callable[..., tuple[int, str, str]]
LOST = ("origin-503", "the origin answered 503 for https://img.example/a.jpg?sig=secret")


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Call:
    """Runs a command line in an empty place: exit code, output, errors."""
    for name in list(os.environ):
        if name.startswith(("LDIMPORT_", "LI_", "XDG_", "GITHUB_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LDIMPORT_STATE", str(tmp_path / "state.sqlite"))
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str, str]:
        capfd.readouterr()
        code = main(list(words))
        return code, *capfd.readouterr()

    return run


@pytest.fixture
def on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    before = Session.__post_init__

    def made(session: Session) -> None:
        before(session)
        session.out = Stream(session.out.file, tty=True, columns=80)

    monkeypatch.setattr(Session, "__post_init__", made)


def of_the_engine(call: Call, rows: int = 3) -> None:
    """Images of the local engine: so many pictures, an SVG, and a file that is none."""
    for n in range(rows):
        Image.new("RGB", (300 + n, 200), (n * 40 % 256, 90, 120)).save(f"{n}.png")
    rect = '<rect width="9" height="9"/>'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30">{rect}</svg>'
    Path("a.svg").write_text(svg)
    Path("bad.png").write_bytes(b"<html>no image</html>")
    lines = [f"id{n},{n}.png,Picture {n}" for n in range(rows)]
    lines += ["vector,a.svg,A drawing", "broken,bad.png,A page"]
    Path("archive.csv").write_text("\n".join(["id,url,fileName", *lines]) + "\n")
    assert call("submit", "archive.csv", "--system-name", "archiv")[0] == 1


class Page(HTMLParser):
    """What a page holds: its tags with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._hidden = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._hidden = tag == "style"

    def handle_data(self, data: str) -> None:
        self.text += "" if self._hidden else data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


def sums_in(text: str) -> tuple[int, int]:
    """The two sides of the sum that a report tells in words."""
    found = re.search(r"((?:[\d,]+ [a-z ]+\+ )*[\d,]+ [a-z ]+) = ([\d,]+) rows", text)
    assert found, text[:500]
    parts = re.findall(r"[\d,]+(?= [a-z])", found[1])
    return sum(int(each.replace(",", "")) for each in parts), int(found[2].replace(",", ""))


def test_a_page_of_the_local_engine_holds_its_pictures(call: Call) -> None:
    of_the_engine(call)
    code, out, err = call("report", "-o", "report.html")
    assert (code, out) == (0, "")
    size = Path("report.html").stat().st_size
    assert f"report.html  {size / 1000:.0f} kB · 4 thumbnails" in err and "no network" in err
    page = Page(Path("report.html").read_text())
    pictures = page.all("img")
    assert [each["alt"] for each in pictures] == [
        "Picture 0",
        "Picture 1",
        "Picture 2",
        "A drawing",
    ]
    for each in pictures:
        kind, data = str(each["src"]).removeprefix("data:").split(";base64,")
        if kind == "image/svg+xml":
            assert b"<svg" in base64.b64decode(data)
            continue
        assert kind == "image/jpeg"
        picture = Image.open(io.BytesIO(base64.b64decode(data)))
        assert max(picture.size) == 120
    assert sums_in(page.text) == (5, 5) and "the file is no image" in page.text
    assert "Known of 4 of 5 images" in page.text  # sizes and sides alike
    assert "none: the local engine, nothing was sent to Livingdocs" in page.text
    assert re.search(r"archive\.csv as it is now: sha256 [0-9a-f]{64}", page.text)


def test_a_page_asks_for_nothing(call: Call) -> None:
    of_the_engine(call)
    call("report", "-o", "report.html")
    text = Path("report.html").read_text()
    page = Page(text)
    assert not page.all("script") and "javascript:" not in text
    (policy,) = [each["content"] for each in page.all("meta") if each.get("http-equiv")]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert all(str(value).startswith("data:") for _, attrs in page.tags
               for name, value in attrs.items() if name in ("src", "href", "srcset"))  # fmt: skip
    assert "url(" not in text and "@import" not in text
    assert not [attrs for _, attrs in page.tags if any(name.startswith("on") for name in attrs)]


@pytest.mark.parametrize("most", [0, 2])
def test_so_many_thumbnails_as_asked(call: Call, most: int) -> None:
    of_the_engine(call)
    assert call("report", "--thumbnails", str(most), "-o", "report.html")[0] == 0
    assert len(Page(Path("report.html").read_text()).all("img")) == most


def test_a_picture_that_is_lost_says_so_in_its_place(call: Call) -> None:
    of_the_engine(call, rows=1)
    blobs = [each for each in Path("home").rglob("blobs/**/*") if each.is_file()]
    assert len(blobs) == 2
    for blob in blobs:
        blob.unlink()
    code, _, err = call("report", "-o", "report.html")
    assert code == 0 and "0 thumbnails, 2 could not be made" in err
    text = Path("report.html").read_text()
    assert text.count("not shown: the stored file is lost") == 2
    assert "2 could not be shown" in text


def test_on_a_terminal_the_file_is_report_html_here(call: Call, on_a_terminal: None) -> None:
    record(Path("state.sqlite"), [Told("1")])
    code, out, err = call("report")
    assert (code, out) == (0, "") and Path("report.html").stat().st_mode & 0o777 == 0o600
    assert "ldimport report --thumbnails 120" in err
    assert call("report", "--format", "md")[0] == 0 and Path("report.md").is_file()
    assert call("report", "-o", "-")[1].lstrip().startswith("<!doctype html>")


def test_a_pipe_is_written_to(call: Call) -> None:
    record(Path("state.sqlite"), [Told("1")])
    code, out, _ = call("report")
    assert code == 0 and out.lstrip().startswith("<!doctype html>") and out.endswith("</html>\n")
    assert not Path("report.html").exists()


def test_a_file_that_is_there_is_replaced_whole(call: Call) -> None:
    record(Path("state.sqlite"), [Told("1")])
    Path("report.md").write_text("before")
    assert call("report", "-o", "report.md")[0] == 0
    assert Path("report.md").read_text().startswith("# archiv")
    assert call("report", "-o", "nowhere/report.md")[0] == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-o", "report.pdf"), "the ending says no format"),
        (("--format", "md", "--thumbnails", "3"), "holds no pictures"),
        (("--system-name", "archv"), "no archive"),
    ],
)
def test_what_does_not_fit_is_refused(call: Call, words: tuple[str, ...], said: str) -> None:
    record(Path("state.sqlite"), [Told("1")])
    code, _, err = call("report", *words)
    assert code == 2 and said in err


def test_where_nothing_was_submitted_there_is_no_file(call: Call, on_a_terminal: None) -> None:
    code, out, err = call("report")
    assert (code, out) == (0, "") and "Nothing has been submitted yet." in err
    assert not Path("report.html").exists()
    code, out, _ = call("report", "--json")
    assert code == 0 and json.loads(out)["archives"] == []


def many() -> list[Told]:
    """600 failures of three causes, of which some are passing, and 400 others."""
    causes = (LOST, ("not-an-image", "it is text/html"), ("other", "no | such `thing` <b>"))
    failed = [Told(f"f{n}", f"https://img.example/{n}.jpg?sig=secret", Status.FAILED, "",
                   *causes[n % 3]) for n in range(600)]  # fmt: skip
    return [*failed, *(Told(f"s{n}", status=(Status.SUCCESS, Status.SKIPPED)[n % 2])
                       for n in range(400))]  # fmt: skip


def test_every_form_tells_the_same(call: Call) -> None:
    record(Path("state.sqlite"), many())
    for form in ("html", "md", "json"):
        assert call("report", "-o", f"report.{form}")[0] == 0
    page, text = (Path(f"report.{form}").read_text() for form in ("html", "md"))
    found = json.loads(Path("report.json").read_text())
    (archive,) = found["archives"]
    assert found["format"] == 1 and archive["rows"] == 1_000 and archive["target"] == TARGET
    assert archive["totals"]["failed"] == 600 and archive["failuresShown"] == 500
    for told in (Page(page).text, text):
        assert sums_in(told) == (1_000, 1_000) and "secret" not in told
        assert "The first 500 of 600" in told and "results --failed" in told.replace("\\", "")
        assert "retry --cause origin-503" in told and "results --cause not-an-image" in told
    assert "secret" not in json.dumps(found)
    assert [each["images"] for each in archive["causes"]] == [200, 200, 200]
    assert {each["command"].split(" --target")[0] for each in archive["causes"]} >= {
        "ldimport retry --cause origin-503",
        "ldimport results --cause not-an-image --as-manifest -o failed.csv",
    }
    assert len(Page(page).all("svg")) > 4
    for chart in Page(page).all("svg"):
        assert chart.get("aria-hidden") == "true" or "imported" in str(chart["aria-label"])


def test_json_is_the_document_and_beside_a_file_names_it(call: Call) -> None:
    record(Path("state.sqlite"), [Told("1")])
    _, alone, _ = call("report", "--json")
    code, beside, err = call("report", "--json", "-o", "report.html")
    assert code == 0 and err == "" and Path("report.html").is_file()
    one, other = json.loads(alone), json.loads(beside)
    assert other.pop("file") == "report.html"
    assert {**one, "madeAt": 0} == {**other, "madeAt": 0}


def test_several_archives_have_a_part_each(call: Call) -> None:
    record(Path("state.sqlite"), [Told("1"), Told("2")])
    record(Path("state.sqlite"), [Told("1")], name="foto")
    names = [each["systemName"] for each in json.loads(call("report", "--json")[1])["archives"]]
    assert names == ["archiv", "foto"]
    page = Page(call("report")[1])
    assert len(page.all("article")) == 2 and len(page.all("h1")) == 2
    out, err = call("report", "--system-name", "foto", "--format", "md")[1:]
    assert (
        out.startswith("# foto") and out.count("# archiv") == 0 and "archiv at cms.example" in err
    )


def test_a_project_config_is_known_by_its_digest(call: Call) -> None:
    record(Path("state.sqlite"), [Told("1")])
    Path("project.json").write_text('{"mediaTypes": []}')
    out = call("report", "--json", "--project-config", "project.json")[1]
    assert len(json.loads(out)["projectConfig"]["sha256"]) == 64


def test_what_is_not_the_end_is_told(call: Call) -> None:
    record(Path("state.sqlite"), [Told("1"), Told("2", status=None)])
    with closing(sqlite3.connect("state.sqlite")) as file, file:
        file.execute(
            "INSERT INTO run (target, system_name, command, started_at, finished_at, exit_code,"
            f" sent, unsent) VALUES ('{TARGET}', 'archiv', 'submit', 1, 2, 6, 5, 1204)"
        )
    text = Page(call("report")[1]).text
    assert sums_in(text) == (2, 2) and "1 image still in progress" in text
    assert "left 1,204 rows of its manifest unsent" in text


# -- outside text --------------------------------------------------------------------------------


def hostile() -> list[Told]:
    texts = [
        *ALL,
        "a|b",
        "</td></table><script>x()</script>",
        '" onload="x()',
        "`` ` ``",
        "![a](b)",
    ]
    usable = [text for text in texts if text.strip() and "\0" not in text
              and not any(0xD800 <= ord(sign) < 0xE000 for sign in text)]  # fmt: skip
    return [Told(f"{n} {text}", "https://img.example/a.jpg", Status.FAILED, "", "other", text)
            for n, text in enumerate(usable)][:490]  # fmt: skip


def test_no_outside_text_breaks_a_table_of_markdown(call: Call) -> None:
    images = hostile()
    record(Path("state.sqlite"), images, name="a|b `c` <d>")
    out = call("report", "--format", "md")[1]
    width, rows = 0, 0
    for line in out.split("\n"):
        if not line.startswith("|"):
            width = 0
            continue
        cells = len(re.findall(r"(?<!\\)(?:\\\\)*\|", line))
        width = width or cells
        assert cells == width, line
        rows += 1
    assert rows > len(images) and "more kinds (" in out
    assert "<" not in out and not re.search(r"(?<!\\)`", out)
    assert not set(out) & {chr(code) for code in (*range(10), *range(11, 32), *range(0x7F, 0xA0))}


def test_no_outside_text_becomes_part_of_a_page(call: Call) -> None:
    record(Path("state.sqlite"), [Told("1", status=Status.FAILED, cause="other", reason="x")])
    usual = {tag for tag, _ in Page(call("report")[1]).tags}
    record(Path("state.sqlite"), hostile(), name="archiv", at=1_790_100_000.0)
    out = call("report")[1]
    page = Page(out)
    assert {tag for tag, _ in page.tags} <= usual | {"br"}
    assert not [attrs for _, attrs in page.tags if any(name.startswith("on") for name in attrs)]
    assert not set(page.text) & {chr(code) for code in (*range(9), *range(11, 32), 0x202E, 0x9B)}


# -- pictures of a server ------------------------------------------------------------------------


@contextmanager
def pictures() -> Iterator[tuple[str, list[str]]]:
    """Serves a picture at every path but ``/gone``; the address, and what was asked for."""
    data, asked = io.BytesIO(), list[str]()
    Image.new("RGB", (640, 480), "navy").save(data, "JPEG")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            there = "gone" not in self.path
            self.send_response(200 if there else 404)
            self.end_headers()
            self.wfile.write(data.getvalue() if there else b"")

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_servers_pictures_are_fetched_only_when_asked_for(call: Call) -> None:
    with pictures() as (place, asked):
        record(Path("state.sqlite"), [
            Told("1", stored=f"http://{place}/one?id=1"), Told("2", stored=f"http://{place}/gone"),
        ])  # fmt: skip
        assert call("report", "-o", "report.html")[0] == 0 and asked == []
        words = ("report", "--thumbnails", "5", "--allow-host", place, "-o", "report.html")
        code, _, err = call(*words)
        assert code == 0 and "1 thumbnail, 1 could not be made" in err
        assert sorted(set(asked)) == ["/gone", "/one?id=1"]
        page = Page(Path("report.html").read_text())
        assert len(page.all("img")) == 1 and "fetched for this report" in page.text
        assert "not shown:" in page.text and "404" in page.text


def test_a_servers_pictures_come_through_the_guard(call: Call) -> None:
    with pictures() as (place, asked):
        record(Path("state.sqlite"), [Told("1", stored=f"http://{place}/one")])
        code, _, err = call("report", "--thumbnails", "1", "-o", "report.html")
        assert code == 0 and "0 thumbnails, 1 could not be made" in err and asked == []
