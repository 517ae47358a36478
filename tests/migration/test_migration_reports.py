"""The files that a check leaves behind: complete or absent, and read back as what was found."""

from __future__ import annotations

import csv
import io
import json
import os
import tracemalloc
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import jsonschema
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from reporting import (
    ARCHIVE,
    archive,
    cases_of,
    error,
    found_in,
    judge,
    many,
    row_of,
    told,
    warning,
)

from ldimport.cells import bare_cell
from ldimport.errors import TemporaryError, UsageError
from ldimport.manifest import open_manifest
from ldimport.migration.reports import files, junit, sarif
from ldimport.migration.reports.files import COLUMNS, Files, Reports
from ldimport.migration.reports.junit import xml_text
from ldimport.migration.reports.sarif import uri_of
from ldimport.migration.validate import FindingGroup, Validation
from ldimport.model import Entry, Place, Problem, Severity
from ldimport.schema.check import Checked


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


# -- lists of problems ---------------------------------------------------------------------


def test_csv_holds_every_problem_in_order(tmp_path: Path) -> None:
    with archive(tmp_path) as manifest:
        told(manifest, Files(problems=tmp_path / "p.csv"))
    assert (tmp_path / "p.csv").read_bytes().startswith(b"severity,code,file,row,")
    with (tmp_path / "p.csv").open(encoding="utf-8-sig", newline="") as file:
        first, second = csv.DictReader(file)
    assert first == {
        "severity": "error",
        "code": "not-a-url",
        "file": str(tmp_path / "archive.csv"),
        "row": "2",
        "line": "3",
        "column": "",
        "id": "2",
        "field": "url",
        "message": "not a URL",
        "hint": "begin it with https://",
    }
    assert (second["severity"], second["row"]) == ("warning", "3")


def test_a_file_that_cannot_be_begun_leaves_nothing_of_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise TemporaryError("no room")

    monkeypatch.setitem(files._REPORTS, "--junitxml", broken)
    with archive(tmp_path) as manifest:
        before = {*tmp_path.iterdir()}
        wanted = Files(problems=tmp_path / "p.csv", junitxml=tmp_path / "r.xml")
        with pytest.raises(TemporaryError), Reports(manifest, wanted):
            raise AssertionError("must not be entered")
        assert {*tmp_path.iterdir()} == before


@pytest.mark.parametrize("sign", [",", ";"])
def test_a_csv_is_the_same_whatever_the_manifest_has(tmp_path: Path, sign: str) -> None:
    names = {"problems": "p.csv", "write_valid": "v.csv", "write_invalid": "i.csv"}
    paths = {option: tmp_path / name for option, name in names.items()}
    for excel, starts in ((False, (b"severity,", b"id,")), (True, (b"severity;", b"id;"))):
        with archive(tmp_path, "\ufeff" + ARCHIVE.replace(",", sign)) as manifest:
            told(manifest, Files(**paths, excel=excel))
        for path in paths.values():
            content = path.read_bytes()
            assert content.startswith(b"\xef\xbb\xbf") is excel
            assert content.removeprefix(b"\xef\xbb\xbf").startswith(starts), path


def test_json_lines_and_json_say_the_same(tmp_path: Path) -> None:
    with archive(tmp_path) as manifest:
        told(manifest, Files(problems=tmp_path / "p.jsonl"))
        told(manifest, Files(problems=tmp_path / "P.JSON"))
    lines = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()]
    document = json.loads((tmp_path / "P.JSON").read_text())
    assert document.pop("problems") == lines
    assert [(each["code"], each["row"], each["line"]) for each in lines] == [
        ("not-a-url", 2, 3),
        ("unlikely-type", 3, 4),
    ]
    assert document == {
        "format": 1,
        "manifest": str(tmp_path / "archive.csv"),
        "entries": 3,
        "valid": 2,
        "invalid": 1,
        "warnings": 1,
        "problemsShown": 2,
    }


def test_nothing_found_is_a_complete_file_too(tmp_path: Path) -> None:
    for name in ("p.csv", "p.jsonl", "p.json", "p.sarif"):
        with archive(tmp_path) as manifest:
            told(manifest, Files(problems=tmp_path / name), lambda entry: [])
    assert (tmp_path / "p.csv").read_text("utf-8-sig").split() == [",".join(COLUMNS)]
    assert (tmp_path / "p.jsonl").read_text() == ""
    assert json.loads((tmp_path / "p.json").read_text())["problems"] == []
    assert json.loads((tmp_path / "p.sarif").read_text())["runs"][0]["results"] == []


@pytest.mark.parametrize("name", ["p.csv", "p.jsonl", "p.json", "p.sarif"])
def test_memory_does_not_grow_with_problems(tmp_path: Path, name: str) -> None:
    with archive(tmp_path) as manifest, Reports(manifest, Files(tmp_path / name)) as reports:
        entry = next(manifest.entries())
        row = row_of(entry, *(warning("unlikely-type", entry, "url", "?" * 200) for _ in range(10)))
        assert reports.sink is not None
        reports.sink(row)
        tracemalloc.start()
        for _ in range(3_000):
            reports.sink(row)
        reports.finish(found_in([row]))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 1_000_000  # the text of all would be 10 MB


# -- SARIF ---------------------------------------------------------------------------------

SHAPE = json.loads(Path(__file__).with_name("sarif_shape.json").read_text())
"""What is used of the published schema of SARIF 2.1.0, with nothing else allowed."""


def sarif_run(path: Path) -> dict[str, object]:
    """The one run of a SARIF file that has the published structure."""
    document = json.loads(path.read_text(encoding="utf-8"))
    jsonschema.validate(document, SHAPE)
    return document["runs"][0]


def test_sarif_has_a_rule_for_each_code_and_a_place_for_each_result(tmp_path: Path) -> None:
    def find(entry: Entry) -> list[Problem]:
        return [replace(each, place=each.place._replace(column=5)) for each in judge(entry)] * 2

    with archive(tmp_path, name="bilder à 100 %.csv") as manifest:
        told(manifest, Files(problems=tmp_path / "p.sarif"), find)
    run = sarif_run(tmp_path / "p.sarif")
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["not-a-url", "unlikely-type"]
    results = run["results"]
    assert [rules[each["ruleIndex"]]["id"] for each in results] == [
        each["ruleId"] for each in results
    ]
    assert [each["level"] for each in results] == ["error", "error", "warning", "warning"]
    assert results[0]["message"]["text"] == "not a URL (begin it with https://)"
    location = results[0]["locations"][0]["physicalLocation"]
    assert location["artifactLocation"]["uri"] == "bilder%20%C3%A0%20100%20%25.csv"
    assert location["region"] == {"startLine": 3, "startColumn": 5}
    assert run["invocations"] == [{"executionSuccessful": True}]


def test_sarif_stops_where_github_does_and_keeps_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sarif, "MOST_RESULTS", 10)

    def find(entry: Entry) -> list[Problem]:
        bad = int(entry.id) > 12  # eight errors, after twelve warnings
        return [(error if bad else warning)("not-a-url", entry, "url", "not a URL")]

    with archive(tmp_path, many(20)) as manifest:
        told(manifest, Files(problems=tmp_path / "p.sarif"), find)
    run = sarif_run(tmp_path / "p.sarif")
    assert [each["level"] for each in run["results"]] == ["error"] * 8 + ["warning"] * 2
    note = run["invocations"][0]["toolExecutionNotifications"][0]
    assert note["message"]["text"].startswith("10 problems left out")


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0/\\"), min_size=1))
def test_a_relative_uri_names_the_file_again(name: str) -> None:
    if name not in (".", ".."):
        assert unquote(uri_of(f"data/{name}")) == f"data/{name}"
        assert ":" not in uri_of(name)


def test_a_file_elsewhere_keeps_its_whole_uri() -> None:
    assert uri_of("/elsewhere/a b.csv") == "file:///elsewhere/a%20b.csv"


# -- rows ----------------------------------------------------------------------------------


def test_rows_are_told_apart_with_all_their_columns(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    with archive(tmp_path) as manifest:
        told(manifest, Files(write_valid=good, write_invalid=bad))
    assert good.read_text().splitlines() == [
        "id,url,fileName,Rubrik",
        "1,https://a.b/1.jpg,A,R",
        "3,https://a.b/3.tif,C,T",
    ]
    assert bad.read_text().splitlines() == [
        "id,url,fileName,Rubrik,_problem,_problems",
        "2,N/A,B,S,not a URL,not a URL [not-a-url]",
    ]


def test_rows_are_written_alike_whatever_the_manifest_had(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("id;url;fileName\n1;N/A;Zürich\n".encode("cp1252"))
    with open_manifest([tmp_path / "a.csv"]) as manifest:
        told(manifest, Files(write_invalid=tmp_path / "bad.csv"))
    first = (tmp_path / "bad.csv").read_text("utf-8").splitlines()[1]
    assert first == "1,N/A,Zürich,not a URL,not a URL [not-a-url]"


def test_what_is_fixed_in_the_invalid_rows_is_a_manifest_again(tmp_path: Path) -> None:
    with archive(tmp_path) as manifest:
        told(manifest, Files(write_invalid=tmp_path / "bad.jsonl"))
    fixed = (tmp_path / "bad.jsonl").read_text().replace("N/A", "https://a.b/2.jpg")
    (tmp_path / "bad.jsonl").write_text(fixed)
    with open_manifest([tmp_path / "bad.jsonl"]) as manifest:
        (entry,) = manifest.entries()
        assert (entry.id, entry.url, judge(entry)) == ("2", "https://a.b/2.jpg", [])
        assert not entry.problems


# -- JUnit ---------------------------------------------------------------------------------


def test_a_case_of_many_rows_says_what_they_have_in_common() -> None:
    place = Place(row=1, line=2, column=3, file="a.csv")
    kinds = [
        FindingGroup("too-long", "metadata.credit", Severity.ERROR, 2, place, "x", "has 200", "",
                     varied=varied)
        for varied in (True, False)
    ]  # fmt: skip
    varied, same = (
        junit.check_cases("a.csv", Validation(2, 2, 0, (kind,), ()), {})[0] for kind in kinds
    )
    assert varied.failure == "2 rows: metadata.credit: a text is too long"
    assert varied.details.startswith("the first: has 200\n")
    assert same.failure == "2 rows: has 200"


def test_junit_has_one_case_for_each_check(tmp_path: Path) -> None:
    with archive(tmp_path, many(25) + "x,https://a.b/3.tif\n") as manifest:
        told(manifest, Files(junitxml=tmp_path / "j.xml"))
    cases = cases_of(tmp_path / "j.xml")
    assert list(cases) == ["not-a-url url", "unlikely-type url"]
    failure = cases["not-a-url url"].find("failure")
    assert failure is not None
    assert failure.attrib["message"] == "25 rows: not a URL"
    lines = (failure.text or "").splitlines()
    assert lines[0] == f"{tmp_path / 'archive.csv'}:2"
    assert len([line for line in lines if line.startswith(str(tmp_path))]) == 20
    assert lines[20:] == ["and 5 more", "begin it with https://"]
    warned = cases["unlikely-type url"]
    assert warned.find("failure") is None
    assert "1 row: ends in .tif" in (warned.findtext("system-out") or "")


def test_junit_of_a_good_manifest_is_one_passing_case(tmp_path: Path) -> None:
    with archive(tmp_path) as manifest:
        told(manifest, Files(junitxml=tmp_path / "j.xml"), lambda entry: [])
    (case,) = cases_of(tmp_path / "j.xml").values()
    assert case.attrib["name"] == f"check of {tmp_path / 'archive.csv'}"
    assert case.find("failure") is None


def test_junit_is_bounded_whatever_the_fields(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(junit, "MOST_CASES", 5)
    with archive(tmp_path, many(100)) as manifest:
        told(
            manifest,
            Files(junitxml=tmp_path / "j.xml"),
            lambda entry: [error("unknown", entry, f"metadata.{entry.id}", "?")],
        )
    cases = cases_of(tmp_path / "j.xml")
    assert len(cases) == 6
    failure = cases["more checks"].find("failure")
    assert failure is not None
    assert failure.attrib["message"] == "95 more checks found something"


# -- complete or absent --------------------------------------------------------------------

ALL = {
    "problems": "p.json",
    "write_valid": "good.csv",
    "write_invalid": "bad.csv",
    "junitxml": "j.xml",
}


@pytest.mark.parametrize("stop", [KeyboardInterrupt, ValueError, None])
def test_files_appear_only_when_complete(tmp_path: Path, stop: type[BaseException] | None) -> None:
    def check(reports: Reports, row: Checked) -> None:
        assert reports.sink is not None
        reports.sink(row)
        if stop is not None:
            raise stop

    for name in ALL.values():
        (tmp_path / name).write_text("as before")
    asked = Files(**{key: tmp_path / name for key, name in ALL.items()})
    with archive(tmp_path) as manifest:
        row = row_of(next(manifest.entries()))
        stopping = nullcontext() if stop is None else pytest.raises(stop)
        with stopping, Reports(manifest, asked) as reports:
            check(reports, row)
    assert all((tmp_path / name).read_text() == "as before" for name in ALL.values())
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"archive.csv", *ALL.values()}


def test_no_file_wants_no_rows(tmp_path: Path) -> None:
    with archive(tmp_path) as manifest:
        with Reports(manifest, Files()) as reports:
            assert reports.sink is None
            reports.finish(found_in([]))
        for asked, every in (
            (Files(write_valid=Path("a.csv")), True),
            (Files(Path("p.csv")), False),
        ):
            with Reports(manifest, asked) as reports:
                assert reports.sink is not None
                assert reports.sink.every_row is every


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({"problems": "p.xls"}, "the ending says no format"),
        ({"problems": "p"}, "the ending says no format"),
        ({"write_valid": "g.txt"}, "the ending says no format"),
        ({"write_invalid": "g.csv.gz"}, "the ending says no format"),
        ({"problems": "no/p.csv"}, "no: no such folder"),
        ({"junitxml": "no/j.xml"}, "no: no such folder"),
        ({"junitxml": "."}, "is a folder"),
        ({"problems": "a.json", "junitxml": "./a.json"}, "--junitxml a.json is also"),
        ({"write_valid": "archive.csv"}, "--write-valid archive.csv is the manifest itself"),
        ({"write_invalid": "link.csv"}, "is the manifest itself"),
    ],
)
def test_what_cannot_be_written_is_said_before_the_check(
    tmp_path: Path, asked: dict[str, str], text: str
) -> None:
    (tmp_path / "link.csv").symlink_to(tmp_path / "archive.csv")
    files = Files(**{key: Path(name) for key, name in asked.items()})
    with (
        archive(tmp_path) as manifest,
        pytest.raises(UsageError, match=text),
        Reports(manifest, files),
    ):
        raise AssertionError("the check began")
    assert {path.name for path in tmp_path.iterdir()} == {"archive.csv", "link.csv"}
    assert (tmp_path / "archive.csv").read_text() == ARCHIVE


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_temporary_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fdopen

    def full(descriptor: int, *arguments: Any, **options: Any) -> object:
        os.dup2(device, descriptor)
        return real(descriptor, *arguments, **options)

    device = os.open("/dev/full", os.O_WRONLY)
    monkeypatch.setattr(os, "fdopen", full)
    with archive(tmp_path) as manifest, pytest.raises(TemporaryError, match="cannot be written"):
        told(manifest, Files(problems=tmp_path / "p.csv", junitxml=tmp_path / "j.xml"))
    assert [path.name for path in tmp_path.iterdir()] == ["archive.csv"]


def test_reports_may_go_to_standard_output_or_nowhere(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with archive(tmp_path) as manifest:
        told(manifest, Files(junitxml=Path("-")))
    assert "not a URL" in capfd.readouterr().out
    with archive(tmp_path) as manifest:
        told(manifest, Files(junitxml=Path(os.devnull)))
    assert not Path(os.devnull).is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["archive.csv"]


# -- hostile text --------------------------------------------------------------------------

HOSTILE = st.text(max_size=30) | st.sampled_from(
    ["=1+1", "@SUM(A1)", "]]>", "<!--", "&amp;", "\x1b[31m", "\r\n", "\ufffe", "\ud800", "a\0b"]
)
PROBLEM = st.builds(
    Problem,
    severity=st.sampled_from(Severity),
    code=st.sampled_from(["not-a-url", "required"]),
    place=st.builds(Place, st.just("a.csv"), *[st.integers(0, 9)] * 3),
    field=HOSTILE,
    message=HOSTILE,
    hint=HOSTILE,
    id=HOSTILE,
)


BROKEN_LINE = Problem(
    Severity.ERROR, "required", Place("a.csv", 1, 2, 3), "", "a\r=1+1", "\n@x", id="\r="
)  # fmt: skip


def written(folder: Path, problems: Iterable[Problem], files: Files) -> None:
    """Reports of one row that has these problems."""
    with archive(folder) as manifest, Reports(manifest, files) as reports:
        row = Checked(next(manifest.entries()), None, tuple(problems))
        assert reports.sink is not None
        reports.sink(row)
        reports.finish(found_in([row]))


def without_surrogates(text: str) -> str:
    """As UTF-8 can hold it."""
    return "".join("\ufffd" if 0xD800 <= ord(sign) <= 0xDFFF else sign for sign in text)


@settings(max_examples=30)
@given(problems=st.lists(PROBLEM, max_size=4))
@example(problems=[BROKEN_LINE])
def test_hostile_text_is_read_back_from_every_list(
    tmp_path_factory: pytest.TempPathFactory, problems: list[Problem]
) -> None:
    folder = tmp_path_factory.mktemp("hostile")
    for name in ("p.csv", "p.jsonl", "p.json", "p.sarif"):
        written(folder, problems, Files(problems=folder / name))
    text = (folder / "p.csv").read_bytes().decode("utf-8-sig")
    cells = list(csv.DictReader(io.StringIO(text, newline="")))
    for key in ("message", "hint", "id", "field"):
        wanted = [getattr(each, key) for each in problems]
        plain = [cell[key] for cell in cells]
        for value, cell in zip(map(without_surrogates, wanted), plain, strict=True):
            assert bare_cell(cell) == value
            assert not cell.lstrip().startswith(("=", "+", "@"))
        document = json.loads((folder / "p.json").read_text())
        assert [each[key] for each in document["problems"]] == wanted
        lines = (folder / "p.jsonl").read_bytes().splitlines()
        assert [json.loads(line)[key] for line in lines] == wanted
    run = sarif_run(folder / "p.sarif")
    assert sorted(each["properties"]["id"] for each in run["results"]) == sorted(
        each.id for each in problems
    )


@settings(max_examples=30)
@given(problems=st.lists(PROBLEM, min_size=1, max_size=4))
def test_hostile_text_stays_text_in_xml(
    tmp_path_factory: pytest.TempPathFactory, problems: list[Problem]
) -> None:
    folder = tmp_path_factory.mktemp("xml")
    written(folder, problems, Files(junitxml=folder / "j.xml"))
    (suite,) = ElementTree.parse(folder / "j.xml").getroot()
    names = {case.attrib["name"] for case in suite}
    errors = [each for each in problems if each.severity is Severity.ERROR]
    assert {xml_text(f"{each.code} {each.field}".strip()) for each in errors} <= names
    failing = {case.attrib["name"] for case in suite if case.find("failure") is not None}
    assert failing == {xml_text(f"{each.code} {each.field}".strip()) for each in errors}


@given(st.text())
def test_xml_text_keeps_what_xml_allows(text: str) -> None:
    node = ElementTree.Element("a", {"b": xml_text(text)})
    node.text = xml_text(text)
    back = ElementTree.fromstring(ElementTree.tostring(node))
    assert back.attrib["b"] == (back.text or "") == xml_text(text)
    assert xml_text("a\x1b\r\n\ud800é") == "a\\x1b\\r\n\\ud800é"
