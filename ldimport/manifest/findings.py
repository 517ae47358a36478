"""What reading finds beside rows: notices, each once, and problems of single rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from ldimport.manifest.columns import ignored_text
from ldimport.manifest.fields import FieldMap
from ldimport.manifest.kinds import ReadingNote
from ldimport.model import Place, Problem, Severity

_SHOWN = 120


class Findings:
    """Collects while one manifest is read; counts start anew with each pass."""

    def __init__(self, columns: FieldMap) -> None:
        self.columns = columns
        self.number_ids = 0
        self.kept: Counter[str] = Counter()
        self._unknown: dict[str, dict[str, None]] = {}
        self._notices: dict[str, ReadingNote] = {}

    def start_pass(self) -> None:
        """Forget counts of the pass before."""
        self.number_ids = 0
        self.kept.clear()

    def notice(self, code: str, text: str) -> None:
        """Remember a notice; the same text counts once."""
        self._notices.setdefault(text, ReadingNote(code, text))

    def unknown_key(self, file: str, key: str) -> None:
        """A key of a JSON or YAML entry that no field uses; ``_keys`` are meant to be skipped."""
        if not key.startswith("_"):
            known = self._unknown.setdefault(file, {})
            if len(known) < 1_000:  # a hostile file may have a new key in every entry
                known[key] = None

    def notices(self) -> tuple[ReadingNote, ...]:
        """Everything worth a line so far."""
        found = list(self._notices.values())
        for file, keys in self._unknown.items():
            found.append(ReadingNote("unknown-columns", ignored_text(keys, file)))
        if self.number_ids:
            text = f"{self.number_ids:,} ids are numbers; each is taken as the text of its digits"
            found.append(ReadingNote("number-id", text))
        for name, rows in self.kept.items():
            text = f"{rows:,} rows keep their own {name}; --set fills only what is empty"
            found.append(ReadingNote("kept-values", text))
        return tuple(found)


def of_entry(problems: Iterable[Problem], id_: str) -> tuple[Problem, ...]:
    """Problems of one entry, with its id."""
    return tuple(replace(each, id=id_) for each in problems)


def problem(
    code: str, place: Place, field: str, message: str, hint: str = "", value: str = ""
) -> Problem:
    """An error found by the reader; ``value`` is cut to a length that fits a screen."""
    return Problem(Severity.ERROR, code, place, field, message, hint, value=value[:_SHOWN])
