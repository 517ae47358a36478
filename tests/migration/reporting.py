"""Checks without a checker, for tests of what stands behind: rows, findings, reports read back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

from ldimport.manifest import Manifest, open_manifest
from ldimport.migration.reports.files import Files, Reports
from ldimport.migration.validate import FindingGroup, Validation
from ldimport.model import Entry, Image, Problem, Severity
from ldimport.schema.check import Checked

ARCHIVE = "id,url,fileName,Rubrik\n1,https://a.b/1.jpg,A,R\n2,N/A,B,S\n3,https://a.b/3.tif,C,T\n"


def found_in(rows: Iterable[Checked]) -> Validation:
    """What a check finds in these rows."""
    rows = list(rows)
    kinds: dict[tuple[str, str, Severity], FindingGroup] = {}
    problems = tuple(problem for row in rows for problem in row.problems)
    for each in problems:
        what = (each.code, each.field, each.severity)
        new = FindingGroup(*what, 0, each.place, each.value, each.message, each.hint)
        kinds.setdefault(what, new).rows += 1
    invalid = sum(row.image is None for row in rows)
    warnings = sum(each.severity is Severity.WARNING for each in problems)
    return Validation(len(rows), invalid, warnings, tuple(kinds.values()), problems)


def row_of(entry: Entry, *problems: Problem) -> Checked:
    """A row with what was found in it; an error keeps it from being an image."""
    bad = any(each.severity is Severity.ERROR for each in problems)
    image = None if bad else Image(entry.id, entry.url, entry.file_name or "", {})
    return Checked(entry, image, problems)


def error(code: str, entry: Entry, field: str, message: str, **more: object) -> Problem:
    """An error of an entry, at its place."""
    return Problem(Severity.ERROR, code, entry.place, field, message, id=entry.id, **more)


def warning(code: str, entry: Entry, field: str, message: str, **more: object) -> Problem:
    """A warning of an entry, at its place."""
    return replace(error(code, entry, field, message, **more), severity=Severity.WARNING)


def judge(entry: Entry) -> list[Problem]:
    """What a checker would say about the rows of ``ARCHIVE``."""
    if not entry.url.startswith("http"):
        return [error("not-a-url", entry, "url", "not a URL", hint="begin it with https://")]
    if entry.url.endswith(".tif"):
        return [warning("unlikely-type", entry, "url", "ends in .tif")]
    return []


def told(
    manifest: Manifest, files: Files, find: Callable[[Entry], list[Problem]] = judge
) -> Validation:
    """Check a manifest as ``validate`` does, telling the reports of it."""
    rows = []
    with Reports(manifest, files) as reports:
        for entry in manifest.entries():
            row = row_of(entry, *find(entry))
            rows.append(row)
            if reports.sink is not None and (row.problems or reports.sink.every_row):
                reports.sink(row)
        found = found_in(rows)
        reports.finish(found)
    return found


@contextmanager
def archive(folder: Path, content: str = ARCHIVE, name: str = "archive.csv") -> Iterator[Manifest]:
    """A manifest with this content."""
    (folder / name).write_text(content, encoding="utf-8")
    with open_manifest([folder / name]) as manifest:
        yield manifest


def many(count: int) -> str:
    """A manifest of so many rows without a url."""
    return "id,url\n" + "".join(f"{number},x\n" for number in range(1, count + 1))


def cases_of(path: Path) -> dict[str, ElementTree.Element]:
    """The cases of the one suite, by name."""
    (suite,) = ElementTree.parse(path).getroot()
    cases = {case.attrib["name"]: case for case in suite.findall("testcase")}
    assert int(suite.attrib["tests"]) == len(cases)
    failing = sum(case.find("failure") is not None for case in cases.values())
    assert int(suite.attrib["failures"]) == failing
    return cases
