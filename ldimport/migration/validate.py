"""Check a manifest: every row, bounded findings, at the speed of reading."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from ldimport.manifest import Manifest, ReadingNote
from ldimport.manifest.streams import RowsOfFile
from ldimport.model import Entry, Place, Problem, Severity
from ldimport.schema.check import Checked, Checker
from ldimport.schema.remarks import remarks
from ldimport.schema.rows import QuickRows, quick_rows
from ldimport.url import without_secrets

MAX_PROBLEMS = 1_000
_MAX_KINDS = 1_000
_SAMPLE = 60
_OTHERS = "other fields"
_Kind = tuple[str, str, Severity]


@dataclass(slots=True)
class FindingGroup:
    """All problems with the same code, field and severity: how many rows, where first, and what
    the first one said; ``varied``: not all of them said the same; ``column``: what the manifest
    calls the field, where that differs."""

    code: str
    field: str
    severity: Severity
    rows: int
    first: Place
    example: str
    message: str
    hint: str
    publishing: bool = False
    varied: bool = False
    column: str = ""


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

    every_row: bool

    def __call__(self, checked: Checked) -> None:
        """Take one row."""


@dataclass(slots=True)
class Collector:
    """Gathers the findings of one pass; what it keeps is bounded. ``entries`` that nothing was
    found about, and that the sink need not hear of, are added by the caller."""

    manifest: Manifest
    max_problems: int = MAX_PROBLEMS
    sink: RowSink | None = None
    entries: int = 0
    _invalid: int = 0
    _warnings: int = 0
    _kinds: dict[_Kind, FindingGroup] = field(default_factory=dict)
    _problems: list[Problem] = field(default_factory=list)
    _columns: dict[str, str] = field(default_factory=dict)

    def add(self, checked: Checked) -> None:
        """One row."""
        self.entries += 1
        self._invalid += checked.image is None
        if checked.problems:
            located = tuple(self._taken(checked.entry, each) for each in checked.problems)
            checked = checked._replace(problems=located)
        if self.sink is not None and (self.sink.every_row or checked.problems):
            self.sink(checked)

    def add_late(self, problem: Problem) -> None:
        """A finding about a row that was added before as a valid one, or about no row at all."""
        self._invalid += problem.severity is Severity.ERROR
        self._taken(None, problem)

    def finish(self, checker: Checker) -> Validation:
        """The findings of ``checker``'s pass; errors first, the most frequent kinds before."""
        for problem in checker.nothings.problems():
            self.add_late(problem)
        kinds = sorted(self._kinds.values(), key=lambda kind: (kind.severity, -kind.rows))
        notices = (*self.manifest.notices(), *_of_checker(checker))
        sums = self.entries, self._invalid, self._warnings
        return Validation(*sums, tuple(kinds), tuple(self._problems), notices)

    def _taken(self, entry: Entry | None, problem: Problem) -> Problem:
        problem = self._in_own_words(problem)
        self._warnings += problem.severity is Severity.WARNING
        what: _Kind = (problem.code, problem.field, problem.severity)
        if what not in self._kinds and len(self._kinds) >= _MAX_KINDS:  # any number of properties
            what = (problem.code, _OTHERS, problem.severity)
        room = len(self._problems) < self.max_problems
        exact = entry is None or (problem.place.column and problem.place != entry.place)
        if what not in self._kinds or room or self.sink is not None:
            if entry and not exact:
                problem = replace(problem, place=self.manifest.locate(entry, problem.field))
            problem = _shown(problem)
        if room:
            self._problems.append(problem)
        if what not in self._kinds:
            self._kinds[what] = FindingGroup(
                *what, 0, problem.place, problem.value[:_SAMPLE], problem.message, problem.hint,
                problem.publishing, column=self._column(problem.field),
            )  # fmt: skip
        kind = self._kinds[what]
        kind.rows += 1
        kind.varied = kind.varied or problem.message != kind.message
        return problem

    def _in_own_words(self, problem: Problem) -> Problem:
        """With the column's name behind the field's, where the user has one of his own."""
        column, field = self._column(problem.field), problem.field
        if not column or not problem.message.startswith((f"{field} ", f"{field}:")):
            return problem
        rest = problem.message[len(field) :]
        return replace(problem, message=f"{field} (column “{column}”){rest}")

    def _column(self, field: str) -> str:
        if field not in self._columns:
            self._columns[field] = self.manifest.column_of(field) or ""
        return self._columns[field]


def _shown(problem: Problem) -> Problem:
    """A problem is for people, wherever it is written: it quotes no secret of a URL."""
    texts = ("field", "message", "hint", "id", "value")
    shown: Any = {name: without_secrets(getattr(problem, name)) for name in texts}
    return replace(problem, **shown)


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
    collector = Collector(manifest, max_problems, sink)
    every_row = sink is not None and sink.every_row
    table = None if every_row else manifest.table
    quick = table and quick_rows(checker, table.columns or (), table.name, table.textual)
    if table and quick:
        manifest.check_unchanged()
        _by_rows(table, quick, checker, collector, on_progress)
        manifest.check_unchanged()
    else:
        for entry in manifest.entries(on_progress):
            if not every_row and checker.passes(entry):
                collector.entries += 1
            else:
                collector.add(checker.check(entry))
    return collector.finish(checker)


def _of_checker(checker: Checker) -> Iterator[ReadingNote]:
    for text in checker.config.warnings:
        yield ReadingNote("project-config", f"project config: {text}")
    if checker.trimmed:
        some = "1 id or url" if checker.trimmed == 1 else f"{checker.trimmed:,} ids and urls"
        text = f"{some} had blanks around; they were taken away"
        yield ReadingNote("trimmed", text)
    yield from (ReadingNote(*each) for each in remarks(checker))
    if checker.defaulted:
        kind = checker.config.default_media_type
        text = f"rows without a mediaType get “{kind}”, the project's default"
        yield ReadingNote("default-media-type", text)


def _by_rows(
    table: RowsOfFile,
    quick: QuickRows,
    checker: Checker,
    collector: Collector,
    on_progress: Callable[[int], None] | None,
) -> None:
    """The fast way for a single file: a row that passes the test never becomes an entry."""
    passes, good = quick.passes, 0
    for number, (line, cells) in enumerate(table.rows(on_progress), 1):
        if type(cells) is list and passes(cells, line):
            good += 1
        else:
            collector.add(checker.check(table.entry(number, line, cells)))
    collector.entries += good
