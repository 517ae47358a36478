"""``--junitxml``: one suite for a check, one case for each kind of problem; of ``submit`` and
``watch`` one for a run, a case for each cause of failure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from ldimport.causes import Cause, masked
from ldimport.closing import Closing
from ldimport.errors import ExitCode, LdimportError
from ldimport.files import NewFile
from ldimport.harmless import escaped
from ldimport.migration.reports import Report, counted
from ldimport.model import Place, Problem, Severity
from ldimport.url import without_secrets

if TYPE_CHECKING:
    from ldimport.manifest import Manifest
    from ldimport.migration.events import Summary
    from ldimport.migration.model import CauseRow, Waiver
    from ldimport.migration.validate import FindingGroup, Validation

MOST_CASES = 200
MOST_PLACES = 20
_GOES_ON = {ExitCode.QUOTA, ExitCode.DEADLINE}
"""What ends a run in order, to be continued by the next one: no failure."""
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


_Places = Mapping[tuple[str, str, Severity], Sequence[Place]]
"""Of each kind of problem, by code, field and severity."""


class JUnit(Report):
    """The report of a check: a case for each kind of problem, whatever the number of rows."""

    def __init__(self, path: Path, manifest: Manifest) -> None:
        super().__init__(path, manifest)
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
        cases = check_cases(self.manifest, found, self._places)
        self.file.write(suite("ldimport.validate", self.manifest, cases))


def check_cases(name: str, found: Validation, places: _Places) -> list[Case]:
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


def _case(check: str, kinds: Sequence[FindingGroup], places: _Places) -> Case:
    """One check; it may be an error in some rows and a warning in others."""
    failure, details, out = "", "", ""
    for kind in kinds:
        line = f"{counted(kind.rows, 'row')}: {_said(kind)}"
        at = places.get((kind.code, kind.field, kind.severity)) or [kind.first]
        text = _listed(at, kind)
        if kind.varied:
            text = f"the first: {kind.message}\n{text}"
        if kind.severity is Severity.ERROR:
            failure, details = line, text
        else:
            out = f"{line}\n{text}"
    return Case(check, failure, kinds[0].code, details, out)


def _said(kind: FindingGroup) -> str:
    """What all of a kind have in common: the message where it is one, else what the code means."""
    from ldimport.migration.explanations import CODES

    if not kind.varied or kind.code not in CODES:
        return kind.message
    title = CODES[kind.code].title
    return f"{kind.field}: {title}" if kind.field else title


def _listed(places: Iterable[Place], kind: FindingGroup) -> str:
    lines = [f"{place.file}:{place.line}" if place.line else place.file for place in places]
    if kind.rows > len(lines):
        lines.append(f"and {kind.rows - len(lines):,} more")
    if kind.hint:
        lines.append(kind.hint)
    return "\n".join(lines)


def _bare(*words: str) -> str:
    return " ".join(("ldimport", *words))


class RunReport(Closing):
    """A context manager around a run; tell it how the run ``ended``, or that it was ``refused``:
    the file then appears, complete. ``path`` None: no file. Raises UsageError at once when there
    can be no such file. ``next_command`` writes one that means the same run."""

    def __init__(
        self, path: Path | None, command: str, next_command: Callable[..., str] = _bare
    ) -> None:
        self._file = None if path is None else NewFile(path)
        self._class = f"ldimport.{command}"
        self._next = next_command

    def ended(self, end: Summary) -> None:
        """Write what came of the run."""
        name = end.plan.manifest if end.plan else "jobs"
        self._write(name, run_cases(end, self._next))

    def refused(self, name: str, found: Validation) -> None:
        """Write why nothing was sent: a case for each check that the manifest failed."""
        self._write(name, check_cases(name, found, {}))

    def _write(self, name: str, cases: list[Case]) -> None:
        if self._file is not None:
            self._file.write(suite(self._class, name, cases))
            self._file.commit()

    def close(self) -> None:
        """Leave no file where nothing was written."""
        if self._file is not None:
            self._file.discard()


def run_cases(end: Summary, next_command: Callable[..., str] = _bare) -> list[Case]:
    """A failing case for each cause, for invalid rows, and for what stopped the run; else one
    that passes."""
    cases = [_cause(row, next_command) for row in end.causes]
    if end.totals.invalid:
        text = f"{counted(end.totals.invalid, 'row')} with errors, not sent"
        cases.append(Case("invalid rows", text, "invalid"))
    waived = [_waived(each) for each in end.waived]
    stopped = end.stopped is not None or not (cases or end.exit_code is ExitCode.OK)
    if stopped and end.exit_code not in _GOES_ON:
        code = end.stopped.code if isinstance(end.stopped, LdimportError) else "stopped"
        cases.append(Case("the run", f"{_why(end)} (exit {end.exit_code})", code))
    if cases:
        return [*cases, *waived]
    sums = end.totals
    text = f"{counted(sums.success, 'image')} imported, {sums.skipped:,} skipped"
    if stopped:
        text = f"{text}; {_why(end)}"
    return [Case("no image failed", out=text), *waived]


def _waived(each: Waiver) -> Case:
    """Failures that somebody accepted: a case that passes, with their reason."""
    lines = [f"{counted(each.images, 'failure')} waived: {each.reason}"]
    lines += [f"{external_id} (row {number})" for external_id, number in each.examples]
    return Case(f"waived: {each.reason}", out="\n".join(lines))


def _why(end: Summary) -> str:
    return str(end.stopped) or "interrupted" if end.stopped is not None else "not all arrived"


def _cause(row: CauseRow, next_command: Callable[..., str]) -> Case:
    lines = [f"{external_id} (row {number})" for external_id, number in row.examples]
    if row.images > len(lines):
        more = next_command("results", "--failed")
        lines.append(f"and {row.images - len(lines):,} more: {more}")
    if row.retryable:
        lines.append(f"may work later: {next_command('retry')}")
    failure = f"{counted(row.images, 'image')}: {row.text}"
    own = row.cause == Cause.OTHER.code  # the target's own sentences: a case for each
    name = f"{row.cause}: {masked(row.reason)}" if own else row.cause
    return Case(name, failure, row.cause, "\n".join(lines))


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
    text = escaped(tostring(root, "unicode"), "&#{};").replace("::", "&#58;:")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'


def _node(parent: Element, tag: str, text: str | None = None, /, **attributes: str) -> Element:
    node = SubElement(parent, tag, {key: xml_text(each) for key, each in attributes.items()})
    node.text = None if text is None else xml_text(text)
    return node


def xml_text(text: str) -> str:
    """Text without secrets of URLs and what XML cannot hold: such a character is written as
    ``\\x1b`` or ``\\ud800``; so is a carriage return, which reading would turn into a line feed."""
    return _NOT_XML.sub(lambda found: ascii(found[0])[1:-1], without_secrets(text))
