"""``--junitxml``: one suite for a manifest or run, one case for each check or cause."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from ldimport.files import NewFile
from ldimport.migration.reports.base import Report, counted
from ldimport.model import Place, Problem, Severity

if TYPE_CHECKING:
    from ldimport.manifest import Manifest
    from ldimport.migration.validate import FindingGroup, Validation

MOST_CASES = 200
MOST_PLACES = 20
_NOT_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Case:
    """One case of a suite. Without ``failure`` (its one line; ``type`` names its kind, ``details``
    more lines) it passes; ``out`` is what it has to say all the same."""

    name: str
    failure: str = ""
    type: str = ""
    details: str = ""
    out: str = ""


class JUnit(Report):
    """The report of a check: a case for each kind of problem, whatever the number of rows."""

    def __init__(self, path: Path, manifest: Manifest) -> None:
        super().__init__(NewFile(path))
        self._name = manifest.name
        self._places: dict[tuple[str, str, Severity], list[Place]] = {}

    def problem(self, problem: Problem) -> None:
        """Remember the first places of each kind."""
        kind = (problem.code, problem.field, problem.severity)
        if kind not in self._places and len(self._places) == 10 * MOST_CASES:
            return  # kinds without end: their count is told
        places = self._places.setdefault(kind, [])
        if len(places) < MOST_PLACES:
            places.append(problem.place)

    def finish(self, found: Validation) -> None:
        """Write the suite."""
        cases = check_cases(self._name, found, self._places)
        self.file.write(suite("ldimport.validate", self._name, cases))


def check_cases(
    name: str,
    found: Validation,
    places: dict[tuple[str, str, Severity], list[Place]],
) -> list[Case]:
    """A case for each check that found something, failing ones first, else one that passes. The
    names stay the same from run to run, so that a CI system can compare them."""
    checks: dict[str, list[FindingGroup]] = {}
    for kind in found.kinds:
        checks.setdefault(f"{kind.code} {kind.field}".strip(), []).append(kind)
    cases = [_case(check, kinds, places) for check, kinds in checks.items()]
    cases.sort(key=lambda case: (not case.failure, case.name))
    if len(cases) > MOST_CASES:
        rest = cases[MOST_CASES:]
        text = f"{counted(len(rest), 'more check')} found something"
        failing = any(case.failure for case in rest)
        more = Case("more checks", failure=text if failing else "", type="more", out=text)
        cases = [*cases[:MOST_CASES], more]
    if any(case.failure for case in cases):
        return cases
    return [Case(f"check of {name}", out=f"{counted(found.entries, 'row')}, all valid"), *cases]


def _case(
    check: str,
    kinds: Sequence[FindingGroup],
    places: dict[tuple[str, str, Severity], list[Place]],
) -> Case:
    """One check; it may be an error in some rows and a warning in others."""
    failure, details, out = "", "", ""
    for kind in kinds:
        line = f"{counted(kind.rows, 'row')}: {kind.message}"
        at = places.get((kind.code, kind.field, kind.severity)) or [kind.first]
        text = _listed(at, kind)
        if kind.severity is Severity.ERROR:
            failure, details = line, text
        else:
            out = f"{line}\n{text}"
    return Case(check, failure, kinds[0].code, details, out)


def _listed(places: Iterable[Place], kind: FindingGroup) -> str:
    lines = [f"{place.file}:{place.line}" if place.line else place.file for place in places]
    if kind.rows > len(lines):
        lines.append(f"and {kind.rows - len(lines):,} more")
    if kind.hint:
        lines.append(kind.hint)
    return "\n".join(lines)


def suite(classname: str, name: str, cases: Sequence[Case]) -> str:
    """The XML of one suite."""
    failures = str(sum(bool(case.failure) for case in cases))
    numbers = {"tests": str(len(cases)), "failures": failures, "errors": "0"}
    root = Element("testsuites", numbers)
    inner = _node(root, "testsuite", name=name, **numbers)
    for case in cases:
        node = _node(inner, "testcase", classname=classname, name=case.name)
        if case.failure:
            _node(node, "failure", case.details, message=case.failure, type=case.type)
        if case.out:
            _node(node, "system-out", case.out)
    indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{tostring(root, "unicode")}\n'


def _node(parent: Element, tag: str, text: str | None = None, /, **attributes: str) -> Element:
    node = SubElement(parent, tag, {key: xml_text(each) for key, each in attributes.items()})
    node.text = None if text is None else xml_text(text)
    return node


def xml_text(text: str) -> str:
    """Text without what XML cannot hold: such a character is written as ``\\x1b`` or ``\\ud800``.
    A carriage return is one of them, since reading would turn it into a line feed."""
    return _NOT_XML.sub(lambda found: ascii(found[0])[1:-1], text)
