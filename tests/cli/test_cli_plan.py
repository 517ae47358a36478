"""See before sending: what ``plan`` tells of a manifest, and entries as they would be sent."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_screens import NOW, pipe, shown, terminal

from ldimport.cli import main
from ldimport.cli.output import preview
from ldimport.cli.output.text import cells
from ldimport.migration.plan import Preview
from ldimport.net.guard import Guard, refused_places

CONFIG = {
    "mediaTypes": [
        {
            "handle": "image",
            "type": "mediaImage",
            "metadata": [
                {"handle": "title", "type": "li-text"},
                {"handle": "caption", "type": "li-text"},
                {"handle": "credit", "type": "li-text"},
                {"handle": "keywords", "type": "li-string-list"},
                {"handle": "shot", "type": "li-integer"},
            ],
        }
    ]
}
HEADER = "id,url,fileName,metadata.caption,metadata.keywords,metadata.shot,Fotograf"
MAP = ("--map", "credit=Fotograf")
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Call:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "LDIMPORT_TARGET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))

    def run(*words: str) -> tuple[int, str, str]:
        capfd.readouterr()
        code = main([*words, "--project-config", "config.json"])
        return (code, *capfd.readouterr())

    return run


def write(*rows: str, name: str = "archive.csv") -> None:
    Path(name).write_text("\n".join([HEADER, *rows]) + "\n")


def row(n: int, caption: str = "c", host: str = "127.0.0.1:9", shot: str = "2003") -> str:
    return f'id-{n},http://{host}/{n}.jpg,Photo {n},{caption},"Rhein, Wasser",{shot},Muster {n}'


def test_entries_are_shown_as_they_would_be_sent_beside_their_rows(call: Call) -> None:
    write(row(1), row(2), row(3))
    code, out, _ = call("plan", "archive.csv", *MAP, "--show", "2", "--json")
    first, second = json.loads(out)["entriesShown"]
    assert (code, second["id"], second["verdict"]) == (0, "id-2", "new")
    assert first["body"] == {
        "id": "id-1",
        "url": "http://127.0.0.1:9/1.jpg",
        "fileName": "Photo 1",
        "mediaType": "image",
        "metadata": {
            "caption": "c", "credit": "Muster 1", "keywords": ["Rhein", "Wasser"], "shot": 2003,
        },
    }  # fmt: skip
    assert first["original"]["Fotograf"] == "Muster 1"
    assert first["original"]["metadata.keywords"] == "Rhein, Wasser"
    text = call("plan", "archive.csv", *MAP, "--show", "1")[1]
    assert '"shot": 2003' in text and "metadata.shot: 2003" in text and "id-2" not in text


PREVIEW = Preview(
    "2003-04511", 12, 13, "changed",
    {"id": "2003-04511", "url": "https://img.tagblatt.example/" + "a/" * 40 + "1.jpg",
     "fileName": "Rhein", "metadata": {"caption": "Der Rheinfall " * 12, "shot": 2003}},
    {"Bildnummer": "2003-04511", "Legende": "Der Rheinfall " * 12, "Jahr": "2003", "leer": ""},
    ("caption", "url"),
)  # fmt: skip


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_an_entry_is_readable_at_any_width_and_loses_nothing(width: int) -> None:
    screen = terminal(width)
    preview.show(screen, PREVIEW)
    lines = shown(screen).splitlines()
    assert max(map(cells, lines)) <= width
    assert lines[0].startswith("2003-04511  row 12, line 13  ~ changed: caption, url")
    assert "as it is sent" in lines[1] and "in the manifest" in lines[1]
    squeezed = "".join(shown(screen).split())
    assert squeezed.count("Rheinfall") == 24 and "…" not in squeezed
    wide = pipe()
    preview.show(wide, PREVIEW)
    assert f'      "url": "{PREVIEW.body["url"]}",' in shown(wide).splitlines()  # type: ignore[index,call-overload]


def test_a_plan_names_the_fields_that_changed(call: Call, tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"no image, which is all the same here")
    before = [f'id-{n},x.png,Photo {n},caption {n},"a, b",{n},Muster' for n in range(20)]
    write(*before)
    call("submit", "archive.csv", *MAP)
    after = [line.replace("caption", "other") if n else line for n, line in enumerate(before)]
    after[3] = after[3].replace("x.png", "y.png").replace('"a, b"', "a")
    (tmp_path / "y.png").write_bytes(b"another")
    write(*after)
    _, out, _ = call("plan", "archive.csv", *MAP, "--json")
    assert json.loads(out)["fields"] == {"caption": 19, "url": 1, "keywords": 1}
    text = call("plan", "archive.csv", *MAP, "--show", "3")[1]
    assert "changed  caption 19 · url 1 · keywords 1" in text
    assert "~ changed: url, caption, keywords" in text or "~ changed: caption" in text
    write(*before)
    (tmp_path / "x.png").write_bytes(b"other bytes under the same name")
    _, out, _ = call("plan", "archive.csv", *MAP, "--json")
    assert json.loads(out)["fields"] == {"content of the file": 20}


def test_a_plan_names_hosts_that_will_be_refused_and_the_way_in(call: Call) -> None:
    write(row(1), row(2), row(3, host="10.1.2.3"))
    code, out, _ = call("plan", "archive.csv", *MAP)
    told = " ".join(out.split())
    assert code == 0
    assert "! 127.0.0.1:9 will be refused, port 9 is not a web port (2 images)" in told
    assert "if it is meant: --allow-host 127.0.0.1:9" in told
    assert "! 10.1.2.3 will be refused, it leads to" in told
    allowed = ("--allow-host", "127.0.0.1:9")
    found = json.loads(call("plan", "archive.csv", *MAP, "--json", *allowed)[1])["refusedHosts"]
    assert [*found] == ["10.1.2.3"]
    assert (found["10.1.2.3"]["images"], found["10.1.2.3"]["option"]) == (
        1, "--allow-host 10.1.2.3"
    )  # fmt: skip


def test_the_next_command_sends_what_was_planned(call: Call) -> None:
    write(row(1), row(2))
    allowed = ("--allow-host", "127.0.0.1:9")
    (planned,) = re.findall(
        "→ ldimport submit (.*)   send 2", call("plan", "archive.csv", *MAP, *allowed)[1]
    )
    for words in ("--map credit=Fotograf", "--project-config config.json", " ".join(allowed)):
        assert words in planned
    dry = call("submit", "archive.csv", *MAP, *allowed, "--dry-run", "--limit", "1")[1]
    (limited,) = re.findall("→ ldimport submit (.*)   send 1", dry)
    assert sorted(limited.split()) == sorted([*planned.split(), "--limit", "1"])


def test_names_are_resolved_to_see_whether_they_are_refused() -> None:
    def resolve(host: str, port: int) -> list[str]:
        known = {"inside.example": ["10.0.0.7"], "outside.example": ["93.184.216.34"]}
        if host not in known:
            raise OSError("no such name")
        return known[host]

    guard = Guard(["allowed.example"], resolve=resolve)
    places = ["outside.example", "inside.example", "unknown.example", "", "[::1]:8080"]
    found = refused_places(guard, places)
    assert [*found] == ["inside.example", "[::1]:8080"]
    assert "private" in found["inside.example"]


def test_a_plan_waits_for_no_resolver() -> None:
    import threading

    gate = threading.Event()

    def resolve(host: str, port: int) -> list[str]:
        gate.wait()
        return ["10.0.0.1"]

    assert refused_places(Guard(resolve=resolve), ["slow.example"], seconds=0.01) == {}
    gate.set()


def token(ends: float) -> str:
    body = base64.urlsafe_b64encode(json.dumps({"exp": ends}).encode()).decode().rstrip("=")
    return f"head.{body}.tail"


@pytest.mark.parametrize(("ends", "said"), [(4e9, "ends 2096-10-02T07:06:40Z"),
                                            (NOW - 4e8, "ended 20")])  # fmt: skip
def test_a_plan_says_when_the_token_ends(
    call: Call, monkeypatch: pytest.MonkeyPatch, ends: float, said: str
) -> None:
    monkeypatch.setenv("LDIMPORT_TOKEN", token(ends))
    write(row(1))
    there = ("--target", "https://edit.example", "--system-name", "x")
    assert f"token    {said}" in call("plan", "archive.csv", *MAP, *there)[1]
    document: dict[str, Any] = json.loads(call("plan", "archive.csv", *MAP, *there, "--json")[1])
    assert document["tokenExpiresAt"].endswith("Z")


def test_explain_shows_the_row_that_is_meant_and_ids_win(call: Call) -> None:
    write(row(7), row(8), row(2), row(9, shot="no year"), "2" + row(4)[4:])
    words = ("--manifest", "archive.csv", *MAP, "--json")

    def entry(what: str) -> dict[str, Any]:
        code, out, err = call("explain", what, *words)
        assert code == 0, err
        return json.loads(out)["entry"]  # type: ignore[no-any-return]

    assert (entry("id-8")["row"], entry("1")["id"]) == (2, "id-7")
    assert entry("2")["row"] == 5, "there is an id 2, and it wins over row 2"
    broken = entry("4")
    assert (broken["verdict"], broken["body"]) == ("invalid", None)
    assert broken["problems"][0]["field"] == "metadata.shot"
    code, _, err = call("explain", "77", *words)
    assert code == 2 and "neither an id nor the number of a row in archive.csv" in err
    code, _, err = call("explain", "77")
    assert code == 2 and "ldimport explain 77 --manifest FILE" in err


def test_explain_tells_what_became_of_the_row_too(call: Call) -> None:
    write(row(1), row(2))
    call("submit", "archive.csv", *MAP)
    _, out, _ = call("explain", "2", "--manifest", "archive.csv", *MAP)
    assert "✗ failed before" in out and "as it is sent" in out
    assert "address not allowed" in out, "what became of the image of that row"
    assert "Exit code" not in out, "a row was asked for, no code"
    assert "Exit code" in call("explain", "2")[1]


def test_a_dry_run_is_a_plan(call: Call) -> None:
    write(row(1), row(2), row(3))
    options = ("archive.csv", *MAP, "--json")
    plan = json.loads(call("plan", *options)[1])
    code, out, _ = call("submit", *options, "--dry-run")
    assert (code, json.loads(out)) == (0, plan)
    limited = json.loads(call("submit", *options, "--dry-run", "--limit", "2")[1])
    assert (limited["limit"], limited["sources"]) == (2, {"127.0.0.1:9": 2})
    assert json.loads(call("status", "--json")[1])["jobs"] == []
