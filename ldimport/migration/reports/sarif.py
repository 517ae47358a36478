"""``--problems FILE.sarif``: SARIF 2.1.0, as GitHub's code scanning and editors read it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import ldimport
from ldimport.cells import json_text
from ldimport.files import Spool, TextList
from ldimport.migration.reports import Report, counted
from ldimport.model import Json, Place, Problem, Severity

if TYPE_CHECKING:
    from ldimport.manifest import Manifest
    from ldimport.migration.validate import Validation

MOST_RESULTS = 25_000
"""GitHub refuses a run with more."""
SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


class Sarif(Report):
    """One run. Errors go straight to the file; warnings wait, and get the places that errors
    leave free."""

    def __init__(self, path: Path, manifest: Manifest) -> None:
        super().__init__(path, manifest)
        head = json_text({"$schema": SCHEMA, "version": "2.1.0"})
        self._results = TextList(self.file, f'{head[:-1]},"runs":[{{"results":[\n', ",\n")
        self._warnings = Spool(path)
        self._rules: dict[str, int] = {}
        self._left_out = 0
        self._uris: dict[str, str] = {}

    def problem(self, problem: Problem) -> None:
        """One result, up to the limit."""
        error = problem.severity is Severity.ERROR
        if (self._results if error else self._warnings).count >= MOST_RESULTS:
            self._left_out += 1
        elif error:
            self._results.add(json_text(self._result(problem)))
        else:
            self._warnings.add(json_text(self._result(problem)).encode())

    def finish(self, found: Validation) -> None:
        """The warnings, then what describes the run: it is complete only now."""
        for line in self._warnings:
            if self._results.count < MOST_RESULTS:
                self._results.add(line.decode())
            else:
                self._left_out += 1
        invocation: dict[str, Json] = {"executionSuccessful": True}
        if self._left_out:
            text = (
                f"{counted(self._left_out, 'problem')} left out: a run holds at most "
                f"{MOST_RESULTS:,} results; --problems FILE.csv lists all of them"
            )
            note: Json = {"level": "warning", "message": {"text": text}}
            invocation["toolExecutionNotifications"] = [note]
        rules: Json = [_rule(code) for code in self._rules]
        driver: Json = {"name": "ldimport", "version": ldimport.__version__, "rules": rules}
        rest: dict[str, Json] = {
            "columnKind": "unicodeCodePoints",
            "invocations": [invocation],
            "tool": {"driver": driver},
        }
        self._results.end(f"\n],{json_text(rest)[1:]}]}}\n")

    def discard(self) -> None:
        """Remove what is not committed."""
        self._warnings.close()
        super().discard()

    def _result(self, problem: Problem) -> dict[str, Json]:
        index = self._rules.setdefault(problem.code, len(self._rules))
        hint = f" ({problem.hint})" if problem.hint else ""
        return {
            "ruleId": problem.code,
            "ruleIndex": index,
            "level": "error" if problem.severity is Severity.ERROR else "warning",
            "message": {"text": f"{problem.message}{hint}"},
            "locations": [{"physicalLocation": self._location(problem.place)}],
            "properties": {"row": problem.place.row, "id": problem.id, "field": problem.field},
        }

    def _location(self, place: Place) -> dict[str, Json]:
        if place.file not in self._uris:
            self._uris[place.file] = uri_of(place.file)
        location: dict[str, Json] = {"artifactLocation": {"uri": self._uris[place.file]}}
        if place.line:
            column: dict[str, Json] = {"startColumn": place.column} if place.column else {}
            location["region"] = {"startLine": place.line, **column}
        return location


def uri_of(file: str) -> str:
    """A file as a URI, percent-encoded: from the working folder; one outside of it stays
    absolute."""
    path = Path(os.path.normpath(file)) if file else Path("manifest")
    if path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    return path.as_uri() if path.is_absolute() else quote(os.fsencode(path.as_posix()))


def _rule(code: str) -> Json:
    from ldimport.migration.explanations import CODES

    known = CODES.get(code)
    if known is None:
        return {"id": code, "shortDescription": {"text": code.replace("-", " ")}}
    text = "\n".join([known.meaning, *known.fix])
    return {"id": code, "shortDescription": {"text": known.title}, "help": {"text": text}}
