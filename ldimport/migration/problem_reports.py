"""The files that ``validate`` writes: asked for as ``Files``, written as ``Reports`` in the one
pass that checks the manifest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ldimport.errors import UsageError
from ldimport.manifest.manifest import STDIN
from ldimport.manifest.write import format_of
from ldimport.migration.reports.base import Report
from ldimport.migration.reports.junit import JUnit
from ldimport.migration.reports.listing import CsvProblems, JsonLinesProblems, JsonProblems, Rows
from ldimport.migration.reports.sarif import Sarif

if TYPE_CHECKING:
    from ldimport.manifest import Manifest
    from ldimport.migration.validate import RowSink, Validation
    from ldimport.schema.check import Checked

_Made = Callable[[Path, "Manifest"], Report]
_PROBLEMS: dict[str, _Made] = {
    ".csv": CsvProblems,
    ".jsonl": JsonLinesProblems,
    ".json": JsonProblems,
    ".sarif": Sarif,
    ".sarif.json": Sarif,
}
_REPORTS: dict[str, _Made] = {
    "--problems": lambda path, manifest: _PROBLEMS[_ending(path)](path, manifest),
    "--write-valid": partial(Rows, valid=True),
    "--write-invalid": partial(Rows, valid=False),
    "--junitxml": JUnit,
}


@dataclass(frozen=True, slots=True)
class Files:
    """The files that were asked for, by their options."""

    problems: Path | None = None
    write_valid: Path | None = None
    write_invalid: Path | None = None
    junitxml: Path | None = None

    def given(self) -> dict[str, Path]:
        """Option and path of each that was asked for."""
        paths = {f"--{each.name.replace('_', '-')}": getattr(self, each.name)
                 for each in fields(self)}  # fmt: skip
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

    @property
    def sink(self) -> RowSink | None:
        """What wants to be told of rows; None when no file does."""
        return self if self._reports else None

    @property
    def every_row(self) -> bool:
        """Whether a file wants rows without problems too."""
        return any(report.every_row for report in self._reports)

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
        try:
            for option, path in self._files.given().items():
                self._reports.append(_REPORTS[option](path, self._manifest))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for report in self._reports:
            report.discard()


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
    if files.problems is not None:
        _ending(files.problems)
    for rows in (files.write_valid, files.write_invalid):
        if rows is not None:
            format_of(rows)


def _ending(path: Path) -> str:
    """The ending that decides how problems are written."""
    name = path.name.lower()
    for ending in sorted(_PROBLEMS, key=len, reverse=True):
        if name.endswith(ending):
            return ending
    raise UsageError(
        f"{path}: the ending says no format",
        hint="end it in .csv, .jsonl, .json or .sarif",
        code="format",
    )


def _same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve() or (
        one.exists() and other.exists() and one.samefile(other)
    )
