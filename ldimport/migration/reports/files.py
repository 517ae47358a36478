"""The files that ``validate`` writes, asked for as ``Files``, written as ``Reports`` in the one
pass that checks the manifest, in its order; and failed images as a manifest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, fields
from functools import partial
from itertools import chain, islice
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

from ldimport.cells import csv_form, csv_line, json_text
from ldimport.errors import UsageError
from ldimport.files import STDOUT, NewFile, TextList
from ldimport.manifest.form import RowForm
from ldimport.manifest.kinds import ManifestFormat
from ldimport.manifest.manifest import STDIN
from ldimport.manifest.write import RowWriter, row_of
from ldimport.migration.model import ResultRow
from ldimport.migration.reports import COLUMNS, Report, problem_document
from ldimport.migration.reports.junit import JUnit
from ldimport.migration.reports.sarif import Sarif
from ldimport.model import Json, Problem

if TYPE_CHECKING:
    from ldimport.manifest import Manifest
    from ldimport.migration.validate import RowSink, Validation
    from ldimport.schema.check import Checked

FORMAT = 1


class CsvProblems(Report):
    """A table for spreadsheets, written as ``cells.csv_form`` says. Unknown numbers stay empty."""

    def __init__(self, path: Path, manifest: Manifest, excel: bool = False) -> None:
        form = csv_form(path, excel=excel)
        super().__init__(path, manifest, NewFile(path, form.encoding))
        self._delimiter = form.delimiter
        self.file.write(csv_line(COLUMNS, self._delimiter))

    def problem(self, problem: Problem) -> None:
        """One line."""
        found = problem_document(problem)
        cells = [found[name] or None for name in COLUMNS]
        self.file.write(csv_line(cells, self._delimiter))


class JsonLinesProblems(Report):
    """One object a line, with the keys of ``validate --json``."""

    def problem(self, problem: Problem) -> None:
        """One line."""
        self.file.write(f"{json_text(problem_document(problem))}\n")


class JsonProblems(Report):
    """The document of ``validate --json`` with every problem in it."""

    def __init__(self, path: Path, manifest: Manifest) -> None:
        super().__init__(path, manifest)
        head = json_text({"format": FORMAT, "manifest": manifest.name})
        self._list = TextList(self.file, f'{head[:-1]},"problems":[\n', ",\n")

    def problem(self, problem: Problem) -> None:
        """One element."""
        self._list.add(json_text(problem_document(problem)))

    def finish(self, found: Validation) -> None:
        """The counts, which are known only now."""
        names = ("entries", "valid", "invalid", "warnings")
        counts = {name: getattr(found, name) for name in names}
        text = json_text({**counts, "problemsShown": self._list.count})
        self._list.end(f"\n],{text[1:]}\n")


class Rows(Report):
    """Rows with all their columns, as ``RowWriter`` writes them. ``valid`` says which ones; the
    others get ``_problem`` and ``_problems``, which reading skips."""

    def __init__(self, path: Path, manifest: Manifest, excel: bool = False, *, valid: bool) -> None:
        self._writer = RowWriter(path, excel=excel)
        super().__init__(path, manifest, self._writer.file)
        self.every_row = valid

    def add(self, checked: Checked) -> None:
        """Write the row if it is one of ours."""
        if (checked.image is not None) is self.every_row:
            problems = () if self.every_row else checked.problems
            self._writer.add(row_of(checked.entry._replace(problems=problems)))

    def finish(self, found: Validation) -> None:
        """Write the rest of the file."""
        self._writer.finish()

    def discard(self) -> None:
        """Remove what is not committed."""
        self._writer.discard()


_Made = Callable[[Path, "Manifest", bool], Report]
_PROBLEMS: dict[str, _Made] = {
    ".csv": CsvProblems,
    ".jsonl": lambda path, manifest, _: JsonLinesProblems(path, manifest),
    ".sarif": lambda path, manifest, _: Sarif(path, manifest),
    ".sarif.json": lambda path, manifest, _: Sarif(path, manifest),
    ".json": lambda path, manifest, _: JsonProblems(path, manifest),  # after the longer ending
}
_REPORTS: dict[str, _Made] = {
    "--problems": lambda path, manifest, excel: _by_ending(path)(path, manifest, excel),
    "--write-valid": partial(Rows, valid=True),
    "--write-invalid": partial(Rows, valid=False),
    "--junitxml": lambda path, manifest, _: JUnit(path, manifest),
}
"""What makes the report of an option, whose CSV may be for Excel."""


@dataclass(frozen=True, slots=True)
class Files:
    """The files that were asked for, by their options; ``excel``: those in CSV are for Excel."""

    problems: Path | None = None
    write_valid: Path | None = None
    write_invalid: Path | None = None
    junitxml: Path | None = None
    excel: bool = False

    def given(self) -> dict[str, Path]:
        """Option and path of each that was asked for."""
        paths = {f"--{each.name.replace('_', '-')}": getattr(self, each.name)
                 for each in fields(self) if each.name != "excel"}  # fmt: skip
        return {option: path for option, path in paths.items() if path is not None}


class Reports:
    """A context manager around a check. Hand ``sink`` to it and its findings to ``finish``: then
    all files appear under their names, complete. After an error or Ctrl-C, or without ``finish``,
    none does.

    Raises UsageError at once for an ending that names no format, a folder that is not there, and
    a file that is asked for twice or is the manifest itself."""

    def __init__(self, manifest: Manifest, files: Files) -> None:
        _check(manifest, files)
        self._manifest = manifest
        self._files = files
        self._reports: list[Report] = []
        self.every_row = False  # whether a file wants rows without problems too

    @property
    def sink(self) -> RowSink | None:
        """What wants to be told of rows; None when no file does."""
        return self if self._reports else None

    def __call__(self, checked: Checked) -> None:
        """Hand a row to every report."""
        for report in self._reports:
            report.add(checked)

    def finish(self, found: Validation) -> None:
        """Write the ends of all files, then give them their names."""
        for report in self._reports:
            report.finish(found)
        for report in self._reports:
            report.file.commit()

    def __enter__(self) -> Reports:
        with ExitStack() as stack:
            for option, path in self._files.given().items():
                report = _REPORTS[option](path, self._manifest, self._files.excel)
                self._reports.append(report)
                stack.callback(report.discard)
                self.every_row |= report.every_row
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


def _check(manifest: Manifest, files: Files) -> None:
    """All that can be known to be wrong before a long check begins."""
    taken = {file.path: Path(file.path) for file in manifest.files if file.path != STDIN}
    own = set(taken)
    for option, path in files.given().items():
        for other, its_path in taken.items():
            if _same(path, its_path):
                text = "is the manifest itself" if other in own else f"is also {other}"
                raise UsageError(f"{option} {path} {text}", hint="name another file")
        taken[option] = path


def _by_ending(path: Path) -> _Made:
    """How problems are written."""
    for ending, made in _PROBLEMS.items():
        if path.name.lower().endswith(ending):
            return made
    hint = "end it in .csv, .jsonl, .json or .sarif"
    raise UsageError(f"{path}: the ending says no format", hint=hint, code="format")


def _same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve() or (
        one.exists() and other.exists() and one.samefile(other)
    )


MARKS = {
    "_reason": "reason", "_cause": "cause", "_retryable": "retryable", "_attempts": "attempts",
    "_jobId": "job_id",
}  # fmt: skip
"""Columns of failed rows that say what went wrong; reading skips those that begin with ``_``."""


def write_as_manifest(
    path: Path,
    rows: Iterable[tuple[Mapping[str, Json], ResultRow]],
    format: str | None = None,
    *,
    excel: bool = False,
    like: RowForm | None = None,
    several: bool = False,
) -> RowWriter:
    """Write ``Migration.failed_rows`` to ``path``, ready to be corrected and submitted again, with
    what went wrong (``MARKS``), and where they are of ``several`` archives of which one.
    ``format`` None goes by the ending, else by the manifest that they came from, ``like`` which
    they are written. Returns what wrote them. Raises as ``RowWriter`` does."""
    if format is None and str(path) == STDOUT:
        format = ManifestFormat.CSV if like is None else like.format
    marks = MARKS | ({"_systemName": "system_name"} if several else {})
    found = attrgetter(*marks.values())
    rest = iter(rows)
    first = list(islice(rest, 1))
    name = None if several or not first else first[0][1].system_name
    marked = ({**own, **dict(zip(marks, found(row), strict=True))}
              for own, row in chain(first, rest))  # fmt: skip
    like = like if first else None
    with RowWriter(path, format, excel=excel, like=like, system_name=name) as writer:
        for row in marked:
            writer.add(row)
    return writer
