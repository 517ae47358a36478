"""What is handed over: map, redirects in real web servers, and the list to undo."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import openpyxl
import pytest

from ldimport.cli import main
from ldimport.cli.export import MAP_KEYS, _Sorted
from ldimport.cli.output import lists
from ldimport.migration import StateStore
from ldimport.migration.batch import Envelope, Origin, Outgoing, Parcel
from ldimport.migration.handover import Birth, Contact, birth
from ldimport.migration.redirect import LeftOut, Redirect, WebServer, apache, nginx, redirect_of
from ldimport.migration.store.tables import RedirectTable
from ldimport.model import Asset, Image, JobOptions, JobState, JobStatus, Result, Status

NEW = "https://new.example/i/{}?id=MQk=?format=auto"


def record(
    path: Path, images: dict[str, str], *, name: str = "archiv", status: Status = Status.SUCCESS
) -> None:
    """A state file that knows these ids with their addresses as arrived at ``test``."""
    with StateStore.open(path, write=True) as store:
        archive = store.archive("https://cms.example/api", "cms.example", name)
        assert archive is not None
        every = tuple(
            Outgoing.of(Image(id_, url, f"Title {id_}", {}), n)
            for n, (id_, url) in enumerate(images.items(), 1)
        )
        parcel = Parcel(archive, Envelope(name), JobOptions(), Origin("a.csv", "/a.csv"), every)
        batch = store.record_intent(parcel, f"key-{name}", 1_000.0)
        batch = store.accept(batch, f"job-{name}", 1_001.0)
        results = tuple(
            Result(id_, status, None, None, Asset(f"m{n}", NEW.format(n), NEW.format(n), 10, 20,
                                                  "image/png"))
            for n, id_ in enumerate(images, 1)
        )  # fmt: skip
        store.settle(batch, JobStatus(f"job-{name}", JobState.SUCCESS, None, results), 1_010.0)


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in list(os.environ):
        if name.startswith(("LDIMPORT_", "LI_", "XDG_", "GITHUB_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    path = tmp_path / "state.sqlite"
    monkeypatch.setenv("LDIMPORT_STATE", str(path))
    monkeypatch.chdir(tmp_path)
    return path


HOSTILE = {
    "=1+1": "https://old.example/a.jpg",
    "+49 30": "https://old.example/b.jpg?x=1&y=$host",
    "b\u00e4r": "https://b\u00fccher.example/B\u00e4r;{1}.jpg",
    "quote": "https://old.example/a'b%22c.jpg",
    "local": "images/a.jpg",
}


def test_the_map_in_every_format_has_the_same_rows(
    state: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    record(state, HOSTILE)
    assert main(["export", "map"]) == 0
    out, err = capfd.readouterr()
    rows = list(csv.DictReader(io.StringIO(out)))
    assert tuple(rows[0]) == MAP_KEYS and "5 images" in err
    assert [row["externalId"] for row in rows] == ["'=1+1", "'+49 30", "b\u00e4r", "quote", "local"]
    for form in ("jsonl", "json", "xlsx", "sqlite"):
        assert main(["export", "map", "-o", f"map.{form}"]) == 0
        assert (tmp_path / f"map.{form}").stat().st_mode & 0o777 == 0o600
    lines = [json.loads(line) for line in (tmp_path / "map.jsonl").read_text().splitlines()]
    assert [each["externalId"] for each in lines] == list(HOSTILE)
    assert lines[0]["mediaId"] == "m1" and lines[0]["size"] is None
    assert json.loads((tmp_path / "map.json").read_text())["map"] == lines
    sheet = openpyxl.load_workbook(tmp_path / "map.xlsx").active
    assert sheet["A2"].value == "'=1+1" and sheet["A2"].data_type == "s"
    assert [cell.value for cell in sheet[1]] == list(MAP_KEYS) and sheet.max_row == 6
    with closing(sqlite3.connect(tmp_path / "map.sqlite")) as found:
        found.row_factory = sqlite3.Row
        kept = {row["externalId"]: dict(row) for row in found.execute("SELECT * FROM map")}
        plan = found.execute("EXPLAIN QUERY PLAN SELECT * FROM map WHERE sourceUrl = ''")
        assert "map_source" in plan.fetchone()["detail"]
    assert kept == {each["externalId"]: each for each in lines}


def test_a_file_appears_whole_or_not_at_all(
    state: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    record(state, {"1": "https://old.example/" + "a" * 33_000})
    (tmp_path / "map.xlsx").write_text("before")
    assert main(["export", "map", "-o", "map.xlsx"]) == 2
    assert "no Excel cell can" in capfd.readouterr().err
    assert (tmp_path / "map.xlsx").read_text() == "before"
    assert main(["export", "map", "-o", "map.foo"]) == 2
    assert main(["export", "map", "-o", "nowhere/map.csv"]) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["map.xlsx", "state.sqlite",
                                                                "state.sqlite.lock"]  # fmt: skip


def test_many_rows_take_several_sheets(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(state, {str(n): f"https://old.example/{n}.jpg" for n in range(7)})
    monkeypatch.setattr(lists, "ROWS_OF_A_SHEET", 3)
    assert main(["export", "map", "-o", "map.xlsx"]) == 0
    book = openpyxl.load_workbook(tmp_path / "map.xlsx")
    assert [(sheet.title, sheet.max_row) for sheet in book] == [
        ("map", 4), ("map 2", 4), ("map 3", 2)
    ]  # fmt: skip


def test_without_the_extra_it_says_what_to_install(
    state: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    record(state, HOSTILE)
    monkeypatch.setitem(__import__("sys").modules, "xlsxwriter", None)
    assert main(["export", "map", "-o", "map.xlsx"]) == 4
    assert "pip install '.[xlsx]'" in capfd.readouterr().err


def test_several_archives_stand_side_by_side(
    state: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    record(state, {"1": "https://old.example/1.jpg"})
    record(state, {"1": "https://old.example/other.jpg"}, name="other")
    assert main(["export", "map", "--json"]) == 0
    rows = json.loads(capfd.readouterr().out)["map"]
    assert [(row["externalId"], row["systemName"]) for row in rows] == [
        ("1", "archiv"), ("1", "other")
    ]  # fmt: skip
    assert main(["export", "map", "--system-name", "other"]) == 0
    out, err = capfd.readouterr()
    assert out.count("\n") == 2 and "ldimport export map --all" in err


def test_an_empty_state_gives_an_empty_map(state: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for command in ("map", "redirects", "undo"):
        assert main(["export", command]) == 0
        out, err = capfd.readouterr()
        assert out.count("\n") == 1 and "Nothing has been submitted yet." in err


# -- redirects -----------------------------------------------------------------------------------


def sorted_redirects(state: Path, server: WebServer) -> tuple[RedirectTable, _Sorted]:
    table = RedirectTable()
    found = _Sorted(table)
    with StateStore.open(state, write=False) as store:
        for row in store.results():
            found.add(redirect_of(row), server)
    return table, found


def test_what_has_no_redirect_is_counted(state: Path, capfd: pytest.CaptureFixture[str]) -> None:
    record(state, {**HOSTILE, "twice": "https://old.example/a.jpg#part",
                   "user": "https://me:secret@old.example/c.jpg"})  # fmt: skip
    assert main(["export", "redirects", "--format", "nginx", "-o", "r.conf", "--json"]) == 0
    told = json.loads(capfd.readouterr().out)
    assert (told["redirects"], told["duplicates"]) == (4, 1)
    assert told["leftOut"] == {"local": 1, "no-address": 1}
    assert told["conflicts"][0]["externalIds"] == ["=1+1", "twice"]
    assert main(["export", "redirects"]) == 0
    out, err = capfd.readouterr()
    assert out.splitlines()[0] == "from,to,externalId" and "=1+1, not twice" in err


@pytest.mark.parametrize("goal", ["https://x/\nserver {", 'https://x/";', "https://x/\\", "x"])
def test_a_hostile_address_is_left_out_or_encoded(state: Path, goal: str) -> None:
    record(state, {"1": "https://old.example/1.jpg"})
    with StateStore.open(state, write=False) as store:
        (row,) = store.results()
    found = redirect_of(row._replace(url=goal))
    if isinstance(found, Redirect):
        assert not set(found.goal) & set(' "\\\n{}')
    else:
        assert found is LeftOut.NO_ADDRESS


ADDRESSES = {
    "1": "http://old.example/a.jpg",
    "2": "http://old.example/A.jpg",
    "3": "http://old.example/q.jpg?x=1&y=$host&z=a;b",
    "4": "http://old.example/B\u00e4r%20{x}'(1)|^[2]~.jpg",
    "5": "http://other.example/a.jpg",
    "6": "http://old.example/$uri/\u00e9*+.jpg",
    "7": "http://old.example/" + "long/" * 100 + ".jpg",
}


@contextmanager
def running(command: list[str | Path], port: int) -> Iterator[None]:
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        for _ in range(600):
            assert server.poll() is None, server.communicate()[0]
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.05)
        yield
    finally:
        server.terminate()
        server.communicate(timeout=30)


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


def asked(port: int, host: str, path: str) -> tuple[int, str | None]:
    """Status and Location of an answer."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Host": host})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), NoRedirect)
    try:
        with opener.open(request, timeout=30) as answer:
            return answer.status, None
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers.get("Location")


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def check_all(state: Path, port: int, expected: Callable[[str], str]) -> None:
    table, _ = sorted_redirects(state, WebServer.NGINX)
    with table:
        keys = {each.external_id: each.key for each, _ in table.each()}
    assert keys.keys() == ADDRESSES.keys()
    for id_, key in keys.items():
        host, _, path = key.partition("/")
        assert asked(port, host, f"/{path}") == (301, expected(NEW.format(id_)))
    assert asked(port, "old.example", "/none.jpg")[0] == 404
    assert asked(port, "other.example", "/q.jpg?x=1")[0] == 404


@pytest.mark.skipif(shutil.which("nginx", path="/usr/sbin:/usr/bin") is None, reason="no nginx")
def test_nginx_takes_the_redirects(state: Path, tmp_path: Path) -> None:
    record(state, ADDRESSES)
    assert main(["export", "redirects", "--format", "nginx", "-o", "r.conf"]) == 0
    port, config = free_port(), tmp_path / "nginx.conf"
    paths = " ".join(
        f"{name}_temp_path {tmp_path}/t;"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config.write_text(
        f"daemon off; pid {tmp_path}/pid; error_log {tmp_path}/log; master_process off;\n"
        f"events {{}}\nhttp {{ access_log off; {paths} include {tmp_path}/r.conf;\n"
        f"server {{ listen 127.0.0.1:{port}; server_name _; root {tmp_path}/none;\n"
        "if ($ldimport_redirect) { return 301 $ldimport_redirect; } } }\n"
    )
    nginx_ = shutil.which("nginx", path="/usr/sbin:/usr/bin")
    assert nginx_ is not None
    command: list[str | Path] = [nginx_, "-p", tmp_path, "-c", config]
    checked = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    with running(command, port):
        check_all(state, port, lambda goal: goal)


MODULES = Path("/usr/lib/apache2/modules")


@pytest.mark.skipif(not (MODULES / "mod_rewrite.so").exists(), reason="no Apache")
def test_apache_takes_the_redirects(state: Path, tmp_path: Path) -> None:
    record(state, ADDRESSES)
    assert main(["export", "redirects", "--format", "apache", "-o", "r.txt"]) == 0
    rules = [
        line.removeprefix("#   ")
        for line in (tmp_path / "r.txt").read_text().splitlines()
        if line.startswith("#   ")
    ]
    port, config = free_port(), tmp_path / "apache.conf"
    (tmp_path / "root").mkdir()
    modules = ("mpm_event", "authz_core", "rewrite")
    config.write_text(
        f"ServerRoot {tmp_path}\nListen 127.0.0.1:{port}\nPidFile {tmp_path}/pid\n"
        f"ServerName localhost\nErrorLog {tmp_path}/log\nUser nobody\nGroup nogroup\n"
        + "".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so\n" for name in modules)
        + f"DocumentRoot {tmp_path}/root\n<Directory />\nRequire all granted\n</Directory>\n"
        + "\n".join(rules).replace("/path/to/r.txt", f"{tmp_path}/r.txt")
    )
    for folder in (tmp_path, *list(tmp_path.parents)[:3]):
        folder.chmod(0o755)
    (tmp_path / "r.txt").chmod(0o644)
    program = shutil.which("apache2", path="/usr/sbin")
    assert program is not None
    command: list[str | Path] = [program, "-f", config, "-DFOREGROUND"]
    with running(command, port):
        check_all(state, port, lambda goal: goal)


def test_lines_that_a_server_cannot_read_are_left_out(
    state: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    record(state, {"1": "https://old.example/" + "a" * 1_100, "2": "https://old.example/2.jpg"})
    for server, left in (("nginx", 2), ("apache", 1), ("csv", 2)):
        assert main(["export", "redirects", "--format", server, "-o", "r", "--json"]) == 0
        assert json.loads(capfd.readouterr().out)["redirects"] == left
    longest = max(map(len, (tmp_path / "r").read_text().splitlines()))
    assert longest > 1_000


def test_comments_end_before_the_first_redirect() -> None:
    one = Redirect("old.example/1", "http://old.example/1", "https://new.example/$1", "1")
    lines = "".join(nginx([(one, False)], 1, 20, "r.conf")).splitlines()
    assert lines[-2:] == ['  "old.example/1" "https://new.example/%241";', "}"]
    lines = "".join(apache([(one, False)], "r.txt")).splitlines()
    assert lines[-1] == "old.example/1 https://new.example/$1"
    assert all(line.startswith("#") for line in lines[:-1])


# -- undo ----------------------------------------------------------------------------------------

KNOWN = Contact("t", "archiv", "1", "m1", Status.SUCCESS, 1_800_000_000.0, "job", "m1",
                "2027-01-15T08:00:10Z", 0.0, False, None)  # fmt: skip


@pytest.mark.parametrize(
    ("change", "skew", "wanted"),
    [
        ({}, None, Birth.CREATED),
        ({"created_at": "2027-01-15T08:00:10.500+00:00"}, None, Birth.CREATED),
        ({"created_at": "2027-01-15T07:00:00Z"}, None, Birth.UPDATED),
        ({"created_at": "2027-01-15T07:59:58Z"}, None, Birth.UNKNOWN),
        ({"created_at": "2027-01-15T08:59:58Z", "ahead": 3_600.0}, None, Birth.UNKNOWN),
        ({"created_at": "2027-01-15T09:00:10Z", "ahead": 3_600.0}, None, Birth.CREATED),
        ({"created_at": "2027-01-15T08:30:00Z", "ahead": 3_600.0}, None, Birth.UPDATED),
        ({"ahead": None}, None, Birth.UNKNOWN),
        ({"ahead": None}, 5.0, Birth.CREATED),
        ({"ahead": None}, 60.0, Birth.UNKNOWN),
        ({"first_status": Status.SKIPPED}, None, Birth.UPDATED),
        ({"first_status": Status.SKIPPED, "lost_at": 1_799_999_000.0}, None, Birth.UNKNOWN),
        ({"first_status": Status.FAILED}, None, Birth.CREATED),
        ({"lost_at": 1_799_000_000.0, "created_at": "2027-01-15T07:59:00Z"}, None, Birth.UNKNOWN),
        ({"created_at": None}, None, Birth.UNKNOWN),
        ({"created_at": "yesterday"}, None, Birth.UNKNOWN),
        ({"found_id": "m2"}, None, Birth.UNKNOWN),
        ({"first_status": None}, None, Birth.UNKNOWN),
        ({"missing": True}, None, Birth.MISSING),
    ],
)
def test_only_what_is_proven_counts_as_created(
    change: dict[str, object], skew: float | None, wanted: Birth
) -> None:
    assert birth(replace(KNOWN, **change), skew) is wanted  # type: ignore[arg-type]


def test_without_a_look_nothing_is_proven(state: Path, capfd: pytest.CaptureFixture[str]) -> None:
    record(state, {"1": "https://old.example/1.jpg"})
    assert main(["export", "undo"]) == 0
    out, err = capfd.readouterr()
    assert out.count("\n") == 1 and "1 unknown, left out" in err and "--look-up" in err
