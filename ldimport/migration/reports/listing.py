"""Every row or problem, in the order of the manifest: ``--problems`` as CSV, JSON Lines and JSON,
``--write-valid`` and ``--write-invalid``."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ldimport.cells import json_text, safe_cell
from ldimport.files import NewFile, TextList
from ldimport.manifest.write import RowWriter, row_of
from ldimport.migration.reports.base import Report, problem_document
from ldimport.model import Json, Problem

if TYPE_CHECKING:
    from ldimport.manifest import Manifest
    from ldimport.migration.validate import Validation
    from ldimport.schema.check import Checked

FORMAT = 1
COLUMNS = (
    "severity", "code", "file", "row", "line", "column", "id", "field", "message", "hint",
)  # fmt: skip


class CsvProblems(Report):
    """A table for spreadsheets: UTF-8 with the mark by which Excel knows it; semicolons where the
    manifest has them, since then the user's Excel expects them. Unknown numbers stay empty."""

    def __init__(self, path: Path, manifest: Manifest) -> None:
        super().__init__(NewFile(path, "utf-8-sig"))
        semicolons = any(each.detected.delimiter == ";" for each in manifest.files)
        self._writer = csv.writer(self.file, delimiter=";" if semicolons else ",")
        self._writer.writerow(COLUMNS)

    def problem(self, problem: Problem) -> None:
        """One line."""
        found = problem_document(problem)
        self._writer.writerow([safe_cell(found[name] or None) for name in COLUMNS])


class JsonLinesProblems(Report):
    """One object a line, with the keys of ``validate --json``."""

    def __init__(self, path: Path, manifest: Manifest) -> None:
        super().__init__(NewFile(path))

    def problem(self, problem: Problem) -> None:
        """One line."""
        self.file.write(f"{json_text(problem_document(problem))}\n")


class JsonProblems(Report):
    """The document of ``validate --json`` with every problem in it."""

    def __init__(self, path: Path, manifest: Manifest) -> None:
        super().__init__(NewFile(path))
        head = json_text({"format": FORMAT, "manifest": manifest.name})
        self._list = TextList(self.file, f'{head[:-1]},"problems":[\n', ",\n")

    def problem(self, problem: Problem) -> None:
        """One element."""
        self._list.add(json_text(problem_document(problem)))

    def finish(self, found: Validation) -> None:
        """The counts, which are known only now."""
        counts: dict[str, Json] = {
            "entries": found.entries,
            "valid": found.valid,
            "invalid": found.invalid,
            "warnings": found.warnings,
            "problemsShown": self._list.count,
        }
        self._list.end(f"\n],{json_text(counts)[1:]}\n")


class Rows(Report):
    """Rows with all their columns, in the dialect of the manifest where it is one file. ``valid``
    says which ones; the others get ``_problem`` and ``_problems``, which reading skips."""

    def __init__(self, path: Path, manifest: Manifest, *, valid: bool) -> None:
        like = manifest.files[0].detected if len(manifest.files) == 1 else None
        self._writer = RowWriter(path, like=like)
        super().__init__(self._writer.file)
        self.every_row = valid

    def add(self, checked: Checked) -> None:
        """Write the row if it is one of ours."""
        if (checked.image is not None) is self.every_row:
            problems = () if self.every_row else checked.problems
            self._writer.add(row_of(replace(checked.entry, problems=problems)))

    def finish(self, found: Validation) -> None:
        """Write the rest of the file."""
        self._writer.finish()

    def discard(self) -> None:
        """Remove what is not committed."""
        self._writer.discard()
