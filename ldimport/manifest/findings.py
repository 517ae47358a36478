"""What reading finds beside rows: notes, each once, and problems of single rows."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from ldimport.manifest.columns import ignored_text
from ldimport.manifest.fields import FieldMap
from ldimport.manifest.kinds import ReadingNote
from ldimport.model import Place, Problem, Severity

_SHOWN = 120
_MOST_KEYS = 1_000
"""Unknown keys remembered of one file: a hostile one may have a new key in every entry."""


class Findings:
    """Collects while one manifest is read; counts start anew with each pass."""

    def __init__(self, columns: FieldMap) -> None:
        self.columns = columns
        self.number_ids = 0
        self.kept: Counter[str] = Counter()
        self._unknown: dict[str, dict[str, None]] = {}
        self._notes: dict[str, ReadingNote] = {}

    def start_pass(self) -> None:
        """Forget counts of the pass before."""
        self.number_ids = 0
        self.kept.clear()

    def notice(self, code: str, text: str) -> None:
        """Remember a note; the same text counts once."""
        self._notes.setdefault(text, ReadingNote(code, text))

    def unknown_key(self, file: str, key: str) -> None:
        """A key of a JSON or YAML entry that no field uses; ``_keys`` are meant to be skipped."""
        known = self._unknown.setdefault(file, {})
        if not key.startswith("_") and len(known) < _MOST_KEYS:
            known[key] = None

    def notices(self) -> tuple[ReadingNote, ...]:
        """Everything worth a line so far."""
        found = list(self._notes.values())
        for file, keys in self._unknown.items():
            if keys:
                found.append(ReadingNote("unknown-columns", ignored_text(keys, file)))
        if self.number_ids:
            text = f"{self.number_ids:,} ids are numbers; each is taken as the text of its digits"
            found.append(ReadingNote("number-id", text))
        for name, rows in self.kept.items():
            text = f"{rows:,} rows keep their own {name}; --set fills only what is empty"
            found.append(ReadingNote("kept-values", text))
        return tuple(found)


class RowProblems(list[Problem]):
    """Errors that the reader finds in the entry at ``place``."""

    __slots__ = ("place",)

    def __init__(self, place: Place) -> None:
        self.place = place

    def add(
        self, code: str, field: str, message: str, hint: str = "", value: str = "",
        *, place: Place | None = None,
    ) -> None:  # fmt: skip
        """One error; ``value`` is cut to a length that fits a screen."""
        at = place or self.place
        value = value[:_SHOWN]
        self.append(Problem(Severity.ERROR, code, at, field, message, hint, value=value))

    def of(self, id_: str) -> tuple[Problem, ...]:
        """All of them, with the entry's id."""
        return tuple(replace(each, id=id_) for each in self) if self else ()
