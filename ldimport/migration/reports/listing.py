"""``--problems`` as CSV, JSON Lines and JSON: every problem, in the order of the manifest."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

from ldimport.files import NewFile
from ldimport.manifest.write import json_text, safe_cell
from ldimport.migration.reports.base import problem_document
from ldimport.model import Json, Problem

if TYPE_CHECKING:
    from ldimport.manifest import Manifest
    from ldimport.migration.validate import Validation
    from ldimport.schema.check import Checked

FORMAT = 1
COLUMNS = (
    "severity", "code", "file", "row", "line", "column", "id", "field", "message", "hint",
)  # fmt: skip


class CsvProblems:
    """A table for spreadsheets: UTF-8 with the mark by which Excel knows it; semicolons where the
    manifest has them, since then the user's Excel expects them. Unknown numbers stay empty."""

    every_row = False

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.file = NewFile(path, "utf-8-sig")
        semicolons = any(each.detected.delimiter == ";" for each in manifest.files)
        self._writer = csv.writer(self.file, delimiter=";" if semicolons else ",")
        self._started = False

    def add(self, checked: Checked) -> None:
        """One line for each problem of the row."""
        self._start()
        for problem in checked.problems:
            found = problem_document(problem)
            self._writer.writerow([safe_cell(found[name] or None) for name in COLUMNS])

    def finish(self, found: Validation) -> None:
        """The header at least."""
        self._start()

    def discard(self) -> None:
        """Remove what is not committed."""
        self.file.discard()

    def _start(self) -> None:
        if not self._started:
            self._writer.writerow(COLUMNS)
            self._started = True


class JsonLinesProblems:
    """One object a line, with the keys of ``validate --json``."""

    every_row = False

    def __init__(self, path: Path) -> None:
        self.file = NewFile(path)

    def add(self, checked: Checked) -> None:
        """One line for each problem of the row."""
        for problem in checked.problems:
            self.file.write(f"{_text(problem)}\n")

    def finish(self, found: Validation) -> None:
        """Nothing stands behind the last line."""

    def discard(self) -> None:
        """Remove what is not committed."""
        self.file.discard()


class JsonProblems:
    """The document of ``validate --json`` with every problem in it."""

    every_row = False

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.file = NewFile(path)
        self._name = manifest.name
        self._count = 0

    def add(self, checked: Checked) -> None:
        """One element for each problem of the row."""
        for problem in checked.problems:
            self.file.write(",\n" if self._count else self._head())
            self.file.write(_text(problem))
            self._count += 1

    def finish(self, found: Validation) -> None:
        """The counts, which are known only now."""
        if not self._count:
            self.file.write(self._head())
        counts: dict[str, Json] = {
            "entries": found.entries,
            "valid": found.valid,
            "invalid": found.invalid,
            "warnings": found.warnings,
            "problemsShown": self._count,
        }
        self.file.write(f"\n],{json_text(counts)[1:]}\n")

    def discard(self) -> None:
        """Remove what is not committed."""
        self.file.discard()

    def _head(self) -> str:
        head = json_text({"format": FORMAT, "manifest": self._name})
        return f'{head[:-1]},"problems":[\n'


def _text(problem: Problem) -> str:
    return json_text(problem_document(problem))
