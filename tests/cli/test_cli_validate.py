"""``validate`` from the outside: carets under the right letters, every kind of broken input, and
manifests of several files, packed, piped or changing."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
import zstandard
from cli_screens import pipe, shown, terminal

from ldimport.cli import main
from ldimport.cli.output import check
from ldimport.cli.output.listeners import ReadingProgress
from ldimport.cli.output.text import cells
from ldimport.manifest import ReadOptions, open_manifest
from ldimport.manifest.fields import FieldMap
from ldimport.manifest.write import write_rows
from ldimport.migration.explanations import CODES
from ldimport.migration.validate import validate
from ldimport.model import Json
from ldimport.schema import config
from ldimport.schema.check import Checker, CheckOptions

FIELDS: Json = [
    {"handle": "credit", "type": "li-text", "config": {"required": True}},
    {"handle": "caption", "type": "li-text", "config": {"maxLength": 30}},
    {"handle": "taken", "type": "li-date"},
]
PROJECT: dict[str, Json] = {
    "mediaTypes": [{"handle": "image", "type": "mediaImage", "metadata": FIELDS}]
}
URL = "https://img.example.org/2003/a-rather-long-folder/1.jpg"
HEAD = "id,url,fileName,mediaType,metadata.credit,metadata.caption,metadata.taken\n"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a project config that ``ldimport.yaml`` names."""
    for name in list(os.environ):
        if name.startswith(("LDIMPORT_", "LI_", "XDG_", "GITHUB_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "project.json").write_text(json.dumps(PROJECT))
    (tmp_path / "ldimport.yaml").write_text("projectConfig: project.json\nsystemName: archive\n")
    return tmp_path


Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(home: Path, capsys: pytest.CaptureFixture[str]) -> Call:
    """Run ``ldimport validate`` with these words: exit code, standard output, standard error."""

    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(["validate", *words])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return code, out, err

    return run


def document(call: Call, *words: str) -> dict:  # type: ignore[type-arg]
    """The JSON document of ``validate``."""
    return json.loads(call(*words, "--json", "-q")[1])  # type: ignore[no-any-return]


# -- carets --------------------------------------------------------------------------------


def screen_of(
    path: Path, width: int | None, columns: FieldMap | None = None, **options: bool
) -> str:
    """The findings in a manifest on a terminal of this width, or in a pipe (None)."""
    screen = pipe() if width is None else terminal(width)
    with open_manifest([path], ReadOptions(columns=columns or FieldMap())) as manifest:
        project = config.from_json(PROJECT, origin="tagblatt")
        found = validate(manifest, Checker(project, CheckOptions(**options)))  # type: ignore[arg-type]
        if width is None:
            check.lines(screen, found, warnings=False)
        else:
            check.findings(screen, manifest, found, warnings=False)
    return shown(screen)


def marked(screen: str) -> list[str]:
    """What stands above each row of carets, by columns of the terminal."""
    lines = screen.splitlines()
    found = []
    for above, line in pairwise(lines):
        carets = re.search(r"\^+$", line)
        if carets is None:
            continue
        start = cells(line[: carets.start()])
        text = next(above[n:] for n in range(len(above) + 1) if cells(above[:n]) >= start)
        end = next((n for n in range(len(text) + 1) if cells(text[:n]) >= len(carets[0])), 0)
        found.append(text[:end])
    return found


CELLS = {
    "behind a tab": ["A\ttitle", "imgae", "K", "", ""],
    "behind wide letters": ["東京タワーの夜景", "imgae", "K", "", ""],
    "behind combining letters": ["e\u0301a\u0308o\u0302\u0323", "imgae", "K", "", ""],
    "behind a quoted line break": ['"one\n""two""\nä東"', "imgae", "K", "", ""],
    "behind quoted delimiters": ['"a, b, ""c"""', "imgae", "K", "", ""],
    "wide itself": ["a", "画像", "K", "", ""],
    "at the end of a long line": ["a" * 300, "image", "K", "", "31.02.1998"],
    "in front of a long line": ["a", "imgae", "K" * 300, "", ""],
}


@pytest.mark.parametrize("width", [60, 80, 100])
@pytest.mark.parametrize("name", CELLS)
def test_carets_stand_under_the_value(tmp_path: Path, name: str, width: int) -> None:
    row = ",".join(["1", URL, *CELLS[name]])
    path = tmp_path / "m.csv"
    path.write_text(HEAD + row + "\n", encoding="utf-8")
    screen = screen_of(path, width)
    expected = next(cell for cell in CELLS[name] if cell in ("imgae", "画像", "31.02.1998"))
    assert marked(screen) == [expected]
    assert all(cells(line) <= width for line in screen.splitlines())


OBJECTS: list[dict[str, Json]] = [
    {"id": "1", "url": URL, "fileName": "東京", "mediaType": "image", "metadata": {"credit": "K"}},
    {"id": "2", "url": URL, "fileName": "b", "metadata": {"credit": "K", "taken": "31.02.1998"}},
    {"id": "3", "url": URL, "fileName": "c", "mediaType": "imgae", "metadata": {"credit": "K"}},
]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("form", ["list", "body", "lines"])
def test_values_of_json_are_marked_with_their_path(
    tmp_path: Path, form: str, indent: int | None
) -> None:
    body: Json = {"systemName": "a", "images": list(OBJECTS)}
    text = json.dumps(body if form == "body" else OBJECTS, indent=indent, ensure_ascii=False)
    if form == "lines":
        text = "\n".join(json.dumps(each) for each in OBJECTS)
    path = tmp_path / "m.json"
    path.write_text(text, encoding="utf-8")
    screen = screen_of(path, 80)
    assert marked(screen) == ["31.02.1998", "imgae"]
    root = "images" if form == "body" else ""
    assert f"  {root}[1].metadata.taken" in screen and f"  {root}[2].mediaType" in screen


def test_values_of_yaml_are_marked_with_their_path(tmp_path: Path) -> None:
    write_rows(tmp_path / "m.yaml", OBJECTS)
    screen = screen_of(tmp_path / "m.yaml", 80)
    assert marked(screen) == ["31.02.1998", "imgae"]
    assert "  [1].metadata.taken" in screen


def test_problems_far_apart_in_json_lines_have_their_places(tmp_path: Path) -> None:
    """Each entry is looked up where it stands, in one pass over the file."""
    lines = []
    for n in range(1, 2_001):
        taken = "31.02.1998" if n % 400 == 0 else "1998-02-01"
        metadata: Json = {"credit": "K", "taken": taken}
        lines.append(
            json.dumps({"id": f"{n:04}", "url": URL, "fileName": "a", "metadata": metadata})
        )
    path = tmp_path / "m.jsonl"
    path.write_text("\n".join(lines))
    column = lines[399].index("31.02") + 1
    found = re.findall(r"m\.jsonl:(\d+):(\d+): error\[bad-date\]", screen_of(path, None))
    assert found == [(str(n), str(column)) for n in range(400, 2_001, 400)]


def test_many_problems_are_counted_by_kind_with_an_example(tmp_path: Path) -> None:
    rows = [f"{n % 20},{URL},a,image,{'K' if n % 2 else ''},{'c' * (31 if n % 4 else 3)}," for n in
            range(40)]  # fmt: skip
    path = tmp_path / "m.csv"
    path.write_text(HEAD + "\n".join(rows) + "\n")
    for width in (60, 80, 140):
        screen = screen_of(path, width)
        assert "^" not in screen
        assert all(cells(line) <= width for line in screen.splitlines())
        joined = " ".join(screen.split())
        assert re.search(
            r"20 error\[required\] metadata.credit m.csv:2:\d+ is empty → fill it, or map a column",
            joined,
        )
        assert re.search(r"error\[too-long\] metadata.caption m.csv:3:\d+ has 31", joined)
        assert "error[duplicate-id] id m.csv:22:1 “0” is used twice" in joined


KINDS = {
    "credit": (3, "", "required"),
    "taken": (5, "31.02.2003", "bad-date"),
    "Titel": (7, "", "required"),
    "caption": (11, "c" * 31, "too-long"),
    "Art": (13, "imgae", "unknown-media-type"),
    "Adresse": (17, "ftp://a", "not-a-url"),
    "Nr": (19, "7", "duplicate-id"),
}


def many_kinds(home: Path) -> None:
    """240 rows whose captions have two lines, with errors of more kinds than are shown at once."""
    (home / "ldimport.yaml").write_text(
        "projectConfig: project.json\nsystemName: archive\n"
        "manifest: {id: Nr, url: Adresse, fileName: Titel, mediaType: Art, metadata.credit: Wer}\n"
    )
    rows = []
    for n in range(1, 241):
        row = {"Nr": f"{n:03}", "Adresse": f"https://img.example/{n}.jpg", "Titel": "a",
               "Art": "", "credit": "K", "caption": "one\ntwo",
               "taken": "03/04/2003" if n == 199 else ""}  # fmt: skip
        for name, (step, value, _) in KINDS.items():
            row[name] = value if n % step == 0 else row[name]
        row["Adresse"] = "https://user:pw@img.example/1.jpg" if n == 100 else row["Adresse"]
        row["Titel"] = "a\x07" if n == 50 else row["Titel"]
        rows.append(",".join(f'"{cell}"' for cell in row.values()))
    head = "Nr,Adresse,Titel,Art,Wer,metadata.caption,metadata.taken\n"
    (home / "m.csv").write_text(head + "\n".join(rows) + "\n")


def test_every_kind_can_be_seen_with_an_example_and_what_to_do(call: Call, home: Path) -> None:
    many_kinds(home)
    shown_by_default = call("m.csv")[1]
    every = call("m.csv", "--kinds")[1]
    for _, _, code in KINDS.values():
        assert f"error[{code}]" in every
    for code in ("ambiguous-date", "url-userinfo"):
        assert f"error[{code}]" in every
    assert "warning[invisible-characters]  fileName (column “Titel”)" in every
    assert "error[required]  metadata.credit (column “Wer”)" in every
    assert re.search(r"m.csv:6:\d+ \(row 3\)  is empty", every)
    assert "→ fill it, or map a column: --map credit" in every
    assert "metadata.credit (column “Wer”) is empty" in shown_by_default


def test_a_terminal_shows_groups_and_how_to_see_the_others(home: Path) -> None:
    many_kinds(home)
    screen = screen_of(home / "m.csv", 80, columns=FieldMap.from_config(
        {"id": "Nr", "url": "Adresse", "fileName": "Titel", "mediaType": "Art"}))  # fmt: skip
    assert screen.count("error[") == check.MOST_GROUPS
    assert "--kinds shows all" in " ".join(screen.split())


def test_what_only_publishing_checks_is_said_and_lenient_makes_warnings_of_it(
    tmp_path: Path,
) -> None:
    path = tmp_path / "m.csv"
    path.write_text(HEAD + f"1,{URL},a,image,,{'c' * 31},31.02.1998\n")
    text = "for publishing, and not whether an import checks them: required, too-long"
    for width in (60, 80, None):
        joined = " ".join(screen_of(path, width).split())
        assert text in joined.replace("  ", " ") and "--lenient makes warnings" in joined
    lenient = screen_of(path, None, lenient=True)
    assert "error[bad-date]" in lenient and "error[required]" not in lenient


def test_the_document_says_which_findings_only_publishing_checks(call: Call, home: Path) -> None:
    (home / "m.csv").write_text(HEAD + f"1,{URL},a,image,,,31.02.1998\n")
    body = document(call, "m.csv")
    assert {p["code"]: p["publishing"] for p in body["problems"]} == {
        "required": True, "bad-date": False,
    }  # fmt: skip
    assert {kind["code"]: kind["publishing"] for kind in body["kinds"]} == {
        "required": True, "bad-date": False,
    }  # fmt: skip


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_code_is_explained(home: Path, code: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", code]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{code}  ") and "→" in out


# -- broken input --------------------------------------------------------------------------

GOOD = f"id,url,fileName,metadata.credit\n1,{URL},a,K\n"
BROKEN: dict[str, tuple[str, bytes, int, str]] = {
    "empty": ("m.csv", b"", 3, "is empty"),
    "binary": ("m.csv", bytes(range(256)) * 40, 3, "is not a text file"),
    "wrong encoding": ("m.csv", "id,url\n1,ä\n2,".encode() + b"\xff\n", 3, "byte 0xFF"),
    "a cut archive": ("m.csv.gz", gzip.compress(os.urandom(9_000))[:400], 3, "unpacked"),
    "no archive": ("m.csv.gz", b"\x1f\x8b" + b"x" * 99, 3, "cannot be unpacked"),
    "endless lists": ("m.json", b"[" * 200_000, 3, "ends in the middle"),
    "deep JSON": (
        "m.json",
        b'[{"id":"1","url":"u","fileName":"a","metadata":{"x":' + b"[" * 9_999 + b"]" * 9_999
        + b"}}]",
        3,
        "nested deeper than 100 levels",
    ),
    "deep YAML": ("m.yaml", b"[" * 50_000, 3, "not YAML"),
    "only a header": ("m.csv", b"id,url,fileName\n\n\n", 3, "has a header but no rows"),
    "a webhook that is none": (
        "m.json", b'{"webhook":"ftp://x","images":[{"id":"1"}]}', 3, "webhook must be an http",
    ),
    "a context too large": (
        "m.json",
        json.dumps({"context": {"x": "ü" * 4_100}, "images": [{"id": "1"}]}).encode(),
        3,
        "context is 8,208 bytes of JSON, the limit is 8,192",
    ),
    "an empty systemName": ("m.json", b'{"systemName":" ","images":[{"id":"1"}]}', 3, "is empty"),
    "an invisible systemName": (
        "m.yaml", b'systemName: "a\\u200bb"\nimages: [{id: a}]\n', 3, "invisible characters",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_broken_input_is_one_message_and_its_exit_code(call: Call, home: Path, name: str) -> None:
    file, content, code, message = BROKEN[name]
    (home / file).write_bytes(content)
    found, out, err = call(file)
    assert found == code
    assert message in out + err and file in out + err
    assert len((out + err).splitlines()) < 8


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["nowhere.csv"], 2, "no such file"),
        (["folder"], 3, "holds no manifest"),
        (["*.tsv"], 2, "no file matches"),
        (["good.csv", "--encoding", "klingon"], 2, "no encoding"),
        (["good.csv", "--delimiter", "ab"], 2, "is not one character"),
        (["good.csv", "--delimiter", '"'], 2, "is not one character"),
        (["good.csv", "--map", "id=Nummer"], 3, "no column “Nummer”"),
        (["good.csv", "--map", "id"], 2, "needs a field and a value"),
        (["good.csv", "--project-config", "none.json"], 4, "no project config"),
        (["good.csv", "--project-config", "binary.json"], 4, "not UTF-8"),
        (["good.csv", "--project-config", "folder"], 4, "without index.json"),
        (["good.csv", "--problems", "bad.doc"], 2, "says no format"),
        (["good.csv", "--system-name", "a\tb"], 2, "invisible characters"),
        (["good.csv", "--system-name", "a "], 2, "blanks at its ends"),
    ],
)
def test_wrong_words_are_one_message_and_their_exit_code(
    call: Call, home: Path, words: list[str], code: int, message: str
) -> None:
    (home / "folder").mkdir()
    (home / "good.csv").write_text(GOOD)
    (home / "binary.json").write_bytes(b"\x80\x81")
    found, out, err = call(*words)
    assert (found, out) == (code, "")
    assert message in err


def test_a_million_columns_are_one_notice(call: Call, home: Path) -> None:
    names = ",".join(f"c{n}" for n in range(100_000))
    (home / "m.csv").write_text(
        f"id,url,fileName,metadata.credit,{names}\n1,{URL},a,K{',' * 100_000}\n"
    )
    code, out, err = call("m.csv")
    assert code == 0 and "1 entry, valid" in out
    assert "and 99988 more" in err and len(err) < 400


# -- files ---------------------------------------------------------------------------------


def rows(start: int = 0, count: int = 10) -> list[dict[str, Json]]:
    metadata: Json = {"credit": "K", "caption": "Zürich, 東京"}
    return [{"id": f"id-{n}", "url": URL, "fileName": "a", "metadata": metadata}
            for n in range(start, start + count)]  # fmt: skip


@pytest.mark.parametrize("packing", ["", ".gz", ".zst"])
@pytest.mark.parametrize("name", ["m.csv", "m.tsv", "m.json", "m.jsonl", "m.yaml"])
def test_ten_rows_of_every_format_and_packing(
    call: Call, home: Path, name: str, packing: str
) -> None:
    write_rows(home / name, rows())
    content = (home / name).read_bytes()
    pack = {"": bytes, ".gz": gzip.compress, ".zst": zstandard.ZstdCompressor().compress}
    (home / (name + packing)).write_bytes(pack[packing](content))
    body = document(call, name + packing)
    assert (body["entries"], body["valid"], body["warnings"]) == (10, 10, 0)


@pytest.mark.parametrize("name", ["m.csv", "m.json", "m.yaml"])
def test_standard_input_is_a_manifest_too(
    call: Call, home: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    write_rows(home / name, [*rows(), *rows(count=1)])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO((home / name).read_bytes())))
    body = document(call, "-")
    assert (body["entries"], body["invalid"], body["manifest"]) == (11, 1, "stdin")


@pytest.mark.parametrize("words", [["a.csv", "b.json", "c.yaml"], ["."], ["?.*"]])
def test_duplicates_across_files_folders_and_patterns(
    call: Call, home: Path, words: list[str]
) -> None:
    (home / "project.json").rename(home / "project-config.json")
    (home / "ldimport.yaml").write_text("projectConfig: project-config.json\n")
    write_rows(home / "a.csv", rows(0))
    write_rows(home / "b.json", rows(9))
    write_rows(home / "c.yaml", rows(18))
    body = document(call, *words)
    assert (body["entries"], body["invalid"]) == (30, 2)
    first, second = body["problems"]
    assert (first["code"], first["id"], first["row"]) == ("duplicate-id", "id-9", 11)
    assert first["file"].endswith("b.json") and "a.csv, line 11" in first["message"]
    assert second["file"].endswith("c.yaml") and "b.json" in second["message"]


@pytest.mark.parametrize("name", ["m.csv", "m.jsonl"])
def test_a_manifest_that_grows_meanwhile_ends_with_3(
    call: Call, home: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    write_rows(home / name, rows())

    grown: list[str] = []

    def grow(_reading: ReadingProgress, _at: int) -> None:
        if not grown:
            grown.append(name)
            with (home / name).open("a") as file:
                file.write("\n")

    monkeypatch.setattr(ReadingProgress, "tick", grow)
    code, out, err = call(name, "--problems", "bad.csv")
    assert code == 3 and "changed while it was being read" in err
    assert not (home / "bad.csv").exists() and "valid" not in out


def test_the_document_carries_every_notice(call: Call, home: Path) -> None:
    fields: list[Json] = [{"handle": f"field{n}", "type": f"li-foo{n}"} for n in range(5)]
    image: Json = {"handle": "image", "type": "mediaImage", "metadata": fields}
    (home / "project.json").write_text(json.dumps({"mediaTypes": [image]}))
    (home / "m.csv").write_text(f"id,url,fileName\n1, {URL},a\n")
    told = document(call, "m.csv")["notices"]
    assert sum(each["code"] == "project-config" for each in told) >= 5
    assert {"trimmed", "default-media-type"} <= {each["code"] for each in told}
    shown = call("m.csv")[2]
    assert shown.count("project config: ") == check.MOST_OF_CONFIG + 1
