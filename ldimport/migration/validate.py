"""Check a manifest: every row, bounded findings, at the speed of reading."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from ldimport.manifest import Manifest, ReadingNote
from ldimport.manifest.csv import Table
from ldimport.model import Entry, Place, Problem, Severity
from ldimport.schema.check import Checked, Checker
from ldimport.schema.rows import row_test

MAX_PROBLEMS = 1_000
_MAX_KINDS = 1_000
_SAMPLE = 60
_OTHERS = "other fields"
_CONFIG_WARNINGS = 3


@dataclass(slots=True)
class FindingGroup:
    """All problems with the same code, field and severity: how many rows, where first, and what
    the first one said."""

    code: str
    field: str
    severity: Severity
    rows: int
    first: Place
    example: str
    message: str
    hint: str
    publishing: bool = False


@dataclass(frozen=True, slots=True)
class Validation:
    """The findings: ``invalid`` rows have an error; ``warnings`` counts warnings; ``problems`` are
    the first ones, with line and column, ``kinds`` count all; ``notices`` are worth a line each,
    and about no row alone."""

    entries: int
    invalid: int
    warnings: int
    kinds: tuple[FindingGroup, ...]
    problems: tuple[Problem, ...]
    notices: tuple[ReadingNote, ...] = ()

    @property
    def valid(self) -> int:
        """Rows without an error."""
        return self.entries - self.invalid


class RowSink(Protocol):
    """Hears of rows as they are checked, their problems located; ``every_row`` False: only of
    those that have problems."""

    @property
    def every_row(self) -> bool:
        """See above."""

    def __call__(self, checked: Checked) -> None:
        """Take one row."""


class Collector:
    """Gathers the findings of one pass; what it keeps is bounded."""

    def __init__(
        self, manifest: Manifest, *, max_problems: int = MAX_PROBLEMS, sink: RowSink | None = None
    ) -> None:
        self._manifest = manifest
        self._most = max_problems
        self._sink = sink
        self._entries = 0
        self._invalid = 0
        self._warnings = 0
        self._kinds: dict[tuple[str, str, Severity], FindingGroup] = {}
        self._problems: list[Problem] = []

    def good(self, rows: int) -> None:
        """Rows that nothing was found about, and that the sink need not hear of."""
        self._entries += rows

    def add(self, checked: Checked) -> None:
        """One row."""
        self._entries += 1
        self._invalid += checked.image is None
        if checked.problems:
            located = tuple(self._taken(checked.entry, each) for each in checked.problems)
            checked = replace(checked, problems=located)
        if self._sink is not None and (self._sink.every_row or checked.problems):
            self._sink(checked)

    def add_late(self, problem: Problem) -> None:
        """A finding about a row that was added before as a valid one, or about no row at all."""
        self._invalid += problem.severity is Severity.ERROR
        self._taken(None, problem)

    def finish(self, checker: Checker) -> Validation:
        """The findings of the pass that ``checker`` made; kinds of errors first, the most
        frequent before."""
        kinds = sorted(
            self._kinds.values(), key=lambda kind: (kind.severity is Severity.WARNING, -kind.rows)
        )
        return Validation(
            self._entries,
            self._invalid,
            self._warnings,
            tuple(kinds),
            tuple(self._problems),
            (*self._manifest.notices(), *_of_checker(checker)),
        )

    def _taken(self, entry: Entry | None, problem: Problem) -> Problem:
        self._warnings += problem.severity is Severity.WARNING
        kind = self._kind(problem)
        room = len(self._problems) < self._most
        if kind is None or room or self._sink is not None:
            problem = self._located(entry, problem)
        if room:
            self._problems.append(problem)
        if kind is not None:
            kind.rows += 1
        else:
            self._new_kind(problem)
        return problem

    def _kind(self, problem: Problem) -> FindingGroup | None:
        """Files may have any number of unknown properties; from a thousand kinds on, the rest
        counts together."""
        kind = self._kinds.get((problem.code, problem.field, problem.severity))
        if kind is None and len(self._kinds) >= _MAX_KINDS:
            kind = self._kinds.get((problem.code, _OTHERS, problem.severity))
        return kind

    def _new_kind(self, problem: Problem) -> None:
        field = problem.field if len(self._kinds) < _MAX_KINDS else _OTHERS
        key = (problem.code, field, problem.severity)
        self._kinds[key] = FindingGroup(
            *key, 1, problem.place, problem.value[:_SAMPLE], problem.message, problem.hint,
            problem.publishing,
        )  # fmt: skip

    def _located(self, entry: Entry | None, problem: Problem) -> Problem:
        found = problem.place
        if entry is None or (found.column and found != entry.place):  # exact already
            return problem
        return replace(problem, place=self._manifest.locate(entry, problem.field))


def validate(
    manifest: Manifest,
    checker: Checker,
    *,
    max_problems: int = MAX_PROBLEMS,
    on_progress: Callable[[int], None] | None = None,
    sink: RowSink | None = None,
) -> Validation:
    """Check every row; nothing is sent. ``on_progress`` gets the bytes read so far.

    Raises ManifestError when the file cannot be read to its end, or changes meanwhile.
    """
    collector = Collector(manifest, max_problems=max_problems, sink=sink)
    every_row = sink is not None and sink.every_row
    if manifest.table is not None and not every_row:
        manifest.check_unchanged()
        good = _by_rows(manifest.table, checker, collector, on_progress)
        manifest.check_unchanged()
    else:
        good = 0
        for entry in manifest.entries(on_progress):
            if not every_row and checker.passes(entry):
                good += 1
            else:
                collector.add(checker.check(entry))
    collector.good(good)
    return collector.finish(checker)


def _of_checker(checker: Checker) -> Iterator[ReadingNote]:
    told = checker.config.warnings
    for text in told[:_CONFIG_WARNINGS]:
        yield ReadingNote("project-config", f"project config: {text}")
    if len(told) > _CONFIG_WARNINGS:
        more = len(told) - _CONFIG_WARNINGS
        yield ReadingNote("project-config", f"project config: {more} more: ldimport config check")
    if checker.defaulted:
        kind = checker.config.default_media_type
        text = f"rows without a mediaType get “{kind}”, the project's default"
        yield ReadingNote("default-media-type", text)


def _by_rows(
    table: Table,
    checker: Checker,
    collector: Collector,
    on_progress: Callable[[int], None] | None,
) -> int:
    """The fast way for a single CSV: a row that passes the test has nothing worth saying about
    it, and never becomes an entry. Returns how many passed."""
    passes = row_test(checker, table.columns or (), table.name)
    number = good = 0
    for number, (line, cells) in enumerate(table.rows(on_progress), 1):
        if type(cells) is list and passes(cells, line):
            good += 1
        else:
            collector.add(checker.check(table.entry(number, line, cells)))
    return good
