"""``--junitxml`` of ``submit`` and ``watch``: one case for each cause of failure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ldimport.errors import ExitCode, LdimportError
from ldimport.files import NewFile
from ldimport.migration.reports.base import counted
from ldimport.migration.reports.junit import Case, check_cases, suite

if TYPE_CHECKING:
    from ldimport.migration.events import Summary
    from ldimport.migration.model import CauseRow
    from ldimport.migration.validate import Validation

_GOES_ON = {ExitCode.QUOTA, ExitCode.DEADLINE}
"""What ends a run in order, to be continued by the next one: no failure."""


class RunReport:
    """A context manager around a run; tell it how the run ``ended``, or that it was ``refused``:
    the file then appears, complete. ``path`` None: no file. Raises UsageError at once when there
    can be no such file."""

    def __init__(self, path: Path | None, command: str) -> None:
        self._path = path
        self._class = f"ldimport.{command}"
        self._file: NewFile | None = None

    def ended(self, end: Summary) -> None:
        """Write what came of the run."""
        name = end.plan.manifest if end.plan else "jobs"
        self._write(name, run_cases(end))

    def refused(self, name: str, found: Validation) -> None:
        """Write why nothing was sent: a case for each check that the manifest failed."""
        self._write(name, check_cases(name, found, {}))

    def _write(self, name: str, cases: list[Case]) -> None:
        if self._file is not None:
            self._file.write(suite(self._class, name, cases))
            self._file.commit()

    def __enter__(self) -> RunReport:
        if self._path is not None:
            self._file = NewFile(self._path)
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.discard()


def run_cases(end: Summary) -> list[Case]:
    """A failing case for each cause, for invalid rows, and for what stopped the run; else one
    that passes."""
    cases = [_cause(row) for row in end.causes]
    if end.totals.invalid:
        text = f"{counted(end.totals.invalid, 'row')} with errors, not sent"
        cases.append(Case("invalid rows", text, "invalid"))
    stopped = end.stopped is not None or not (cases or end.exit_code is ExitCode.OK)
    if stopped and end.exit_code not in _GOES_ON:
        code = end.stopped.code if isinstance(end.stopped, LdimportError) else "stopped"
        cases.append(Case("the run", f"{_why(end)} (exit {end.exit_code})", code))
    if cases:
        return cases
    sums = end.totals
    text = f"{counted(sums.success, 'image')} imported, {sums.skipped:,} skipped"
    if stopped:
        text = f"{text}; {_why(end)}"
    return [Case("no image failed", out=text)]


def _why(end: Summary) -> str:
    return str(end.stopped) or "interrupted" if end.stopped is not None else "not all arrived"


def _cause(row: CauseRow) -> Case:
    lines = [f"{external_id} (row {number})" for external_id, number in row.examples]
    if row.images > len(lines):
        lines.append(f"and {row.images - len(lines):,} more: ldimport results --failed")
    if row.retryable:
        lines.append("may work later: ldimport retry")
    failure = f"{counted(row.images, 'image')}: {row.reason}"
    return Case(row.cause, failure, row.cause, "\n".join(lines))
