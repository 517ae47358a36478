"""``--code-quality``: the list that GitLab shows beside a merge request."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from ldimport.files import NewFile
from ldimport.manifest.write import json_text
from ldimport.migration.reports.base import counted, path_in_project
from ldimport.model import Json, Problem, Severity, digest

if TYPE_CHECKING:
    from ldimport.manifest import Manifest
    from ldimport.migration.validate import Validation
    from ldimport.schema.check import Checked

MOST_ENTRIES = 1_000


class CodeQuality:
    """The first problems, errors before warnings, and one entry that counts the others."""

    every_row = False

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.file = NewFile(path)
        self._first_file = manifest.files[0].path
        self._kept: dict[Severity, list[Problem]] = {each: [] for each in Severity}
        self._seen: Counter[Severity] = Counter()

    def add(self, checked: Checked) -> None:
        """Keep the row's problems while there is room."""
        for problem in checked.problems:
            self._seen[problem.severity] += 1
            kept = self._kept[problem.severity]
            if len(kept) < MOST_ENTRIES:
                kept.append(problem)

    def finish(self, found: Validation) -> None:
        """Write the list."""
        kept = self._kept[Severity.ERROR] + self._kept[Severity.WARNING]
        shown = kept[:MOST_ENTRIES]
        repeats: Counter[tuple[str, str, str]] = Counter()
        entries: list[Json] = []
        for problem in shown:
            same = (problem.code, problem.field, problem.id)
            entries.append(_entry(problem, repeats[same]))
            repeats[same] += 1
        if self._seen.total() > len(shown):
            entries.append(self._rest(shown))
        lines = ",\n".join(map(json_text, entries))
        self.file.write(f"[\n{lines}\n]\n" if lines else "[]\n")

    def discard(self) -> None:
        """Remove what is not committed."""
        self.file.discard()

    def _rest(self, shown: list[Problem]) -> Json:
        """How many there are beyond those shown; as severe as the worst of them."""
        errors = sum(problem.severity is Severity.ERROR for problem in shown)
        left_out = counted(self._seen.total() - len(shown), "more problem")
        worst = Severity.ERROR if self._seen[Severity.ERROR] > errors else Severity.WARNING
        text = f"and {left_out}: ldimport validate --problems FILE lists all of them"
        return _described(text, "more-problems", digest("more-problems"), worst,
                          self._first_file, 1)  # fmt: skip


def _entry(problem: Problem, repeat: int) -> Json:
    """The fingerprint leaves the line out: rows that move are the same finding."""
    fingerprint = digest([problem.code, problem.field, problem.id, repeat])
    hint = f" ({problem.hint})" if problem.hint else ""
    place = problem.place
    return _described(f"{problem.message}{hint}", problem.code, fingerprint, problem.severity,
                      place.file, max(place.line, 1))  # fmt: skip


def _described(
    text: str, check: str, fingerprint: str, severity: Severity, file: str, line: int
) -> Json:
    return {
        "description": text,
        "check_name": check,
        "fingerprint": fingerprint,
        "severity": "major" if severity is Severity.ERROR else "minor",
        "location": {"path": path_in_project(file), "lines": {"begin": line}},
    }
