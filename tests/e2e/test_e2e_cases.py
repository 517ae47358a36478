"""What users of comparable tools reported in public, as inputs of our own: each comes out right, or
is told for what it is."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import unicodedata
from typing import Any

import pytest
from command_line import Ldimport, Origin, photo
from PIL import Image

CONFIG = {
    "mediaTypes": [
        {
            "handle": "image",
            "type": "mediaImage",
            "metadata": [
                {"handle": "title", "type": "li-text"},
                {"handle": "caption", "type": "li-text"},
                {"handle": "people", "type": "li-string-list"},
            ],
        }
    ]
}
HEAD = "id,url,fileName"
ROW = "https://img.example/a.jpg,A"


def drawn(kind: str, width: int = 4) -> bytes:
    """An image of one colour."""
    stream = io.BytesIO()
    Image.new("P", (width, 3)).save(stream, kind)
    return stream.getvalue()


def rows(*lines: str, head: str = HEAD) -> str:
    return "\n".join([head, *lines]) + "\n"


READ: dict[str, tuple[str, str, int, list[str]]] = {
    "a # in a name": (
        "m.csv", rows("1,https://img.example/Photo#1.png,A"), 0, ["hash-in-url", "Photo%231.png"]),
    "a host with hyphens at its ends": (
        "m.csv", rows("1,https://photo-.img.example/a.png,A", "2,https://-a.example/a.png,B"), 0,
        ["2 entries, all valid"]),
    "hosts that are none": (
        "m.csv", rows(*(f"{n},{url},A" for n, url in enumerate([
            "http://example..invalid/a", "http://.example.invalid/a", "http://1.2.3/a",
            f"http://{'b' * 64}.invalid/a", "https://https://img.example/a"]))), 3,
        ["5 errors in 5 of 5 rows"]),
    "one separator of lists for a column": (
        "m.csv", rows(f'1,{ROW},"Muster, Anna|Beispiel, Beat"', f'2,{ROW},"Muster, Anna"',
                      head=f"{HEAD},metadata.people"), 0, ["|"]),
    "names that a comma may part": (
        "m.csv", rows(f'1,{ROW},"Muster, Anna"', f'2,{ROW},"Huber, Rita"',
                      head=f"{HEAD},metadata.people"), 0, ["if “Muster, Anna” is one value"]),
    "a last column without a name": (
        "m.csv", rows(f"1,{ROW},", f"2,{ROW},x", head=f"{HEAD},"), 0, ["has no name", "all valid"]),
    "control characters in texts": (
        "m.csv", rows(f"1,{ROW},first\x1dsecond", f"2,{ROW},one\x0btwo",
                      head=f"{HEAD},metadata.caption"), 0, ["U+001D", "1 warning"]),
    "an invisible character in a header": (
        "m.csv", rows(f"1,{ROW}", head="id,\u200burl,file\u00adName"), 0, ["1 entry, valid"]),
    "blanks and line breaks around": (
        "m.csv", rows('1,"https://img.example/a.jpg \n",A', "2, https://img.example/b.jpg,B"), 0,
        ["blanks around", "all valid"]),
    "ids that a spreadsheet damaged": (
        "m.csv", rows(*(f"{each},{ROW}" for each in [
            "1.23E+11", '"4,892E+92"', "123456.0", "#REF!", "#N/A", "#NAME?", "nan", "NULL"])), 0,
        ["8 warnings", "id-damaged"]),
    "words for nothing": (
        "m.csv", rows(*(f"{n},{ROW},NULL" for n in range(12)), head=f"{HEAD},metadata.caption"), 0,
        ["12", "NULL", "1 warning"]),
    "empty cells at the end left out": (
        "m.csv", rows(f"1,{ROW},text,Anna", f"2,{ROW}", f"3,{ROW},text",
                      head=f"{HEAD},metadata.caption,metadata.people"), 0,
        ["3 entries, all valid"]),
    "several addresses in one cell": (
        "m.csv", rows("1,https://img.example/a.jpg;https://img.example/b.jpg,A"), 3,
        ["several-addresses", "2 addresses"]),
    "two exports joined": (
        "m.csv", rows(f"1,{ROW}") + "\ufeff" + rows(f"2,{ROW}"), 3, ["header", ":3"]),
    "pretty JSON called JSON Lines": (
        "m.jsonl", "".join(json.dumps({"id": f"{n}", "url": "https://img.example/a.jpg",
                                       "fileName": "A"}, indent=2) + "\n" for n in range(3)), 0,
        ["3 entries, all valid"]),
    "an array called JSON Lines": (
        "m.jsonl", json.dumps([{"id": "1", "url": "https://img.example/a.jpg",
                                "fileName": "A"}]), 0, ["1 entry, valid"]),
    "a comment before the array": (
        "m.json", '// export\n[{"id": "1", "url": "https://img.example/a", "fileName": "A"}]', 3,
        ["comment"]),
    "entries below another key": (
        "m.json", json.dumps({"items": [{"id": "1", "url": "https://img.example/a.jpg",
                                         "fileName": "A"}]}), 0, ["1 entry, valid", "items"]),
    "a text that holds JSON": (
        "m.json", json.dumps(json.dumps([{"id": "1"}])), 3, ["text"]),
}  # fmt: skip
"""By what was reported: file, content, exit code of ``validate``, and what it says."""


@pytest.fixture
def project(run: Ldimport) -> Ldimport:
    """A command line whose folder has a project config."""
    (run.folder / "pc.json").write_text(json.dumps(CONFIG))
    run.env["LDIMPORT_PROJECT_CONFIG"] = "pc.json"
    return run


@pytest.mark.parametrize("reported", READ)
def test_what_is_read(project: Ldimport, reported: str) -> None:
    name, content, code, says = READ[reported]
    (project.folder / name).write_text(content, "utf-8")
    done = project("validate", name, "--warnings", code=code)
    told = done.stdout + done.stderr
    assert not [each for each in says if each not in told], told


def test_a_folder_is_its_manifests_and_not_the_project_config(project: Ldimport) -> None:
    place = project.folder / "archive"
    place.mkdir()
    (project.folder / "pc.json").rename(place / "index.json")
    del project.env["LDIMPORT_PROJECT_CONFIG"]
    (place / "ldimport.yaml").write_text("projectConfig: index.json\n")
    (place / "a.csv").write_text(rows(f"1,{ROW}"))
    assert "1 entry, valid" in project("validate", place).stdout


def test_names_on_disk_are_found_in_the_other_form_and_case(project: Ldimport) -> None:
    """What Excel writes composed, a Mac has decomposed; only the case of one differs."""
    names = {"Zürich.png": unicodedata.normalize("NFD", "Zürich.png"), "img_1.png": "IMG_1.PNG"}
    for found in names.values():
        (project.folder / found).write_bytes(drawn("PNG"))
    path = project.folder / "m.csv"
    path.write_text(rows(*(f"{n},{each},A" for n, each in enumerate(names))), "utf-8")
    assert "all valid" in project("validate", path).stdout
    assert project.json("submit", path, "--yes")["totals"]["success"] == 2


@pytest.mark.parametrize("encoding", ["iso-8859-1", "ascii"])
def test_any_locale_will_do(project: Ldimport, encoding: str) -> None:
    path = project.folder / "m.csv"
    path.write_text(rows("1,bild – 1.png,தொகுதி"), "utf-8")
    project.env |= {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    project.env["PYTHONIOENCODING"] = encoding
    for words in (["validate", path], ["submit", path, "--yes"], ["results"], ["status"]):
        command = project.command(*words)
        done = subprocess.run(command, cwd=project.folder, env=project.env, capture_output=True)
        assert done.returncode in (0, 1), done.stderr
        assert b"Error" not in done.stderr


def test_names_of_files_and_columns_in_any_locale(project: Ldimport) -> None:
    """Python takes names by the locale: they are UTF-8 all the same, also in JSON."""
    (project.folder / "Zürich – தமிழ்.png").write_bytes(drawn("PNG"))
    path = project.folder / "Übersicht – ü.csv"
    path.write_text(rows("1,Zürich – தமிழ்.png,A,“Straße” – ü", head=f"{HEAD},Bild–Text"), "utf-8")
    project.env |= {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}

    def told(*words: str) -> dict[str, Any]:
        command = [*project.command(*words), "--map", "metadata.caption=Bild–Text", "--json"]
        done = subprocess.run(command, cwd=project.folder, env=project.env, capture_output=True)
        assert done.returncode in (0, 3), done.stderr
        last: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return last

    found = told("validate", path.name)
    assert (found["valid"], found["warnings"], found["manifest"]) == (1, 0, path.name)
    assert told("submit", path.name, "--yes")["totals"]["success"] == 1
    wrong = told("validate", path.name, "--set", "metadata.“x”=a")
    assert "“x”" in wrong["message"]


LABELS = ["aws-chunked", "none", "UTF-8", "binary", "8bit", "image/png"]


def test_what_is_fetched(project: Ldimport, origin: Origin) -> None:
    """Labels that name no compression, gzip that nobody asked for, a cookie, files with small
    damage: all are images; a note says what was odd."""
    origin.headers |= {f"{n}.png": {"Content-Encoding": each} for n, each in enumerate(LABELS)}
    svg = b'<svg xmlns="http://www.w3.org/2000/svg" width="4" height="3"/>'
    image, frames, drawing = photo(1), drawn("GIF"), drawn("PNG")
    text = b"\0\0\0\7tEXtTitle\0x\0\0\0\0"  # its checksum is wrong
    files = {
        **{f"{n}.png": drawn("PNG", n + 1) for n in range(len(LABELS))},
        "gz.svg": gzip.compress(svg),
        "crc.png": drawing[:-12] + text + drawing[-12:],
        "end.gif": frames[:-1],
        "stray.jpg": image[:2] + b"\0" + image[2:],
        "utf16.svg": b'<?xml version="1.0" encoding="utf-16"?>' + svg,
    }
    origin.headers["gz.svg"] = {"Content-Encoding": "gzip"}
    origin.files |= files
    path = project.folder / "m.csv"
    path.write_text(rows(*(f"{each},{origin.url(each)},A" for each in files)))
    project("submit", path, "--yes", "--allow-host", origin.host)
    results = {each["externalId"]: each for each in project.json("results")["results"]}
    assert {each["status"] for each in results.values()} == {"success"}
    noted = {name: each["cause"] for name, each in results.items() if each["cause"]}
    assert noted == {
        "gz.svg": "unpacked",
        "crc.png": "damaged-chunk",
        "end.gif": "no-end-mark",
        "stray.jpg": "stray-bytes",
    }


def test_ids_that_lost_their_zeros_are_told_before_they_are_sent(project: Ldimport) -> None:
    (project.folder / "a.png").write_bytes(drawn("PNG"))
    for name, ids in {"one": ["0042", "0043"], "two": ["42", "43"]}.items():
        lines = [f"{each},a.png,A" for each in ids]
        (project.folder / f"{name}.csv").write_text(rows(*lines))
    project("submit", "one.csv", "--yes", "--system-name", "archive")
    for command in ("plan", "submit"):
        done = project(command, "two.csv", "--system-name", "archive")
        assert "id “42” is new, and “0042” was sent before (1 more row like it)" in done.stderr
